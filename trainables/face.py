"""The face of a package: names that are imported from it, loaded when they are first asked for.

So that who needs a light part of a package does not load the heavy ones.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def attribute(package: str, name: str, homes: Mapping[str, str]) -> Any:
    """A name of a package from the module that defines it; for a module's `__getattr__`.

    Args:
        package: the package's `__name__`.
        name: what is asked for.
        homes: the module below the package, by name.

    Raises:
        AttributeError: the package has no such name.
    """
    if name not in homes:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return getattr(import_module(f"{package}.{homes[name]}"), name)
