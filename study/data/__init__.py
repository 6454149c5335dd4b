"""The data sets of a study: prepared where needed, identified, listed."""
