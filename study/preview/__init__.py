"""`study show`: what a space asks, and what it will cost, before anything runs."""
