"""Whether the question on disk is still the one that the ledger was begun with."""

from search_spaces import StudySpec, check_extension
from study.ledger import Ledger
from study.storage.layout import Layout, ledger_url
from trainables.error import InputError


def check_unedited(layout: Layout, stored: StudySpec) -> None:
    """Refuses a `spec.yaml` that was edited into another question.

    Raises:
        InputError: it was; the field, and how to have the file back.
    """
    try:
        check_asked(layout, stored)
    except InputError as error:
        raise InputError(
            f"{layout.spec} was edited: {error}; to restore the file, delete it and give the"
            " command again that started the study"
        ) from error


def check_asked(layout: Layout, spec: StudySpec) -> None:
    """Refuses a question that the study's ledger was not begun with, before anything is written.

    Raises:
        InputError: a field differs in more than an extension.
    """
    asked = begun_question(layout)
    if asked is not None:
        check_extension(asked, spec)


def begun_question(layout: Layout) -> StudySpec | None:
    """The question that the study's ledger was begun with; None before it was.

    Raises:
        InputError: the ledger cannot be read.
    """
    url = ledger_url(layout)
    if url == f"journal:{layout.journal}" and not layout.journal.is_file():
        return None  # killed before there was a ledger
    return Ledger.question(url, layout.name)
