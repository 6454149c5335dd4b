"""Where an MLflow store can be."""

from urllib.parse import urlsplit

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
        f" (sqlite:////PATH, postgresql://…), got {shown_uri(uri)!r}"
    )


def shown_uri(uri: str) -> str:
    """The address without the password that it may hold.

    >>> shown_uri("postgresql://ada:secret@db/mlflow")
    'postgresql://ada:***@db/mlflow'
    """
    password = urlsplit(uri).password
    return uri.replace(f":{password}@", ":***@", 1) if password else uri
