"""What MLflow shows equals ledger and histories, whatever request fails on the way."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from search_spaces import StudySpec
from study.record import TrialRecord
from study.tables.protocol import protocol_hash
from study.tracking.mirror import Mirror
from study.tracking.run import common_params, params, tags
from study.tracking.store import Store
from tests.study.conftest import make_records
from tests.study.tracking.conftest import (
    BrokenClient,
    Connect,
    assert_mirrored,
    runs_in,
    trial_runs,
)
from trainables.checkpoint import commit
from trainables.config import TrialConfig


@pytest.fixture(scope="session")
def records(spec: StudySpec) -> list[TrialRecord]:
    """A few trials of every kind: complete, pruned, failed, confirmed and tested."""
    every = make_records(spec, num_seeds=1, num_trials=3)
    few = [record for record in every if str(record.stratum) == "digits/flow/8"]
    few[0] = replace(few[0], state="FAIL", reason="DivergenceError: rate is nan in epoch 3")
    return few


def show_all(mirror: Mirror, records: list[TrialRecord]) -> None:
    mirror.show_study(records, is_at_work=False, is_finished=True)
    for record in records:
        mirror.show(record)


def test_every_trial_is_there_once_with_all_it_has(
    connect: Connect, uri: str, spec: StudySpec, records: list[TrialRecord]
) -> None:
    show_all(connect(), records)
    assert_mirrored(uri, spec.name, records)


def test_what_an_epoch_took_of_the_machine_is_a_system_metric(
    connect: Connect, uri: str, spec: StudySpec, records: list[TrialRecord]
) -> None:
    first = replace(records[1].measurements[0], cpu_percent=150.0, memory_megabytes=700.0)
    connect().show(replace(records[1], measurements=(first, *records[1].measurements[1:])))
    (run,) = trial_runs(uri, spec.name).values()
    assert run.data.metrics["system/cpu_utilization_percentage"] == 150.0
    assert run.data.metrics["system/memory_usage_megabytes"] == 700.0


@pytest.mark.parametrize("is_done", [False, True], ids=["disk full", "answer lost"])
def test_whatever_request_fails_all_is_there_once_afterwards(
    is_done: bool,
    connect: Connect,
    uri: str,
    spec: StudySpec,
    records: list[TrialRecord],
) -> None:
    num_failed = 0
    for at in range(1, 12):
        mirror = connect()
        mirror.store.client = BrokenClient(mirror.store.client, at, is_done=is_done)
        try:
            show_all(mirror, records)
        except OSError:
            num_failed += 1
    assert num_failed > 8
    show_all(connect(), records)
    assert_mirrored(uri, spec.name, records)


def test_a_second_time_asks_the_store_for_nothing(
    connect: Connect, spec: StudySpec, records: list[TrialRecord]
) -> None:
    show_all(connect(), records)
    again = connect()
    client = again.store.client = BrokenClient(again.store.client, 1, is_done=False)
    for record in records:
        again.show(record)
    assert client.left == 1, "something was asked"


def test_a_run_that_was_made_twice_is_one_again(
    connect: Connect, uri: str, spec: StudySpec, records: list[TrialRecord]
) -> None:
    show_all(connect(), records)
    twice = records[0]
    mirror = connect()
    tags = {"trial": f"{twice.phase}/{twice.stratum}/{twice.number}"}
    mirror.store.client.create_run(mirror.store.experiment, tags=tags)
    show_all(connect(), records)
    assert_mirrored(uri, spec.name, records)


def test_a_run_that_somebody_deleted_comes_back(
    connect: Connect, uri: str, spec: StudySpec, records: list[TrialRecord]
) -> None:
    show_all(connect(), records)
    MlflowClient(uri).delete_run(runs_in(uri, spec.name)[0].info.run_id)
    show_all(connect(), records)
    assert_mirrored(uri, spec.name, records)


def test_an_experiment_that_somebody_deleted_comes_back(
    connect: Connect, uri: str, spec: StudySpec, records: list[TrialRecord]
) -> None:
    mirror = connect()
    show_all(mirror, records)
    MlflowClient(uri).delete_experiment(mirror.store.experiment)
    show_all(connect(), records)
    assert_mirrored(uri, spec.name, records)


def test_a_storage_that_was_moved_gets_a_new_experiment_with_all_there_is(
    connect: Connect, uri: str, spec: StudySpec, records: list[TrialRecord], tmp_path: Path
) -> None:
    show_all(connect(), records)
    moved = Mirror(Store(uri, spec.name, tmp_path / "elsewhere"), spec, tmp_path)
    show_all(moved, records)
    assert_mirrored(uri, spec.name, records)
    locations = {run.info.artifact_uri for run in runs_in(uri, spec.name)}
    assert all("/elsewhere/" in location for location in locations)


def test_pictures_of_a_trial_at_work_are_there_before_it_ends(
    connect: Connect, spec: StudySpec, records: list[TrialRecord], tmp_path: Path
) -> None:
    record = replace(records[1], state="RUNNING", reason="")
    folder = tmp_path / "trials" / record.phase / str(record.stratum) / str(record.number)
    checkpoint = folder / "1" / "epoch-000005"
    checkpoint.mkdir(parents=True)
    (checkpoint / "samples-000005.png").write_bytes(b"a picture")
    (checkpoint / "weights.safetensors").write_bytes(b"weights")
    commit(checkpoint, 5, TrialConfig.model_validate(record.config))
    mirror = connect()
    run_id = mirror.show(record, is_at_work=True)
    names = [file.path for file in mirror.store.client.list_artifacts(run_id)]
    assert names == ["samples-000005.png"]


def test_trials_lie_below_the_run_of_their_study(
    connect: Connect, uri: str, spec: StudySpec, records: list[TrialRecord]
) -> None:
    show_all(connect(), records)
    (parent,) = [run for run in runs_in(uri, spec.name) if "trial" not in run.data.tags]
    assert parent.info.run_name == spec.name
    assert parent.info.status == "FINISHED"
    parents = {r.data.tags["mlflow.parentRunId"] for r in trial_runs(uri, spec.name).values()}
    assert parents == {parent.info.run_id}


def test_names_tell_search_confirm_and_test_apart(
    connect: Connect, uri: str, spec: StudySpec, records: list[TrialRecord]
) -> None:
    show_all(connect(), records)
    confirmed = next(record for record in records if record.phase == "confirm")
    untested = replace(confirmed, number=1, test=None)
    connect().show(untested)
    names = {key: run.info.run_name for key, run in trial_runs(uri, spec.name).items()}
    assert names["search/digits/flow/8/1"] == "flow-8 #1"
    assert names["confirm/digits/flow/8/0"] == "flow-8 confirm #0, tested"
    assert names["confirm/digits/flow/8/1"] == "flow-8 confirm #1"


def test_a_repeat_of_a_search_is_told_by_name_and_tag_and_charted_with_its_cell(
    connect: Connect, uri: str, spec: StudySpec, records: list[TrialRecord]
) -> None:
    again = replace(records[1], stratum=replace(records[1].stratum, repeat=1))
    show_all(connect(), [*records, again])
    runs = trial_runs(uri, spec.name)
    first, second = runs["search/digits/flow/8/1"], runs["search/digits/flow/8/repeat-1/1"]
    assert second.info.run_name == "flow-8 repeat-1 #1"
    assert (first.data.tags["repeat"], second.data.tags["repeat"]) == ("0", "1")
    assert first.data.tags["cell"] == second.data.tags["cell"] == "flow-8"
    assert second.data.tags["stratum"] == "digits/flow/8/repeat-1"


def test_runs_say_which_criterion_they_stand_for(spec: StudySpec) -> None:
    record = next(r for r in make_records(spec) if r.phase == "confirm")
    for chosen_by, cell in ((["fid", "elbo"], "gaussian-8"), (["elbo"], "gaussian-8 by elbo")):
        own = tags(spec, replace(record, attributes={"chosen_by": chosen_by}))
        assert (own["chosen_by"], own["cell"]) == (",".join(chosen_by), cell)
    for attributes in ({"chosen_by": []}, {}):
        assert "chosen_by" not in tags(spec, replace(record, attributes=attributes))


def test_a_description_holds_the_reason_of_the_end(
    connect: Connect, uri: str, spec: StudySpec, records: list[TrialRecord]
) -> None:
    show_all(connect(), records)
    note = trial_runs(uri, spec.name)["search/digits/flow/8/0"].data.tags["mlflow.note.content"]
    assert "It failed: DivergenceError: rate is nan in epoch 3." in note
    assert "optimizer.learning_rate" in note


def test_params_differ_between_trials_and_the_study_has_the_rest(spec: StudySpec) -> None:
    record = next(r for r in make_records(spec) if r.stratum.prior == "diffusion")
    own, common = params(spec, record), common_params(spec)
    assert own["prior.beta_schedule.num_steps"] in ("25", "50", "100")
    assert len(own) <= 12
    assert not set(own) & set(common)
    assert common["likelihood.scale"] == "learned"
    assert common["priors.flow.num_layers"] == "2"
    assert "{" not in "".join((*own.values(), *common.values()))


def test_device_seconds_add_up(
    connect: Connect, uri: str, spec: StudySpec, records: list[TrialRecord]
) -> None:
    show_all(connect(), records)
    record = records[1]
    run = trial_runs(uri, spec.name)[f"{record.phase}/{record.stratum}/{record.number}"]
    total = sum(measurement.seconds for measurement in record.measurements)
    assert run.data.metrics["device_seconds"] == pytest.approx(total * spec.resources.cpus)


def test_a_test_has_all_its_parts_and_the_protocol(
    connect: Connect, uri: str, spec: StudySpec, records: list[TrialRecord]
) -> None:
    show_all(connect(), records)
    record = next(record for record in records if record.test)
    run = trial_runs(uri, spec.name)[f"{record.phase}/{record.stratum}/{record.number}"]
    assert record.test is not None
    assert record.test.metrics().items() <= run.data.metrics.items()
    assert run.data.tags["fid_protocol"] == protocol_hash(record.test.protocol)


def test_the_data_set_is_logged_with_its_fingerprint(
    connect: Callable[[], Mirror], uri: str, spec: StudySpec, records: list[TrialRecord],
    tmp_path: Path,
) -> None:  # fmt: skip
    facts = {"digits": {"format": {"channels": 1, "size": 8, "num_levels": 17},
                        "fingerprint": "1b7e8f90" * 8}}  # fmt: skip
    found = type(spec).model_validate(spec.model_dump() | {"datasets": facts})
    Mirror(connect().store, found, tmp_path).show(records[0])
    (run,) = trial_runs(uri, spec.name).values()
    (logged,) = run.inputs.dataset_inputs
    assert logged.dataset.name == "digits"
    assert ("1b7e8f90" * 8).startswith(logged.dataset.digest)
    assert "1b7e8f90" * 8 in logged.dataset.profile
