"""At equal config the flow pays less than the Gaussian: beyond the noise of seeds."""

import statistics

import pytest

from search_spaces import Stratum, load_space
from trainables.data.dataset import load_dataset
from trainables.training.trainer import Trainer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SEEDS = (0, 1, 2)


def best_elbos(prior: str) -> list[float]:
    spec = load_space("digits")
    stratum = Stratum("digits", prior, 16)
    overrides = {"optimizer.learning_rate": 2e-3}
    elbos = []
    for seed in SEEDS:
        config = spec.trial_config(stratum, overrides, seed=seed)
        trainer = Trainer(config.model_copy(update={"rungs": ()}), load_dataset(config.data))
        elbos.append(max(trainer.fit_epoch().elbo for _ in range(config.max_epochs - 1)))
    return elbos


def test_the_elbo_of_the_flow_is_above_that_of_the_gaussian_beyond_the_noise_of_seeds() -> None:
    flow, gaussian = best_elbos("flow"), best_elbos("gaussian")
    difference = statistics.fmean(flow) - statistics.fmean(gaussian)
    error = ((statistics.variance(flow) + statistics.variance(gaussian)) / len(SEEDS)) ** 0.5
    assert difference > 3 * error, (flow, gaussian)
