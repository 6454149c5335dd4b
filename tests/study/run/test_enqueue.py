"""A config that somebody wants is tried first, or refused in one sentence."""

from pathlib import Path
from typing import Any

import pytest

from search_spaces import Stratum, dump_yaml
from study.ledger import Ledger
from study.run.enqueue import Wish, load_wish
from tests.study.walk import Walk, by_stratum, key_of, phase, small
from trainables.error import InputError

FLOW = Stratum("digits", "flow", 8)
RATE = "optimizer.learning_rate"


def written(folder: Path, **values: Any) -> Path:
    path = folder / "wish.yaml"
    path.write_text(dump_yaml({"stratum": str(FLOW), **values}))
    return path


def exported(folder: Path, **fields: Any) -> Path:
    config = small(*(f"{name}={value}" for name, value in fields.items())).trial_config(
        FLOW, {RATE: 1e-3, "kl_annealing.kind": "linear", "prior.num_layers": 1}, seed=7
    )
    path = folder / "flow.yaml"
    values = {"study": "other", "stratum": str(FLOW), "config": config.model_dump(mode="json"),
              "seeds": [7], "test_fid": [1.0], "mean": 1.0, "protocol": {},
              "environment": {}}  # fmt: skip
    path.write_text(dump_yaml(values))
    return path


def test_plain_fields_are_told_from_those_that_vary(tmp_path: Path) -> None:
    path = written(tmp_path, optimizer={"learning_rate": 1e-3}, **{"prior.num_layers": 1})
    assert load_wish(path, small()) == Wish(FLOW, {RATE: 1e-3}, {"prior.num_layers": 1})


def test_an_export_brings_what_differs_and_what_varies(tmp_path: Path) -> None:
    wish = load_wish(exported(tmp_path), small())
    assert wish.overrides == {"prior.num_layers": 1}
    assert wish.params == {RATE: 1e-3, "kl_annealing.kind": "linear", "prior.hidden_size": 64}


def test_a_repeat_of_a_search_has_wishes_of_its_own(tmp_path: Path) -> None:
    again = Stratum("digits", "flow", 8, repeat=1)
    path = written(tmp_path, stratum=str(again), **{RATE: 1e-3})
    assert load_wish(path, small("search.num_repeats=2")) == Wish(again, {RATE: 1e-3}, {})
    with pytest.raises(InputError, match="no stratum 'digits/flow/8/repeat-1'"):
        load_wish(path, small())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"stratum": "digits/flow/9"}, ["no stratum 'digits/flow/9'", "digits/flow/8"]),
        ({"fid.num_samples": 9}, ["fid.num_samples", "not a trial's to choose"]),
        ({"optimizer.learning_rat": 1}, ["learning_rat", "did you mean learning_rate?"]),
        ({"optimizer.batch_size": 0}, ["optimizer.batch_size", "got 0"]),
        ({RATE: 1.0}, [RATE, "between", "1.0"]),
        ({"prior.hidden_size": 65}, ["prior.hidden_size", "one of [32, 64, 128]"]),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, values: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        load_wish(written(tmp_path, **values), small())
    assert all(word in str(caught.value) for word in words), caught.value


def test_an_export_of_another_protocol_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a trial's to choose"):
        load_wish(exported(tmp_path, **{"fid.num_samples": 1000}), small())


def test_it_is_tried_first_once_and_within_the_budget(tmp_path: Path) -> None:
    url = f"journal:{tmp_path / 'ledger'}"
    spec = small()
    for _ in range(2):  # the same command, run again
        Ledger(spec, url).enqueue(FLOW, {RATE: 1e-3}, {"prior.num_layers": 1})
    facts = Walk(spec, url).run()
    search = phase(facts, "search")
    assert by_stratum(search) == dict.fromkeys(spec.cells(), 6)
    wished = [trial for trial in search if "enqueued" in trial.attributes]
    assert [key_of(trial) for trial in wished] == ["search/digits/flow/8/0"]
    assert wished[0].config["prior"]["num_layers"] == 1
    assert wished[0].config["optimizer"]["learning_rate"] == 1e-3


def test_it_is_refused_where_the_budget_is_spent() -> None:
    walk = Walk(small(), "memory:")
    walk.run()
    with pytest.raises(InputError, match=r"raise budget\.trials_per_stratum"):
        walk.ledger.enqueue(FLOW, {RATE: 1e-3}, {})
