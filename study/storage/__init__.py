"""Where a study lies, who holds it, and what it ran with."""
