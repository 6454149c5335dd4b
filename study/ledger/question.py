"""The question that a ledger answers, kept in it: its trials are answers to nothing else.

A file beside the ledger can be edited while nobody looks; what the trials were made of cannot.
"""

from typing import Any

from optuna.storages import BaseStorage
from optuna.study import Study, get_all_study_names, load_study
from pydantic import ValidationError

from search_spaces import StudySpec, check_extension
from trainables.config import as_stored
from trainables.error import InputError

QUESTION = "question"
# Raised when what a ledger holds changes its meaning; older ones are read, newer ones refused.
VERSION = 1


def check_version(study: Study) -> None:
    """Refuses the ledger of a newer program.

    Raises:
        InputError: it is newer.
    """
    version = study.user_attrs.get(QUESTION, {}).get("version", VERSION)
    if version > VERSION:
        raise InputError(
            f"the ledger of {study.study_name} is of version {version}, this program knows up to"
            f" {VERSION}; use the newer program that wrote it"
        )


def read_question(storage: BaseStorage, name: str) -> StudySpec | None:
    """The question that the study's trials answer; None where nothing was asked yet.

    Raises:
        InputError: the ledger is of a newer program.
    """
    for full_name in get_all_study_names(storage):
        if full_name.startswith(f"{name}/"):
            study = load_study(study_name=full_name, storage=storage)
            check_version(study)
            if QUESTION in study.user_attrs:
                return _read(study, study.user_attrs[QUESTION]["spec"])
    return None


def keep_question(spec: StudySpec, study: Study) -> None:
    """Writes the question into a stratum's search, if it is another than what stands there.

    Raises:
        InputError: its trials were made for another question, which this one does not extend.
    """
    check_version(study)
    asked = {"version": VERSION, "spec": spec.model_dump(mode="json")}
    stored = study.user_attrs.get(QUESTION)
    if stored is not None:
        check_extension(_read(study, stored["spec"]), spec)
    if stored != asked:
        study.set_user_attr(QUESTION, asked)


def _read(study: Study, values: dict[str, Any]) -> StudySpec:
    try:
        return StudySpec.model_validate(as_stored(values))
    except ValidationError as error:
        raise InputError(
            f"the ledger of {study.study_name} holds a question that this program cannot read;"
            " use the program that wrote it"
        ) from error
