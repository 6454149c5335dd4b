"""Obtained against promised: what counts as reproduced."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from search_spaces import Stratum, dump_yaml, load_space
from study.record import TEST_PARTS
from study.reproduce.reproduction import find_rows, reproduce
from study.reproduce.rerun import Rerun, run_again
from study.reproduce.verdict import Obtained, Promise, judge
from study.storage.environment import Environment, current_environment
from trainables.data.dataset import load_dataset
from trainables.error import InputError
from trainables.training.trainer import Trainer

HERE = current_environment(1)
PROTOCOL = {"features": "classifier", "weights_sha256": "aa"}
FIDS = {1: 20.0, 2: 24.0, 3: 22.0}
PROMISE = Promise({s: {"test_fid": f, "val_fid": f + 1} for s, f in FIDS.items()}, PROTOCOL, HERE)


def obtained(shift: float = 0.0, environment: Environment = HERE) -> list[Obtained]:
    return [
        Obtained(s, {"test_fid": f + shift, "val_fid": f + 1}, PROTOCOL, environment)
        for s, f in FIDS.items()
    ]


def fresh(shift: float, environment: Environment = HERE) -> list[Obtained]:
    return [replace(one, seed=one.seed + 10) for one in obtained(shift, environment)]


OTHER_CPU = replace(HERE, cpu_model="another")
OTHER_COMMIT = replace(HERE, commit="another")


@pytest.mark.parametrize(
    ("results", "verdict", "told"),
    [
        (obtained(), "equal", "last digit"),
        (obtained(environment=OTHER_CPU), "equal", "last digit"),
        (obtained(1e-12), "not reproduced", "seed 1 differs in test_fid: promised 20.0"),
        (obtained(1e-12, OTHER_COMMIT), "not reproduced", "and so does commit"),
        (obtained(1e-12, OTHER_CPU), "within", "cpu_model"),
        (obtained(30.0, OTHER_CPU), "not reproduced", "cpu_model"),
        (fresh(2.0), "within", "prediction interval"),
        (fresh(30.0), "not reproduced", "outside"),
    ],
)
def test_equal_seeds_promise_digits_and_others_an_interval(
    results: list[Obtained], verdict: str, told: str
) -> None:
    judgement = judge(PROMISE, results)
    assert judgement.verdict == verdict
    assert told in judgement.reason


def test_every_promised_number_counts_not_the_test_fid_alone() -> None:
    results = obtained()
    numbers = {**results[1].numbers, "val_fid": 0.0}
    judgement = judge(PROMISE, [results[0], replace(results[1], numbers=numbers), results[2]])
    assert judgement.verdict == "not reproduced"
    assert "seed 2 differs in val_fid" in judgement.reason


def test_a_fid_of_another_protocol_is_no_reproduction() -> None:
    results = [replace(one, protocol={**PROTOCOL, "weights_sha256": "bb"}) for one in obtained()]
    judgement = judge(PROMISE, results)
    assert judgement.verdict == "not reproduced"
    assert "weights_sha256: promised 'aa', obtained 'bb'" in judgement.reason


def test_one_promised_seed_has_no_interval() -> None:
    alone = Promise({1: PROMISE.numbers[1]}, PROTOCOL, HERE)
    judgement = judge(alone, obtained(1e-9, OTHER_CPU)[:1])
    assert judgement.verdict == "not reproduced"
    assert "no interval" in judgement.reason


@pytest.fixture
def rerun(tmp_path: Path) -> Rerun:
    spec = load_space("digits", ["fid.num_samples=200", "fid.classifier_epochs=2"])
    config = spec.trial_config(Stratum("digits", "flow", 4), {}, max_epochs=2, rungs=[], seed=3)
    return Rerun(
        config=config.model_dump(mode="json"), dataset="digits", plugins=(),
        data_folder=str(tmp_path / "data"), folder=str(tmp_path / "first"), num_threads=1,
    )  # fmt: skip


def test_a_seed_run_again_is_equal_also_when_it_was_interrupted(
    rerun: Rerun, tmp_path: Path
) -> None:
    config = load_space("digits").trial_config(Stratum("digits", "flow", 4), {})
    dataset = load_dataset(config.data)
    first = run_again(rerun, dataset)
    assert {"test_fid", "val_fid", "best_elbo", *TEST_PARTS} <= set(first.numbers)
    cut = tmp_path / "cut"
    begun = Trainer.load(next((tmp_path / "first").glob("*/epoch-000002")), dataset)
    again = Trainer(begun.config, dataset, Path(rerun.data_folder))
    again.fit_epoch()
    again.save(cut / "1" / "epoch-000001")
    second = run_again(replace(rerun, folder=str(cut)), dataset)
    assert second.numbers == first.numbers
    assert second.protocol == first.protocol


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    fid = ["fid.classifier_epochs=2", "fid.num_classifiers=2"]
    config = load_space("digits", fid).trial_config(Stratum("digits", "flow", 8), {})
    path = tmp_path / "8.yaml"
    values = {
        "format": 2, "study": "one", "stratum": "digits/flow/8", "seeds": [1], "test_fid": [9.0],
        "mean": 9.0, "protocol": {"features": "pixels"}, "environment": HERE.as_dict(),
        "config": config.model_dump(mode="json"),
    }  # fmt: skip
    path.write_text(dump_yaml(values))
    return path


def test_another_fid_is_told_before_anything_is_trained(exported: Path, tmp_path: Path) -> None:
    rows = find_rows(exported, None)
    (judgement,) = reproduce(rows, tmp_path / "studies", "no cluster is asked for")
    assert judgement.verdict == "not reproduced"
    assert "features: promised 'pixels', obtained 'classifier'" in judgement.reason
    assert not (tmp_path / "studies" / "reproduced").exists()


def test_in_another_environment_seeds_are_run_and_held_to_the_interval(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = yaml.safe_load(exported.read_text())
    changed = {
        "seeds": [1, 2], "test_fid": [9.0, 8.0], "protocol": {"features": "classifier"},
        "environment": values["environment"] | {"cpu_model": "another one"},
    }  # fmt: skip
    exported.write_text(dump_yaml(values | changed))
    monkeypatch.setattr(
        "study.reproduce.reproduction.run_side_by_side",
        lambda work, jobs, *_: [(place, fresh(0.0)[0]) for place, _ in enumerate(jobs)],
    )
    (judgement,) = reproduce(find_rows(exported, 2), tmp_path / "studies", "no cluster")
    assert "prediction interval" in judgement.reason
    assert "cpu_model: another one against" in judgement.reason


def test_images_that_are_not_here_are_named(exported: Path, tmp_path: Path) -> None:
    values = yaml.safe_load(exported.read_text())
    data = {"dataset": "cifar10", "format": {"channels": 3, "size": 32}}
    values["config"] |= {"data": data}
    exported.write_text(dump_yaml(values))
    with pytest.raises(InputError, match="'cifar10' are not prepared"):
        reproduce(find_rows(exported, None), tmp_path / "studies", "local")


def test_other_images_than_promised_are_told(exported: Path, tmp_path: Path) -> None:
    values = yaml.safe_load(exported.read_text())
    values["config"]["data"]["fingerprint"] = "0" * 64
    exported.write_text(dump_yaml(values))
    with pytest.raises(InputError, match="they are not the same images"):
        reproduce(find_rows(exported, None), tmp_path / "studies", "local")


def test_fresh_seeds_need_a_spread_to_be_held_to(exported: Path) -> None:
    with pytest.raises(InputError, match="promises one seed"):
        find_rows(exported, 2)


def test_fresh_seeds_are_none_of_those_promised(exported: Path) -> None:
    values = yaml.safe_load(exported.read_text())
    exported.write_text(dump_yaml(values | {"seeds": [1, 2], "test_fid": [9.0, 8.0]}))
    (row,) = find_rows(exported, 3)
    assert len(set(row.seeds) | {1, 2}) == 5
    assert find_rows(exported, 3) == [row]


def test_an_incomplete_environment_is_named_with_its_file(exported: Path) -> None:
    values = yaml.safe_load(exported.read_text())
    del values["environment"]["cpu_model"]
    exported.write_text(dump_yaml(values))
    with pytest.raises(InputError, match=r"8\.yaml.*cpu_model"):
        find_rows(exported, None)


def test_a_folder_without_exports_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no exported file"):
        find_rows(tmp_path, None)
