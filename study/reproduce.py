"""`study reproduce` and `study sample`: what an exported file promises, done again."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress as RichProgress
from safetensors.torch import load_file

from study.dataset import parse_sources
from study.environment import Environment, current_environment
from study.export import Export, load_export
from study.layout import open_layout
from study.preparation import prepare_by_name
from trainables.checkpoint import file_hash, write_atomically
from trainables.config import ImageFormat, TrialConfig
from trainables.data import ImageDataset, load_dataset
from trainables.error import InputError
from trainables.image_grid import image_grid
from trainables.sampling import sample_images
from trainables.training import Trainer, device_name
from trainables.vae import build_vae


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Promised against obtained.

    Attributes:
        seeds: those that were run again.
        promised: test FID by seed, from the file; lower is better.
        obtained: test FID by seed, now.
        difference: the first thing that differs between the two environments, or None.
    """

    seeds: tuple[int, ...]
    promised: tuple[float, ...]
    obtained: tuple[float, ...]
    difference: str | None

    @property
    def is_equal(self) -> bool:
        """Whether every value is the same to the last digit."""
        return self.promised == self.obtained


def reproduce(
    path: Path,
    data_folder: Path,
    num_seeds: int | None = None,
    progress: Callable[[int, int, int], None] = lambda seed, epoch, epochs: None,
) -> Reproduction:
    """Trains an exported config again, seed by seed, and tests it.

    Args:
        path: the exported file.
        data_folder: prepared data sets.
        num_seeds: only the first so many.
        progress: told the seed's place, epochs done and epochs in all.

    Raises:
        InputError: the file is no export, or its data set is not at hand.
    """
    export = load_export(path)
    promised = Environment.from_dict(export.environment)
    torch.set_num_threads(promised.num_threads)
    dataset = load_dataset(export.config.data, data_folder)
    cache = data_folder if data_folder.is_dir() else None
    seeds = export.seeds[:num_seeds]
    obtained: list[float] = []
    for place, seed in enumerate(seeds):
        config = export.config.model_copy(update={"seed": seed})
        obtained.append(_test_fid(config, dataset, cache, place, progress))
    now = current_environment(promised.num_threads, device_name())
    return Reproduction(
        seeds, export.test_fid[: len(seeds)], tuple(obtained), promised.first_difference(now)
    )


def draw_samples(path: Path, out: Path, num_samples: int, seed: int) -> None:
    """A PNG grid of images from an exported model.

    Args:
        path: the exported file; its weights lie beside it.
        out: where the PNG goes.
        num_samples: how many images.
        seed: of the noise.

    Raises:
        InputError: there are no weights, or they are not those that the file names.
    """
    samples, image = exported_samples(path, num_samples, seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, image_grid(samples.numpy(), image.num_levels))


def exported_samples(
    path: Path, num_samples: int | None = None, seed: int = 0
) -> tuple[torch.Tensor, ImageFormat]:
    """Images from an exported model, and what they look like.

    Args:
        path: the exported file; its weights lie beside it.
        num_samples: how many images; as many as its FID took unless said.
        seed: of the noise.

    Raises:
        InputError: there are no weights, or they are not those that the file names.
    """
    export = load_export(path)
    image = export.config.data.format
    model = build_vae(export.config)
    model.load_state_dict(_weights(path, export))
    num = num_samples or export.config.fid.num_samples
    return sample_images(model, num, image.num_levels, seed), image


def _test_fid(
    config: TrialConfig,
    dataset: ImageDataset,
    cache: Path | None,
    place: int,
    progress: Callable[[int, int, int], None],
) -> float:
    trainer = Trainer(config, dataset, cache)
    while not trainer.is_finished:
        trainer.fit_epoch()
        progress(place, trainer.epoch, config.max_epochs)
    return trainer.evaluate_fid("test")


def _weights(path: Path, export: Export) -> dict[str, torch.Tensor]:
    if export.weights is None:
        raise InputError(f"{path} names no weights; run `study reproduce` to train the model anew")
    file = path.parent / export.weights
    if not file.is_file():
        raise InputError(f"the weights {file} are missing; they belong beside {path.name}")
    if file_hash(file) != export.weights_sha256:
        raise InputError(f"{file} is not the file that {path.name} names: its SHA-256 differs")
    return load_file(file)


def reproduce_and_tell(
    path: Path, storage: Path, num_seeds: int | None, sources: tuple[str, ...], console: Console
) -> int:
    """Reproduces and prints obtained against promised; 0 where they agree, else 1.

    Raises:
        InputError: see `reproduce`.
    """
    layout = open_layout(storage, "any")
    for name, pattern in parse_sources(sources).items():
        prepare_by_name(name, pattern, storage, console)
    with RichProgress(console=console, transient=True) as bar:
        task = bar.add_task("training")

        def tell(seed: int, epoch: int, epochs: int) -> None:
            bar.update(task, description=f"seed {seed + 1}", completed=epoch, total=epochs)

        result = reproduce(path, layout.data, num_seeds, tell)
    rows = zip(result.seeds, result.promised, result.obtained, strict=True)
    for seed, promised, obtained in rows:
        console.print(f"seed {seed}: promised {promised!r}, obtained {obtained!r}")
    if result.difference:
        console.print(f"the environments differ: {result.difference}", soft_wrap=True)
    if result.is_equal:
        console.print("[green]reproduced[/]: equal to the last digit")
        return 0
    console.print(f"[red]not reproduced[/]: {_why(result)}", soft_wrap=True)
    return 1


def _why(result: Reproduction) -> str:
    if result.difference:
        return f"the test FID differs, and so does {result.difference}"
    return "the test FID differs, in an equal environment"
