"""The best config of a stratum as one file that anybody can run again: what it promises."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from search_spaces import complaint, read_yaml
from trainables.config import Frozen, TrialConfig, as_stored
from trainables.error import InputError
from trainables.file import file_hash
from trainables.plugin import load_plugins

FORMAT = 2
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]


class Export(Frozen):
    """One stratum's answer; every list has one value a seed, in the order of `seeds`.

    Attributes:
        format: of this file; 1 lacks the interval, the parts and the files beside the weights.
        study: where it comes from.
        stratum: `<dataset>/<prior>/<latent_size>`, with the repeat of its search behind it.
        variant: the name of the fixed overrides, where the stratum was not searched.
        selection: the criterion that chose the config, `fid` or `elbo`.
        config: the chosen config, with the first of the seeds.
        seeds: of the confirm trials, each trained and tested once.
        test_fid: lower is better.
        mean: of the test FIDs.
        standard_deviation: of the test FIDs (n - 1); none for one seed.
        interval: 95 % t interval of their mean; none for one seed.
        parts: every other number of a seed by name, such as `val_fid` and `aggregate_fid`.
        protocol: of the test FIDs, by field.
        environment: what they were obtained with.
        gpus: share of a GPU that each trial took.
        elsewhere: what was different in other environments that the study ran in.
        retests: why this config was tested after another of its stratum had been.
        mlflow_runs: one a seed.
        weights: file beside this one, of the seed with the best validation FID; or none.
        weights_sha256: of that file.
        seed_weights: file beside this one by seed, where the weights of every seed are kept.
        samples: PNG beside this one, drawn from `weights`; or none.
        files: SHA-256 of files beside this one: weights of the seeds, classifiers of the FID.
        plugins: files that register the config's prior, relative to this one, by their SHA-256.
    """

    format: Literal[1, 2] = 1
    study: str
    stratum: str
    variant: str | None = None
    selection: Literal["fid", "elbo"] = "fid"
    config: Annotated[TrialConfig, BeforeValidator(as_stored)]
    seeds: tuple[int, ...] = Field(min_length=1)
    test_fid: tuple[float, ...] = Field(min_length=1)
    mean: float
    standard_deviation: float | None = None
    interval: tuple[float, float] | None = None
    parts: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    protocol: dict[str, Any]
    environment: dict[str, Any]
    gpus: Annotated[float, Field(ge=0)] = 0
    elsewhere: tuple[str, ...] = ()
    retests: tuple[str, ...] = ()
    mlflow_runs: tuple[str, ...] = ()
    weights: FileName | None = None
    weights_sha256: str | None = None
    seed_weights: dict[int, FileName] = Field(default_factory=dict)
    samples: FileName | None = None
    files: dict[FileName, str] = Field(default_factory=dict)
    plugins: dict[FileName, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_value_a_seed(self) -> Self:
        for name, values in {"test_fid": self.test_fid, **self.parts}.items():
            if len(values) != len(self.seeds):
                raise ValueError(
                    f"{name} needs one value for each of {len(self.seeds)} seeds,"
                    f" got {len(values)}"
                )
        return self

    @property
    def title(self) -> str:
        """The stratum, with the variant where there is one, or `by elbo`."""
        return title_of(self.stratum, self.variant, self.selection)

    def promises(self) -> list[dict[str, float]]:
        """Every number by name, seed by seed; the test FID comes first."""
        names = ("test_fid", *self.parts)
        columns = zip(self.test_fid, *self.parts.values(), strict=True)
        return [dict(zip(names, values, strict=True)) for values in columns]


def title_of(stratum: str, variant: str | None, selection: str) -> str:
    """What a row is called.

    >>> title_of("digits/flow/8", "flat", "fid"), title_of("digits/flow/8", None, "elbo")
    ('digits/flow/8 flat', 'digits/flow/8 by elbo')
    """
    by = f"by {selection}" if selection != "fid" else None
    return " ".join(word for word in (stratum, variant, by) if word)


def load_export(path: Path) -> Export:
    """An exported file, checked; the plugins that it names are loaded.

    Raises:
        InputError: it is not one, or is of a newer format.
    """
    try:
        values = read_yaml(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} is not an exported config")
    check_format(path, values, FORMAT)
    _load_plugins(path, values.get("plugins"))
    try:
        return Export.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{path}: {complaint(error, Export)}") from error


def check_format(path: Path, values: dict[str, Any], newest: int) -> None:
    """Refuses a file that a newer version of this program wrote.

    Raises:
        InputError: it is one.
    """
    found = values.get("format", 1)
    if not isinstance(found, int) or not 1 <= found <= newest:
        raise InputError(
            f"{path} has the format {found!r}, and this version reads 1 to {newest}; use the"
            " version that wrote it (its environment names the commit)"
        )


def beside(path: Path, name: str, digest: str | None) -> Path:
    """A file that an export names, if it is there as it was.

    Raises:
        InputError: it is missing or another.
    """
    file = path.parent / name
    if not file.is_file():
        raise InputError(f"{file} is missing; it belongs beside {path.name}")
    if file_hash(file) != digest:
        raise InputError(f"{file} is not the file that {path.name} names: its SHA-256 differs")
    return file


def _load_plugins(path: Path, plugins: object) -> None:
    """Loads the plugins that the file names, if they are those that it was made with."""
    if not isinstance(plugins, dict):
        return
    for name, digest in plugins.items():
        plugin = path.parent / str(name)
        if not plugin.is_file() or file_hash(plugin) != digest:
            raise InputError(f"{plugin} is missing or changed; {path.name} needs it as it was")
        load_plugins([plugin])
