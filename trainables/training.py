"""One trial's life: epochs, validation, the weights worth keeping, checkpoints.

Every epoch draws from a stream of its own, seeded by (seed, epoch): an epoch comes out the same
whether or not the trial was interrupted before it, and no random state needs to be saved.
"""

import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainables.checkpoint import Checkpoint, commit, read_history
from trainables.config import TrialConfig
from trainables.data import ImageDataset, as_tensor, bits_offset, dequantise
from trainables.fid import FIDEvaluator, build_fid_evaluator
from trainables.image_grid import image_grid
from trainables.kl_annealing import kl_weight
from trainables.measurement import DivergenceError, Measurement
from trainables.sampling import random_stream, sample_images
from trainables.seed import derive_seed
from trainables.vae import build_vae

EVALUATION_BATCH = 500
GRID_SIZE = 64
Weights = dict[str, Tensor]


def best_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name() -> str:
    """The GPU's name where there is one, else `cpu`."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


class Trainer:
    """Trains one config on one data set, epoch by epoch.

    Attributes:
        epoch: number of epochs finished.
        history: their measurements.
        best_epoch: the epoch with the best validation ELBO so far; 0 before the first.
    """

    def __init__(
        self,
        config: TrialConfig,
        dataset: ImageDataset,
        cache: Path | None = None,
        device: torch.device | None = None,
    ) -> None:
        """Builds the model with weights that follow from the config's seed.

        Args:
            config: the choice.
            dataset: the images.
            cache: folder where the FID's classifier and statistics are kept, if anywhere.
            device: where to train; the best there is unless said.
        """
        self.config, self.dataset, self.cache = config, dataset, cache
        self.device = device or best_device()
        with random_stream(config.seed, "weights"):
            self.model = build_vae(config).to(self.device)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=config.optimizer.learning_rate, fused=True
        )
        self.train_images = as_tensor(dataset.train).to(self.device)
        self.validation_images = as_tensor(dataset.validation).to(self.device)
        self.history: list[Measurement] = []
        self.best_epoch, self.best_weights = 0, self._weights()
        self.samples: UInt8[Tensor, "num channels height width"] | None = None
        self._evaluator: FIDEvaluator | None = None

    @property
    def epoch(self) -> int:
        """Number of epochs finished."""
        return len(self.history)

    @property
    def is_finished(self) -> bool:
        """Whether the last epoch is done."""
        return self.epoch >= self.config.max_epochs

    def fit_epoch(self) -> Measurement:
        """Trains one epoch and validates it; at a rung and at the end it has a FID.

        Raises:
            DivergenceError: something that was measured is not finite.
        """
        start = time.perf_counter()
        epoch = self.epoch + 1
        with random_stream(self.config.seed, "epoch", epoch):
            train_rate, train_distortion = self._train(epoch)
        rate, distortion = self.validate()
        measurement = Measurement(
            epoch=epoch,
            rate=rate,
            distortion=distortion,
            elbo=-(rate + distortion),
            bits_per_dim=self._bits_per_dim(rate + distortion),
            train_rate=train_rate,
            train_distortion=train_distortion,
            kl_weight=self._kl_weight(float(epoch)),
            seconds=time.perf_counter() - start,
        )
        self.history.append(measurement)
        self._remember_if_best(measurement)
        if epoch in self.config.evaluated_epochs:
            val_fid = self.evaluate_fid("validation")
            seconds = time.perf_counter() - start
            self.history[-1] = replace(
                measurement, val_fid=val_fid, best_epoch=self.best_epoch, seconds=seconds
            )
        return self.history[-1]

    def validate(self) -> tuple[float, float]:
        """Rate and distortion on the validation part, nats per image, with the same noise always.

        The noise is that of every trial, so that trials compare.
        """
        generator = torch.Generator(self.device).manual_seed(derive_seed("validation"))
        totals = torch.zeros(2, dtype=torch.float64, device=self.device)
        self.model.eval()
        with torch.no_grad():
            for images in self.validation_images.split(EVALUATION_BATCH):
                x = dequantise(images, self.dataset.num_levels, generator)
                elbo = self.model.evaluate(x, generator)
                totals += torch.stack([elbo.rate.sum(), elbo.distortion.sum()])
        rate, distortion = (totals / len(self.validation_images)).tolist()
        return rate, distortion

    def evaluate_fid(self, reference: str = "validation") -> float:
        """Fréchet distance between samples of the best weights and a split; lower is better.

        Args:
            reference: `validation`, or `test` for the one look at the end.
        """
        samples = self.sample(self.config.fid.num_samples)
        self.samples = samples[:GRID_SIZE]
        distance = self.evaluator.distance(samples, reference)
        if not math.isfinite(distance):
            raise DivergenceError(f"the FID against {reference} is {distance}")
        return distance

    def sample(
        self, num_samples: int, seed: int = 0
    ) -> UInt8[Tensor, "num channels height width"]:
        """Images from the best weights, on the CPU; the same noise for every trial."""
        current = self._weights()
        self.model.load_state_dict(self.best_weights)
        images = sample_images(self.model, num_samples, self.dataset.num_levels, seed)
        self.model.load_state_dict(current)
        return images

    @property
    def evaluator(self) -> FIDEvaluator:
        """The FID of this trial's protocol."""
        if self._evaluator is None:
            self._evaluator = evaluator_for(self.config, self.dataset, self.cache)
        return self._evaluator

    def save(self, path: Path) -> Checkpoint:
        """Writes a checkpoint into the folder `path`; it is valid once its manifest is there."""
        path.mkdir(parents=True, exist_ok=True)
        save_file(self._weights(), path / "weights.safetensors")
        save_file(self.best_weights, path / "best.safetensors")
        torch.save({"optimizer": self.optimizer.state_dict()}, path / "state.pt")
        if self.samples is not None:
            grid = image_grid(self.samples.numpy(), self.dataset.num_levels)
            (path / "samples.png").write_bytes(grid)
        history = [measurement.as_dict() for measurement in self.history]
        (path / "history.json").write_text(json.dumps(history))
        (path / "config.json").write_text(self.config.model_dump_json(indent=1))
        return commit(path, self.epoch, self.config)

    @classmethod
    def load(
        cls,
        path: Path,
        dataset: ImageDataset,
        cache: Path | None = None,
        device: torch.device | None = None,
    ) -> "Trainer":
        """The trainer that `save` wrote; it goes on as if it had never stopped."""
        config = TrialConfig.model_validate_json((path / "config.json").read_text())
        trainer = cls(config, dataset, cache, device)
        trainer.model.load_state_dict(load_file(path / "weights.safetensors"))
        trainer.best_weights = load_file(path / "best.safetensors", device=str(trainer.device))
        state = torch.load(path / "state.pt", map_location=trainer.device, weights_only=True)
        trainer.optimizer.load_state_dict(state["optimizer"])
        trainer.history = read_history(path)
        trainer.best_epoch = _best_epoch(trainer.history)
        return trainer

    def _train(self, epoch: int) -> tuple[float, float]:
        config = self.config.optimizer
        self.model.train()
        order = torch.randperm(len(self.train_images), device=self.device)
        batches = order.split(config.batch_size)
        totals = torch.zeros(2, dtype=torch.float64, device=self.device)
        for step, batch in enumerate(batches):
            x = dequantise(self.train_images[batch], self.dataset.num_levels)
            elbo = self.model.elbo(x)
            weight = self._kl_weight(epoch - 1 + step / len(batches))
            loss = (elbo.distortion + weight * elbo.rate).mean()
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if config.gradient_clip is not None:
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.gradient_clip)
            self.optimizer.step()
            totals += torch.stack([elbo.rate.detach().sum(), elbo.distortion.detach().sum()])
        rate, distortion = (totals / len(order)).tolist()
        return rate, distortion

    def _kl_weight(self, epochs: float) -> float:
        return kl_weight(self.config.kl_annealing, epochs / self.config.max_epochs)

    def _bits_per_dim(self, negative_elbo: float) -> float:
        bits = negative_elbo / (self.dataset.format.num_dimensions * math.log(2))
        return bits + bits_offset(self.dataset.num_levels)

    def _remember_if_best(self, measurement: Measurement) -> None:
        if _best_epoch(self.history) == measurement.epoch:
            self.best_epoch, self.best_weights = measurement.epoch, self._weights()

    def _weights(self) -> Weights:
        return {name: value.detach().clone() for name, value in self.model.state_dict().items()}


