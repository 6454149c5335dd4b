"""One trial's life: epochs, validation, the weights worth keeping, checkpoints.

Every epoch draws from a stream of its own, seeded by (seed, epoch): an epoch comes out the same
whether or not the trial was interrupted before it. Only within an epoch is a random state saved.
"""

import io
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Int64, UInt8
from safetensors.torch import load_file, save
from torch import Tensor

from trainables.checkpoint import Checkpoint, commit, read_history
from trainables.config import TrialConfig
from trainables.data.dataset import ImageDataset, as_tensor
from trainables.fid import FIDEvaluator
from trainables.kl_annealing import kl_weight
from trainables.level import x_from_levels
from trainables.likelihood import bits_per_dim
from trainables.measurement import DivergenceError, Measurement
from trainables.seed import derive_seed
from trainables.training.evaluator import evaluator_for
from trainables.training.flip import randomly_flipped
from trainables.training.gallery import model_pictures, sample_pictures
from trainables.training.image_pass import ImagePass
from trainables.training.loss import build_gate, training_loss
from trainables.training.meter import Meter
from trainables.training.optimization import Optimization
from trainables.training.sampling import (
    SHARED_SAMPLES,
    Noise,
    random_stream,
    sample_images,
    score_noise,
)
from trainables.training.validation import Validation, validate
from trainables.vae import VAE, Elbo, build_vae

