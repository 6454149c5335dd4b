from pathlib import Path

from mlflow.tracking import MlflowClient

from search_spaces import StudySpec
from study.ledger import Ended
from study.protocol import protocol_hash
from study.tracking import Tracker
from trainables.suggestion import Suggestion


def test_a_run_has_every_part_of_its_test_and_the_protocol(
    spec: StudySpec, tmp_path: Path
) -> None:
    stratum = spec.cells()[0]
    suggestion = Suggestion(
        phase="test", stratum=str(stratum), number=0, attempt=1,
        config=spec.trial_config(stratum, {}),
    )  # fmt: skip
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    tracker = Tracker(uri, "one", tmp_path, tmp_path)
    protocol = {"features": "classifier"}
    test = {
        "test_fid": 9.0, "untrained_fid": 90.0, "protocol": protocol, "aggregate_fid": 4.0,
        "reconstruction_fid": 3.0, "kid": 0.1, "precision": 0.5, "recall": 0.25,
        "fid_noise": 0.1,
    }  # fmt: skip
    tracker.ended(suggestion, Ended("TESTED"), test)
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("one")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    expected = {n: v for n, v in test.items() if n not in ("untrained_fid", "protocol")}
    assert run.data.metrics == expected | {"prior_hole": 5.0}
    assert run.data.tags["fid_protocol"] == protocol_hash(protocol)
