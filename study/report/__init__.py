"""The table of a study, and the report that people read: from records alone.

Nothing is imported here, so that whoever needs the table does not load what draws.
"""
