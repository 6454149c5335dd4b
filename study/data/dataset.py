"""The data sets of a study: prepared where needed, identified, and their FID made ready.

Done by the driver once, before anything is launched: workers only read.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console

from search_spaces import DatasetFacts, StudySpec, did_you_mean
from study.data.image_preparation import Preparation
from study.data.plan_text import tell_plan
from trainables.config import KNOWN_FORMATS, DataConfig, TrialConfig
from trainables.data.dataset import ImageDataset, found_format, load_dataset
from trainables.data.preparation import prepare_dataset
from trainables.data.prepared_file import prepared_names
from trainables.error import InputError
from trainables.sources import DOWNLOADABLE, split_and_path
from trainables.training.evaluator import ready_evaluator

Sources = Mapping[str, Sequence[str]]


def parse_sources(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """`NAME=PATH` by name; several where each is of one split, `NAME=train=PATH`.

    Raises:
        InputError: a text is not of this form, or a name comes twice without splits.
    """
    sources: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, equals, where = text.partition("=")
        if not equals or not name or not where:
            raise InputError(f"a source is written NAME=PATH or NAME=GLOB, got {text!r}")
        sources[name] = (*sources.get(name, ()), where)
    for name, wheres in sources.items():
        if len(wheres) > 1 and not all(split_and_path(where)[0] for where in wheres):
            raise InputError(
                f"the source of {name} is given twice; splits that lie apart are written"
                f" {name}=train=PATH and {name}=test=PATH"
            )
    return sources


def check_names(spec: StudySpec, sources: Sources, folder: Path) -> None:
    """Every data set of the space is known and at hand, before anything is prepared.

    Raises:
        InputError: one is not; or a source names a data set that the space does not have.
    """
    names = _names(spec)
    for name in sources:
        if name not in names:
            hint = did_you_mean(name, names)
            raise InputError(f"--source {name}: the study has no such data set{hint}")
    at_hand = {"digits", *sources, *prepared_names(folder)}
    for name, field in names.items():
        if name in at_hand:
            continue
        known = at_hand | set(KNOWN_FORMATS)
        if name not in known:
            raise InputError(f"there is no data set {name!r}{did_you_mean(name, known)}")
        fetch = f" or fetch them with `study data prepare {name}`," if name in DOWNLOADABLE else ""
        raise InputError(
            f"the images of {name} are not here; give them with --source {name}=PATH (a folder of"
            f" images, a zip of one, or a glob of Parquet shards),{fetch} or leave it out with"
            f" {field}"
        )


def find_datasets(
    spec: StudySpec,
    sources: Sources,
    folder: Path,
    progress: Callable[[str, int, int], None],
    preparation: Preparation | None = None,
    console: Console | None = None,
) -> dict[str, DatasetFacts]:
    """Format and fingerprint of every data set of the study; prepares those with a source.

    Args:
        spec: the study.
        sources: folder, zip or glob of Parquet shards by data set; several of one split each.
        folder: where prepared data lie.
        progress: told the name, images done and images in all.
        preparation: what is said about every source.
        console: where the plan of each preparation is printed, if anywhere.

    Raises:
        InputError: a source cannot be read.
    """
    preparation = preparation or Preparation()
    for name, source in sources.items():
        prepare_dataset(
            name,
            source,
            folder,
            preparation.format_of(name),
            functools.partial(progress, name),
            preparation.crop or "reference",
            preparation.config,
            functools.partial(tell_plan, console=console) if console else None,
        )
    return {name: _facts(spec, name, folder) for name in spec.strata.dataset}


def load_datasets(spec: StudySpec, folder: Path) -> dict[str, ImageDataset]:
    """The images of a study whose data sets were found before.

    Raises:
        InputError: one is gone, or has another fingerprint than the study began with.
    """
    return {name: load_dataset(_data_config(spec, name), folder) for name in spec.strata.dataset}


def ready_fid(
    spec: StudySpec,
    datasets: Mapping[str, ImageDataset],
    folder: Path,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, dict[str, object]]:
    """Trains classifiers and computes reference statistics that are not cached yet.

    Args:
        spec: the study.
        datasets: its images, by name.
        folder: where prepared data lie.
        tell: takes a line before each classifier beside that of the protocol.

    Returns:
        The protocol of the test FID, by data set.

    Raises:
        InputError: the feature extractor is not at hand, or has more features than images.
    """
    # As many threads as a trial has, so that sums come out the same.
    torch.set_num_threads(spec.resources.cpus)
    protocols: dict[str, dict[str, object]] = {}
    for name, dataset in datasets.items():
        evaluator = ready_evaluator(_any_config(spec, name), dataset, folder, tell)
        protocols[name] = evaluator.protocol("test").as_dict()
    return protocols


def _names(spec: StudySpec) -> dict[str, str]:
    """Every data set that the study needs, and how to do without it."""
    names = dict.fromkeys(spec.strata.dataset, "strata.dataset=…")
    classifier = spec.fid.classifier_dataset
    if spec.fid.features == "classifier" and classifier is not None:
        names.setdefault(classifier, "fid.classifier_dataset=…")
    return names


def _facts(spec: StudySpec, name: str, folder: Path) -> DatasetFacts:
    found = found_format(name, folder)
    image = found.model_copy(update={"size": spec.data.resize or found.size})
    config = DataConfig(format=image, **spec.data.of(name))
    return DatasetFacts(format=image, fingerprint=load_dataset(config, folder).fingerprint)


def _any_config(spec: StudySpec, name: str) -> TrialConfig:
    cell = next(cell for cell in spec.cells() if cell.dataset == name)
    return spec.trial_config(cell, {})


def _data_config(spec: StudySpec, name: str) -> DataConfig:
    return _any_config(spec, name).data
