"""A study may grow; what its trials were judged by stays."""

import pytest

from search_spaces import StudySpec, check_extension, load_space
from trainables.error import InputError

FIRST = "strata.prior=gaussian,flow"
RATE = "domains.all.optimizer.learning_rate"
GROWTH = [
    "description=more", "resources.cpus=2", "search.sampler.kind=random",
    "budget.trials_per_stratum=12", "confirm.num_seeds=5", "strata.latent_size=8,16,32",
    "strata.latent_size=32,16,8", "search.num_repeats=3", "strata.prior=gaussian,flow,diffusion",
    "strata.dataset=digits,mine", "priors.diffusion.num_layers=2",
    f"{RATE}.low=1e-4", f"{RATE}.high=1e-2",
    "domains.diffusion={prior.num_layers: {kind: int_uniform, low: 2, high: 9}}",
    "domains.flow.prior.num_layers={kind: int_uniform, low: 1, high: 3}",
]  # fmt: skip
# override -> the field that the refusal names
REFUSED = {
    "seed=1": "seed",
    "objective=published": "objective",
    "departures.gaussian_kl=true": "departures.gaussian_kl",
    "data.num_images=500": "data.num_images",
    "likelihood.scale_floor=0.02": "likelihood.scale_floor",
    "network.num_channels=8": "network.num_channels",
    "optimizer.batch_size=32": "optimizer.batch_size",
    "fid.num_samples=1000": "fid.num_samples",
    "priors.flow.num_layers=3": "priors.flow.num_layers",
    "budget.max_epochs=40": "budget.max_epochs",
    "budget.first_rung=3": "budget.first_rung",
    "budget.reduction_factor=3": "budget.reduction_factor",
    "budget.min_peers=3": "budget.min_peers",
    "budget.trials_per_stratum=5": "budget.trials_per_stratum=6, not 5; it may only grow",
    "confirm.num_seeds=2": "confirm.num_seeds",
    "confirm.num_configs=2": "confirm.num_configs",
    "confirm.by=fid,elbo": "confirm.by=['fid'], not ['fid', 'elbo']",
    "confirm.max_epochs=50": "confirm.max_epochs",
    "search.pruner.kind=median": "search.pruner.kind",
    "strata.latent_size=8": "strata.latent_size",
    "strata.prior=gaussian": "strata.prior",
    f"{RATE}.low=1e-3": RATE,
    f"{RATE}.kind=uniform": RATE,
    "domains.all={}": "domains.all.kl_annealing.kind",
    "domains.all.kl_annealing.kind.values=none,linear": "choices stay as they are",
    "domains.flow.prior.hidden_size.values=32,64,128,256": "choices stay as they are",
}


@pytest.fixture(scope="module")
def before() -> StudySpec:
    return load_space("digits", [FIRST])


def test_nothing_changed_is_an_extension(before: StudySpec) -> None:
    check_extension(before, load_space("digits", [FIRST]))


@pytest.mark.parametrize("override", GROWTH)
def test_a_study_may_grow(before: StudySpec, override: str) -> None:
    check_extension(before, load_space("digits", [FIRST, override]))


@pytest.mark.parametrize("override", REFUSED)
def test_what_trials_were_judged_by_stays(before: StudySpec, override: str) -> None:
    with pytest.raises(InputError) as caught:
        check_extension(before, load_space("digits", [FIRST, override]))
    assert REFUSED[override] in str(caught.value)
    assert "--name" in str(caught.value)
