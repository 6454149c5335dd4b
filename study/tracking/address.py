"""Where an MLflow store can be."""

from trainables.error import InputError

KNOWN = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")


def check_tracking_uri(uri: str) -> None:
    """Refuses what MLflow could not open; whether anything answers there is seen later.

    Raises:
        InputError: no store of MLflow's has such an address.
    """
    scheme, separator, rest = uri.partition("://")
    if uri == "databricks" or (separator and rest and scheme.partition("+")[0] in KNOWN):
        return
    raise InputError(
        f"--tracking-uri needs the address of an MLflow server (http://HOST:PORT) or of a database"
        f" (sqlite:////PATH, postgresql://…), got {uri!r}"
    )
