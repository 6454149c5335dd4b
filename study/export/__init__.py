"""The answers of a study as files that anybody can run again, and running them."""

from study.export.export import Export, load_export

__all__ = ["Export", "load_export"]
