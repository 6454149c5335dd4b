"""A study's run: search, confirm, test, report, export, and what a person sees meanwhile."""
