"""Every sampler with every pruner keeps the ledger's promises; a new one joins by a line."""

import itertools
from pathlib import Path

import pytest

from search_spaces import StudySpec, load_space
from study.ledger import Ledger
from tests.study.walk import KilledError, Walk, arm, by_stratum, phase, proposals, small
from trainables.error import InputError

SAMPLERS = {
    "tpe": ["search.sampler.kind=tpe", "search.sampler.num_startup=2"],
    "random": ["search.sampler.kind=random"],
    "gp": ["search.sampler.kind=gp", "search.sampler.num_startup=2"],
}
PRUNERS = ["asha", "hyperband", "median", "none"]
# Each trial is worse than all before it: a pruner that may stop one does.
WORSE = ("strata.prior=gaussian", "budget.control_share=0", "budget.min_peers=2",
         "budget.trials_per_stratum=12")  # fmt: skip

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


@pytest.fixture(params=list(SAMPLERS))
def sampler(request: pytest.FixtureRequest) -> list[str]:
    return SAMPLERS[request.param]


@pytest.fixture(params=PRUNERS)
def pruner(request: pytest.FixtureRequest) -> str:
    return f"search.pruner.kind={request.param}"


@pytest.fixture
def spec(sampler: list[str], pruner: str) -> StudySpec:
    return small("strata.prior=gaussian", "confirm.num_seeds=1", *sampler, pruner)


def test_sampler_and_pruner_are_tpe_and_asha_unless_said() -> None:
    search = load_space("digits").search
    assert (search.sampler.kind, search.pruner.kind) == ("tpe", "asha")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("search.sampler.kind=tpr", ["search.sampler.kind", "did you mean tpe?"]),
        ("search.pruner.kind=ahsa", ["search.pruner.kind", "did you mean asha?"]),
        ("search.sampler.num_startup=0", ["search.sampler", "kind is missing"]),
        ("search.prunner.kind=asha", ["search.prunner", "did you mean pruner?"]),
    ],
)
def test_a_wrong_name_is_told_with_the_right_one(override: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load_space("digits", [override])
    assert all(word in str(caught.value) for word in words), caught.value


def test_the_same_seed_gives_the_same_study_whenever_it_restarts(
    spec: StudySpec, tmp_path: Path
) -> None:
    straight = Walk(spec, f"journal:{tmp_path / 'straight'}")
    facts = straight.run()
    assert by_stratum(phase(facts, "search")) == dict.fromkeys(spec.cells(), 6)
    broken = Walk(spec, f"journal:{tmp_path / 'broken'}")
    broken.run_with_restarts()
    assert proposals(broken) == proposals(straight)
    assert broken.decisions == straight.decisions
    assert broken.ended == straight.ended


@pytest.mark.parametrize("manner", ["before", "after", "within"])
def test_a_kill_at_any_write_changes_nothing(pruner: str, manner: str, tmp_path: Path) -> None:
    """The decision above all: torn between the pruner's answer and our record of it."""
    spec = small("strata.prior=gaussian", "confirm.num_seeds=1", "budget.control_share=0",
                 "budget.min_peers=1", "search.sampler.kind=random", pruner)  # fmt: skip
    straight = Walk(spec, f"journal:{tmp_path / 'straight'}")
    straight.run()
    killed = Walk(spec, f"journal:{tmp_path / 'killed'}")
    countdowns = itertools.cycle(range(3, 30))
    while not killed.ledger.is_finished:
        arm(killed.ledger, next(countdowns), manner)
        try:
            killed.run()
        except KilledError:
            killed.restart()
    essence = [
        [(t.number, t.state, t.value, t.rungs, t.decisions) for t in walk.ledger.facts().trials]
        for walk in (straight, killed)
    ]
    assert essence[0] == essence[1]


def test_a_decision_that_was_not_acted_on_is_replayed(pruner: str, tmp_path: Path) -> None:
    spec = small(*WORSE, pruner)
    url = f"journal:{tmp_path / 'ledger'}"
    ledger = Ledger(spec, url)
    stopped = stop_one(ledger, spec)
    if stopped is None:
        assert pruner.endswith("none")
        return
    Ledger(spec, url).next("again")
    trial = ledger.facts().trials[stopped]
    assert trial.state == "PRUNED"
    assert trial.attributes["attempt"] == 1


def stop_one(ledger: Ledger, spec: StudySpec) -> int | None:
    """The first trial that is to stop, left as it is; all before it ran to their ends."""
    for number in range(spec.budget.trials_per_stratum):
        suggestion = ledger.next(str(number))
        assert suggestion is not None
        for epoch in suggestion.config.evaluated_epochs:
            if ledger.report(str(number), epoch, 100.0 + number):
                return suggestion.number
        ledger.close(str(number), "COMPLETE")
    return None


def test_nothing_is_stopped_before_enough_others_have_passed(pruner: str) -> None:
    spec = small(*WORSE, "budget.min_peers=5", pruner)
    stopped = stop_one(Ledger(spec, "memory:"), spec)
    assert stopped is None or stopped >= 5


def test_control_trials_are_never_stopped(pruner: str) -> None:
    spec = small(*WORSE, "budget.control_share=1.0", pruner)
    assert stop_one(Ledger(spec, "memory:"), spec) is None


def test_brackets_are_the_same_after_a_restart(tmp_path: Path) -> None:
    spec = small("search.pruner.kind=hyperband", "budget.trials_per_stratum=30")
    url = f"journal:{tmp_path / 'ledger'}"
    brackets = []
    for _ in range(2):
        walk = Walk(spec, url)
        walk.run()
        cell = walk.ledger._cells[0]
        brackets.append([cell.pruning._bracket(trial) for trial in cell.search.get_trials()])
    assert brackets[0] == brackets[1]
    assert len(set(brackets[0])) > 1


def test_a_bracket_is_compared_with_itself_alone() -> None:
    spec = small("search.pruner.kind=hyperband", "budget.trials_per_stratum=30",
                 "strata.prior=gaussian")  # fmt: skip
    walk = Walk(spec, "memory:")
    facts = walk.run()
    cell = walk.ledger._cells[0]
    for trial, known in zip(cell.search.get_trials(), facts.trials, strict=False):
        first = cell.pruning._bracket(trial)
        early = spec.budget.rungs[:first]
        assert not any(known.decisions.get(epoch, False) for epoch in early)