Weights = dict[str, Tensor]
NUM_MEASURED = 500  # images whose latents the errors of averaged weights are measured with


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
        best_epoch: the epoch with the lowest validation loss so far; 0 before the first.
        image_pass: the epoch under way; None between two epochs.
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
            device: where to train; by default the best device there is.
        """
        self.config, self.dataset, self.cache = config, dataset, cache
        self.device = device or best_device()
        with random_stream(config.seed, "weights"):
            self.model = build_vae(config).to(self.device)
        self.optimization = Optimization(config, self.model)
        self.train_images = as_tensor(dataset.train).to(self.device)
        self.validation_images = as_tensor(dataset.validation).to(self.device)
        self.history: list[Measurement] = []
        self.best_epoch, self.best_weights = 0, self._weights()
        self.pictures: dict[str, bytes] = {}
        self.image_pass: ImagePass | None = None
        self._evaluator: FIDEvaluator | None = None

    @property
    def epoch(self) -> int:
        """Number of epochs finished."""
        return len(self.history)

    @property
    def is_finished(self) -> bool:
        """Whether the last epoch is done."""
        return self.epoch >= self.config.max_epochs

    def fit_epoch(self, between_batches: Callable[[], None] = lambda: None) -> Measurement:
        """Trains one epoch and validates it; at a rung and at the end it has a FID.

        Args:
            between_batches: called after each batch but the last; `save` may be called there.

        Raises:
            DivergenceError: something that was measured is not finite.
        """
        meter = Meter(self.device)
        epoch = self.epoch + 1
        is_evaluated = epoch in self.config.evaluated_epochs
        with random_stream(self.config.seed, "epoch", epoch):
            train_rate, train_distortion = self._train(epoch, between_batches)
        if self.optimization.average is not None and self.config.revision > 1:
            self._measure_errors_of_average()
        validation = self.validate(with_collapse=is_evaluated)
        measurement = self._measurement(epoch, train_rate, train_distortion, validation)
        self.optimization.end_epoch(
            train_loss=train_rate + train_distortion, validation_loss=measurement.loss
        )
        self.history.append(measurement)
        self._remember_if_best(measurement)
        if is_evaluated:
            val_fid = self.evaluate_fid("validation")
            measurement = replace(measurement, val_fid=val_fid, best_epoch=self.best_epoch)
            self._draw_pictures()
        used = meter.read()
        self.history[-1] = replace(
            measurement, seconds=used.seconds, cpu_percent=used.cpu_percent,
            memory_megabytes=used.memory_megabytes,
        )  # fmt: skip
        return self.history[-1]

    def validate(self, *, with_collapse: bool = True) -> Validation:
        """The bound on the validation part, with the weights that are evaluated now."""
        return validate(
            self._evaluated, self.validation_images, self.config, with_collapse=with_collapse
        )

    def evaluate_fid(self, reference: str = "validation") -> float:
        """Fréchet distance between samples of the best weights and a split; lower is better.

        Args:
            reference: `validation`, which selects, so that every trial has the same noise; or
                `test` for the one look at the end, with the trial's own noise.
        """
        is_score = reference == "test"
        noise = score_noise(self.config, *SHARED_SAMPLES) if is_score else SHARED_SAMPLES
        samples = self.sample(self.config.fid.num_samples, noise)
        if not is_score:
            self.pictures |= sample_pictures(samples, self.epoch, self.dataset.num_levels)
        distance = self.evaluator.distance(samples, reference)
        if not math.isfinite(distance):
            raise DivergenceError(f"the FID against {reference} is {distance}")
        return distance

    def sample(
        self, num_samples: int, noise: Noise = SHARED_SAMPLES
    ) -> UInt8[Tensor, "num channels height width"]:
        """Images from the best weights, on the CPU; by default with the noise of every trial."""
        with self.best_model() as model:
            return sample_images(model, num_samples, self.dataset.num_levels, noise)

    @contextmanager
    def best_model(self) -> Iterator[VAE]:
        """Inside, the model with the best weights."""
        model, current = self._evaluated, self._weights()
        model.load_state_dict(self.best_weights)
        try:
            yield model
        finally:
            model.load_state_dict(current)

    @property
    def evaluator(self) -> FIDEvaluator:
        """The FID of this trial's protocol."""
        if self._evaluator is None:
            self._evaluator = evaluator_for(self.config, self.dataset, self.cache)
        return self._evaluator

    def save(self, path: Path) -> Checkpoint:
        """Writes a checkpoint into the folder `path`; it is valid once its manifest is there.

        Raises:
            OSError: there is no room for it, or no way to write it.
        """
        # As bytes first, since torch and safetensors tell a full disk in words of their own.
        path.mkdir(parents=True, exist_ok=True)
        (path / "weights.safetensors").write_bytes(save(_copied(self.model)))
        (path / "best.safetensors").write_bytes(save(self.best_weights))
        within = self.image_pass.state() if self.image_pass is not None else None
        state = {**self.optimization.state(), "pass": within}
        content = io.BytesIO()
        torch.save(state, content)
        (path / "state.pt").write_bytes(content.getbuffer())
        for name, picture in self.pictures.items():
            (path / name).write_bytes(picture)
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
        config = TrialConfig.from_stored(json.loads((path / "config.json").read_text()))
        trainer = cls(config, dataset, cache, device)
        trainer.model.load_state_dict(load_file(path / "weights.safetensors"))
        trainer.best_weights = load_file(path / "best.safetensors", device=str(trainer.device))
        state = torch.load(path / "state.pt", map_location=trainer.device, weights_only=True)
        trainer.optimization.restore(state)
        if state.get("pass") is not None:
            trainer.image_pass = ImagePass.from_state(state["pass"], trainer.device)
        trainer.history = read_history(path)
        trainer.best_epoch = _best_epoch(trainer.history)
        trainer.pictures = {picture.name: picture.read_bytes() for picture in path.glob("*.png")}
        return trainer

    def _draw_pictures(self) -> None:
        with self.best_model() as model:
            self.pictures |= model_pictures(model, self.validation_images, self.config.data)

    def _train(self, epoch: int, between_batches: Callable[[], None]) -> tuple[float, float]:
        self.model.train()
        now = self.image_pass
        if now is None:
            now = self.image_pass = ImagePass.begin(len(self.train_images), self.device)
        else:
            now.take_up()
        batches = now.order.split(self.config.optimizer.batch_size)
        for step in range(now.step, len(batches)):
            elbo = self._train_batch(batches[step], epoch - 1 + step / len(batches))
            now.totals += torch.stack([elbo.rate.detach().sum(), elbo.distortion.detach().sum()])
            now.step = step + 1
            if now.step < len(batches):
                between_batches()
        self.image_pass = None
        rate, distortion = (now.totals / len(now.order)).tolist()
        return rate, distortion

    def _train_batch(self, batch: Int64[Tensor, " batch"], epochs: float) -> Elbo:
        config, images = self.config, self.train_images[batch]
        if config.data.flip:
            images = randomly_flipped(images)
        gate = build_gate(config)
        elbo = self.model.elbo(x_from_levels(images, config.data), gate)
        self.optimization.step(training_loss(elbo, config, self._kl_weight(epochs), gate))
        return elbo

    @torch.no_grad()
    def _measure_errors_of_average(self) -> None:
        """Averaged weights were never trained: what their prior knows of itself is the others'."""
        images = self.train_images[:NUM_MEASURED]
        generator = torch.Generator(self.device).manual_seed(
            derive_seed(self.config.seed, "errors of the average", self.epoch)
        )
        model = self._evaluated.eval()
        q = model.posterior(x_from_levels(images, self.config.data, generator))
        noise = torch.randn(q.mean.shape, generator=generator, device=self.device)
        model.prior.measure_errors(q.mean + q.stddev * noise, generator)

    def _measurement(
        self, epoch: int, train_rate: float, train_distortion: float, validation: Validation
    ) -> Measurement:
        loss, config = validation.rate + validation.distortion, self.config
        bits = bits_per_dim(config.likelihood, config.data, loss)
        return Measurement(
            epoch=epoch,
            rate=validation.rate,
            distortion=validation.distortion,
            elbo=-loss if config.has_bound else None,
            bits_per_dim=bits if config.has_bound else None,
            standard_error=validation.standard_error,
            rate_noise=validation.rate_noise,
            rate_parts=validation.rate_parts,
            train_rate=train_rate,
            train_distortion=train_distortion,
            kl_weight=self._kl_weight(float(epoch)),
            learning_rate=self.optimization.learning_rate,
            seconds=0.0,
            collapse=validation.collapse,
        )

    @property
    def _evaluated(self) -> VAE:
        model = self.optimization.evaluated_model
        assert isinstance(model, VAE)
        return model

    def _kl_weight(self, epochs: float) -> float:
        return kl_weight(self.config.kl_annealing, epochs / self.config.max_epochs)

    def _remember_if_best(self, measurement: Measurement) -> None:
        if _best_epoch(self.history) == measurement.epoch:
            self.best_epoch, self.best_weights = measurement.epoch, self._weights()

    def _weights(self) -> Weights:
        """The weights that are evaluated now."""
        return _copied(self._evaluated)


def _best_epoch(history: list[Measurement]) -> int:
    return min(history, key=lambda measurement: measurement.loss).epoch if history else 0


def _copied(model: VAE) -> Weights:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
