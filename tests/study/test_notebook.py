"""A study can be looked at from Python, as a notebook shows it, while it runs and afterwards."""

from pathlib import Path

import pyarrow as pa
import pytest

import study
from study.notebook import OpenedStudy, open_study
from trainables.error import InputError

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> OpenedStudy:
    """A small study that ran to its end."""
    storage = tmp_path_factory.mktemp("notebook") / "studies"
    overrides = [
        "strata.prior=gaussian", "strata.latent_size=2", "budget.trials_per_stratum=1",
        "budget.max_epochs=1", "budget.first_rung=1", "confirm.num_seeds=1",
        "evidence.num_images=0", "fid.num_samples=100", "fid.classifier_epochs=1",
        "fid.num_classifiers=1",
    ]  # fmt: skip
    study.run_study("digits", overrides=overrides, storage=storage)
    return study.open_study("digits", storage)


@pytest.mark.slow
def test_a_finished_study_shows_status_table_figures_config_and_model(opened: OpenedStudy) -> None:
    assert repr(opened) == "digits: 3 of 3 trials and tests done, not running"
    assert [record.phase for record in opened.records] == ["search", "confirm"]
    table = opened.table
    arrow = table.to_arrow()
    assert isinstance(arrow, pa.Table)
    assert arrow.num_rows == len(table) == 1
    assert table.to_pandas().loc[0, "latent_size"] == 2
    shown = opened._repr_html_()
    assert "3 of 3 trials" in shown
    assert "gaussian" in shown
    assert opened.figures["fid"].png.startswith(PNG)
    assert opened.figures["fid"].to_arrow().num_rows == 1
    config = opened.config("digits/gaussian/2")
    assert config.latent_size == 2
    model = opened.model("digits/gaussian/2")
    assert model.sample(5).images.shape == (5, 1, 8, 8)
    assert model.sample(5)._repr_png_().startswith(PNG)
    assert (model.sample(5).images == model.sample(5).images).all()
    assert model.module.prior is not None
    for call, words in (
        (lambda: opened.config("digits/flow/2"), "there is no stratum 'digits/flow/2'"),
        (lambda: opened.model("digits/flow/2"), "there is no exported model"),
        (lambda: opened.figures["fids"], "did you mean fid"),
    ):
        with pytest.raises(InputError, match=words):
            call()


def test_a_study_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    with pytest.raises(InputError, match="there is no study"):
        open_study("digits", tmp_path / "studies")
