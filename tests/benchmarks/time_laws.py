"""What each law of t makes of a diffusion prior on digits; prints a table.

For each prediction, schedule and law, over seeds: the validation ELBO of the best weights, summed
over every t with ten noises each (nats per image, higher is better), the FID of the end (lower is
better), and the noise of the evaluated rate. Equal configs otherwise: latent 8, T = 50, 30 epochs.

Run: NUM_SEEDS=5 pytest -s tests/benchmarks/time_laws.py --timeout=0
"""

import os
import statistics
from itertools import product
from pathlib import Path

import torch

from trainables.config import DataConfig, TrialConfig
from trainables.data.dataset import ImageDataset, load_dataset
from trainables.level import x_from_levels
from trainables.priors.diffusion import DiffusionPrior
from trainables.training.trainer import Trainer
from trainables.vae import VAE

SEEDS = range(int(os.environ.get("NUM_SEEDS", "5")))
PREDICTIONS = os.environ.get("PREDICTIONS", "v,epsilon,x0").split(",")
LAWS = os.environ.get("LAWS", "matched,uniform").split(",")
NUM_NOISES = 10


def test_time_laws(tmp_path: Path) -> None:
    """A line for each prediction, law and schedule: mean ± deviation over seeds."""
    torch.set_num_threads(1)
    dataset = load_dataset(DataConfig.model_validate({"dataset": "digits"}))
    for prediction, law, schedule in product(PREDICTIONS, LAWS, ("linear", "cosine")):
        found = [
            _measured(_config(prediction, law, schedule, seed), dataset, tmp_path)
            for seed in SEEDS
        ]
        texts = (f"{name} {_told(values)}" for name, values in zip(
            ("ELBO", "FID", "rate noise"), zip(*found, strict=True), strict=True))  # fmt: skip
        print(f"{prediction:8} {law:12} {schedule:7}", *texts, sep="   ", flush=True)


def _config(prediction: str, law: str, schedule: str, seed: int) -> TrialConfig:
    return TrialConfig.model_validate(
        {
            "data": {"dataset": "digits"}, "latent_size": 8, "network": {"num_channels": 16},
            "optimizer": {"batch_size": 64, "gradient_clip": 100, "learning_rate": 2e-3},
            "fid": {"num_samples": 2000, "classifier_epochs": 30}, "max_epochs": 30, "seed": seed,
            "prior": {
                "kind": "diffusion", "hidden_size": 128, "num_layers": 3, "times": law,
                "prediction": prediction, "beta_schedule": {"kind": schedule, "num_steps": 50},
            },
        }
    )  # fmt: skip


def _measured(config: TrialConfig, dataset: ImageDataset, cache: Path) -> tuple[float, ...]:
    trainer = Trainer(config, dataset, cache)
    while not trainer.is_finished:
        last = trainer.fit_epoch()
    assert last.val_fid is not None
    with trainer.best_model() as model:
        elbo = _summed_elbo(model, trainer)
    return elbo, last.val_fid, trainer.history[trainer.best_epoch - 1].rate_noise


@torch.no_grad()
def _summed_elbo(model: VAE, trainer: Trainer) -> float:
    model.eval()
    prior = model.prior
    assert isinstance(prior, DiffusionPrior)
    generator = torch.Generator().manual_seed(0)
    x = x_from_levels(trainer.validation_images, trainer.config.data, generator)
    evaluation = model.evaluate(x, generator)
    z, variance = evaluation.z, prior.process.variance
    parts = evaluation.rate.parts
    rate = parts["entropy"] + parts["L_T"] + prior.latent_size * variance.fixed_price().sum()
    for t in range(1, len(prior.steps) + 1):
        times = torch.full((NUM_NOISES, len(z)), t)
        noise = torch.randn(NUM_NOISES, *z.shape, generator=generator)
        predicted = prior.process.predict(prior.process.noised(z, times, noise), times)
        error = (noise - predicted.noise).square()
        cost = variance.drawn_price(times, predicted.log_ratio)
        cost = cost + variance.weight(times, predicted.log_ratio) * error
        rate = rate + cost.sum(-1).mean(0)
    return -(rate + evaluation.distortion).double().mean().item()


def _told(values: tuple[float, ...]) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else float("nan")
    return f"{statistics.fmean(values):.2f} ± {deviation:.2f}"