@dataclass(frozen=True, slots=True)
class HeldOutScore:
    """A trained trial against the test split; see `study.record.TestResult`."""

    test_fid: float
    untrained_fid: float
    protocol: dict[str, Any]


def held_out_score(path: Path, dataset: ImageDataset, cache: Path | None = None) -> HeldOutScore:
    """The one look at the test split: best weights of a checkpoint, and the same model untrained.

    Args:
        path: the folder of a finished trial's checkpoint.
        dataset: the images.
        cache: as in `Trainer`.
    """
    trainer = Trainer.load(path, dataset, cache)
    untrained = Trainer(trainer.config, dataset, cache)
    return HeldOutScore(
        test_fid=trainer.evaluate_fid("test"),
        untrained_fid=untrained.evaluate_fid("test"),
        protocol=trainer.evaluator.protocol("test").as_dict(),
    )


def evaluator_for(config: TrialConfig, dataset: ImageDataset, cache: Path | None) -> FIDEvaluator:
    """The FID of a config's protocol on its data; trains the classifier if nobody has yet."""
    return build_fid_evaluator(
        config.fid,
        train=dataset.train,
        train_labels=dataset.train_labels,
        references={"validation": dataset.validation, "test": dataset.test},
        format=dataset.format,
        fingerprint=dataset.fingerprint,
        cache=cache,
    )


def _best_epoch(history: list[Measurement]) -> int:
    return max(history, key=lambda measurement: measurement.elbo).epoch if history else 0
