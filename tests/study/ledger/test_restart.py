"""A ledger that is opened again goes on where it was."""

from collections import Counter
from pathlib import Path

from study.ledger import Ledger
from tests.study.walk import Walk, proposals, small


def test_what_was_left_running_is_issued_first_with_its_attempt_raised(lasting_url: str) -> None:
    walk = Walk(small(), lasting_url)
    for _ in range(3):
        walk.issue()
    before = {s.key: s for s in walk.issued}
    walk.restart()
    for _ in range(3):
        walk.issue()
    again = {s.key: s for s in walk.issued[3:]}
    assert again == {k: s.model_copy(update={"attempt": 2}) for k, s in before.items()}


def test_what_has_ended_is_never_issued_again(journal: str) -> None:
    walk = Walk(small(), journal)
    while (ray_trial_id := walk.issue()) is not None:
        suggestion = walk.issued[-1]
        while ray_trial_id in walk.under_way:
            walk.advance(ray_trial_id)
        walk.restart()
        assert suggestion.phase == "test" or walk.ended[suggestion.key]
    keys = Counter((s.phase == "test", s.key) for s in walk.issued)
    assert set(keys.values()) == {1}


def test_a_decision_that_was_not_acted_on_is_replayed(lasting_url: str) -> None:
    spec = small("strata.prior=gaussian", "budget.control_share=0")
    ledger = Ledger(spec, lasting_url)
    for number in range(5):
        suggestion = ledger.next(str(number))
        if ledger.report(str(number), 1, 100.0 + number):
            break
    assert suggestion is not None
    restarted = Ledger(spec, lasting_url)
    issued = [restarted.next(f"again-{n}") for n in range(suggestion.number + 1)]
    assert suggestion.number not in {s.number for s in issued[:-1] if s}
    trial = restarted.facts().trials[suggestion.number]
    assert (trial.state, trial.decisions) == ("PRUNED", {1: True})
    assert trial.attributes["attempt"] == 1


def test_a_replayed_decision_says_why(journal: str) -> None:
    spec = small("strata.prior=gaussian", "budget.control_share=0", "budget.min_peers=1")
    ledger = Ledger(spec, journal)
    for number in range(2):
        ledger.next(str(number))
        ledger.report(str(number), 1, 100.0 + number)
    restarted = Ledger(spec, journal)
    for number in range(2):
        restarted.next(f"again-{number}")
    pruned = [trial for trial in restarted.facts().trials if trial.state == "PRUNED"]
    assert [trial.reason for trial in pruned] == ["pruned at epoch 1"]


def test_the_same_seed_proposes_the_same_configs(tmp_path: Path) -> None:
    walks = [Walk(small(), f"journal:{tmp_path / name}") for name in ("one", "two")]
    one, two = (walk.run() for walk in walks)
    assert proposals(walks[0]) == proposals(walks[1])
    assert one == two


def test_another_seed_proposes_other_configs(tmp_path: Path) -> None:
    one = Walk(small("seed=1"), f"journal:{tmp_path / 'one'}")
    two = Walk(small("seed=2"), f"journal:{tmp_path / 'two'}")
    one.run()
    two.run()
    assert proposals(one) != proposals(two)


def test_a_ledger_that_restarts_after_every_step_proposes_the_same_configs(tmp_path: Path) -> None:
    straight = Walk(small(), f"journal:{tmp_path / 'straight'}")
    straight.run()
    broken = Walk(small(), f"journal:{tmp_path / 'broken'}")
    broken.run_with_restarts()
    assert proposals(broken) == proposals(straight)
    assert broken.decisions == straight.decisions
    assert broken.ended == straight.ended


def test_priors_do_not_share_their_random_streams(journal: str) -> None:
    walk = Walk(small(), journal)
    walk.run()
    first = {s.stratum: s.config.optimizer for s in walk.issued if s.key.endswith("/0")}
    assert len({optimizer.learning_rate for optimizer in first.values()}) == len(first)
