"""What noise the bound on held-out images is evaluated with."""

import pytest
import torch

from trainables.config import TrialConfig
from trainables.level import x_from_levels
from trainables.seed import derive_seed
from trainables.training.validation import Validation, validate
from trainables.vae import VAE, build_vae

PRIORS = {
    "gaussian": {"kind": "gaussian"},
    "flow": {"kind": "flow", "hidden_size": 16, "num_layers": 1},
    "diffusion": {"kind": "diffusion", "hidden_size": 16, "beta_schedule": {"num_steps": 25}},
}


def config(prior: str, **fields: object) -> TrialConfig:
    values = {
        "data": {"dataset": "digits"}, "latent_size": 3, "prior": PRIORS[prior],
        "network": {"num_channels": 4}, "max_epochs": 1,
    }  # fmt: skip
    return TrialConfig.model_validate(values | fields)


def levels(num_images: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(17, (num_images, 1, 8, 8), generator=generator).to(torch.uint8)


def model_of(trial: TrialConfig) -> VAE:
    """Encoder and decoder are the same for every prior, as they are drawn first."""
    torch.manual_seed(0)
    return build_vae(trial)


def validation(prior: str, num_images: int, **fields: object) -> Validation:
    trial = config(prior, **fields)
    return validate(model_of(trial), levels(num_images), trial, with_collapse=False)


@pytest.mark.parametrize("num_images", [400, 700, 1200])
def test_images_and_latents_have_the_same_noise_whatever_the_prior_draws(num_images: int) -> None:
    distortions = {validation(prior, num_images).distortion for prior in PRIORS}
    assert len(distortions) == 1


def test_each_batch_and_purpose_has_a_noise_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []

    def noted(*parts: object) -> int:
        opened.append(derive_seed(*parts))
        return opened[-1]

    monkeypatch.setattr("trainables.training.validation.derive_seed", noted)
    validation("diffusion", 1200)
    assert len(opened) == len(set(opened)) == 9


def test_every_trial_is_validated_with_the_same_noise() -> None:
    assert validation("diffusion", 700, seed=0) == validation("diffusion", 700, seed=1)


def test_a_second_batch_does_not_repeat_the_noise_of_the_first() -> None:
    trial = config("gaussian")
    model, images = model_of(trial), levels(500).repeat(2, 1, 1, 1)
    once, twice = (validate(model, images[:n], trial, with_collapse=False) for n in (500, 1000))
    assert once.distortion != twice.distortion


def test_under_the_first_revision_one_generator_runs_through_all_batches() -> None:
    trial = config("diffusion", revision=1)
    model, images = model_of(trial).eval(), levels(700)
    generator = torch.Generator().manual_seed(derive_seed("validation"))
    parts = [
        model.evaluate(x_from_levels(batch, trial.data, generator), generator)
        for batch in images.split(500)
    ]
    found = validate(model, images, trial, with_collapse=False)
    assert found.rate == torch.cat([p.rate.total for p in parts]).double().mean().item()
    assert found.distortion == torch.cat([p.distortion for p in parts]).double().mean().item()
