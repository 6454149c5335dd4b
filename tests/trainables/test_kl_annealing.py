import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.config import KLAnnealingConfig
from trainables.kl_annealing import kl_weight

KINDS = ["none", "linear", "sigmoid", "cyclical"]
configs = st.builds(
    KLAnnealingConfig,
    kind=st.sampled_from(KINDS),
    warmup=st.floats(1e-3, 1),
    num_cycles=st.integers(1, 100),
)
shares = st.floats(0, 1)


@given(config=configs, progress=shares)
def test_the_weight_lies_between_0_and_1(config: KLAnnealingConfig, progress: float) -> None:
    assert 0 <= kl_weight(config, progress) <= 1


@given(config=configs)
def test_training_ends_with_the_whole_bound(config: KLAnnealingConfig) -> None:
    assert kl_weight(config, 1.0) == 1


@pytest.mark.parametrize("kind", ["linear", "sigmoid", "cyclical"])
def test_annealing_begins_without_the_rate(kind: str) -> None:
    assert kl_weight(KLAnnealingConfig(kind=kind), 0.0) == 0


@given(
    kind=st.sampled_from(["none", "linear", "sigmoid"]),
    warmup=st.floats(1e-3, 1),
    progress=st.tuples(shares, shares),
)
def test_the_weight_never_falls(kind: str, warmup: float, progress: tuple[float, float]) -> None:
    config = KLAnnealingConfig(kind=kind, warmup=warmup)
    earlier, later = sorted(progress)
    assert kl_weight(config, earlier) <= kl_weight(config, later)


@pytest.mark.parametrize("kind", ["linear", "sigmoid"])
@given(warmup=st.floats(1e-3, 1), share=shares)
def test_the_weight_is_1_from_the_end_of_the_warmup_on(
    kind: str, warmup: float, share: float
) -> None:
    config = KLAnnealingConfig(kind=kind, warmup=warmup)
    assert kl_weight(config, warmup + share * (1 - warmup)) == 1


@pytest.mark.parametrize("kind", ["linear", "sigmoid"])
@given(share=shares)
def test_the_way_up_is_symmetric(kind: str, share: float) -> None:
    config = KLAnnealingConfig(kind=kind, warmup=1)
    total = kl_weight(config, share) + kl_weight(config, 1 - share)
    assert total == pytest.approx(1)


def test_the_sigmoid_is_slow_at_both_ends_and_fast_between() -> None:
    config = KLAnnealingConfig(kind="sigmoid", warmup=1)
    start, middle = kl_weight(config, 0.1), kl_weight(config, 0.55) - kl_weight(config, 0.45)
    assert start < 0.1 < middle


@pytest.mark.parametrize("num_cycles", [1, 3, 7])
@given(share=st.floats(0.01, 0.99))
def test_every_cycle_is_like_the_first(num_cycles: int, share: float) -> None:
    config = KLAnnealingConfig(kind="cyclical", warmup=0.5, num_cycles=num_cycles)
    weights = [kl_weight(config, (i + share) / num_cycles) for i in range(num_cycles)]
    assert weights == pytest.approx([min(1, share / 0.5)] * num_cycles)


@given(config=configs, progress=shares, end=st.floats(0, 10))
def test_another_end_scales_the_whole_way(
    config: KLAnnealingConfig, progress: float, end: float
) -> None:
    beta_vae = config.model_copy(update={"final_weight": end})
    assert kl_weight(beta_vae, progress) == end * kl_weight(config, progress)
    assert kl_weight(beta_vae, 1.0) == end
