"""Files of a user's own that register priors; each is loaded once in a process."""

import hashlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from trainables.config import prior_kinds
from trainables.error import InputError


def load_plugins(paths: Iterable[str | Path]) -> None:
    """Runs each file, so that the priors it registers can be named.

    Raises:
        InputError: a file is not there, cannot be run, or registers nothing.
    """
    for path in paths:
        _load(Path(path))


def _load(path: Path) -> None:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"the plugin {path} cannot be read: {error.strerror}") from error
    name = f"prior_plugin_{digest[:16]}"
    if name in sys.modules:
        return
    before = prior_kinds()
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise InputError(f"the plugin {path} is not a Python file: its name needs to end in .py")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    # Whatever a user's file raises is told to the user as a sentence, not as our traceback.
    except Exception as error:
        del sys.modules[name]
        raise InputError(f"the plugin {path} raised {type(error).__name__}: {error}") from error
    if prior_kinds() == before:
        del sys.modules[name]
        raise InputError(
            f"the plugin {path} registers no new prior: it needs @register_prior above the class"
            " of a config with a kind of its own"
        )
