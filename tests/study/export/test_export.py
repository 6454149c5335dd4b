"""What an export holds, and what it refuses."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file, save_file

from search_spaces import StudySpec, load_space
from study.export import load_export
from study.export.row import Origin
from study.export.sample import exported_samples
from study.export.study_export import export_study
from study.export.table_folder import load_table_folder, write_table_folder
from study.report.caption import caption_facts
from study.storage.environment import current_environment, load_environments, remember_environment
from study.storage.layout import Layout, open_layout
from study.tables.interval import confidence_interval, prediction_interval
from study.tables.table import Table, build_table
from tests.study.conftest import MakeRecords
from trainables.config import TrialConfig
from trainables.error import InputError
from trainables.vae import build_vae

SMALL = ["strata.latent_size=8", "strata.prior=gaussian,flow"]
ROW = Path("digits", "flow", "8.yaml")


@pytest.fixture(scope="module")
def small() -> StudySpec:
    return load_space("digits", SMALL)


def origin_of(layout: Layout, *, every_seed: bool = False) -> Origin:
    return Origin(layout, current_environment(1), every_seed=every_seed)


@pytest.fixture
def layout(small: StudySpec, tmp_path: Path) -> Layout:
    found = open_layout(tmp_path / "studies", small.name)
    found.study.mkdir(parents=True)
    found.save_spec(small)
    return found


@pytest.fixture
def table(small: StudySpec, layout: Layout, synthetic_records: MakeRecords) -> Table:
    """Every confirm trial has left weights and a grid."""
    records = synthetic_records(small, folder=layout.study)
    for record in records:
        if record.phase == "confirm":
            model = build_vae(TrialConfig.model_validate(record.config))
            weights = layout.study / str(record.folder) / "best.safetensors"
            save_file(model.state_dict(), weights)
    return build_table(small, records)


@pytest.fixture
def exported(layout: Layout, table: Table) -> Path:
    export_study(origin_of(layout), table, layout.export)
    return layout.export / ROW


def change(path: Path, **fields: object) -> Path:
    values = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**values, **fields}))
    return path


def test_a_row_promises_every_number_that_its_trials_have(exported: Path, table: Table) -> None:
    export, cell = load_export(exported), next(c for c in table.cells if c.stratum.prior == "flow")
    assert export.test_fid == cell.test_fids
    assert export.mean == pytest.approx(cell.mean)
    assert export.interval is not None
    assert export.interval[0] < export.mean < export.interval[1]
    for name in ("val_fid", "best_elbo", "aggregate_fid", "untrained_fid", "kid", "prior_hole"):
        assert len(export.parts[name]) == 3
    assert export.promises()[1]["val_fid"] == cell.chosen[1].value


def test_a_row_has_card_grid_and_weights_that_draw(exported: Path) -> None:
    card = exported.with_suffix(".md").read_text()
    assert "![samples](8.png)" in card
    for word in ("test FID", "optimizer.learning_rate", "cpu_model", "study reproduce 8.yaml"):
        assert word in card
    assert exported.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    images, _ = exported_samples(exported, 3)
    assert images.shape == (3, 1, 8, 8)


def test_a_second_look_at_the_test_split_is_told(
    layout: Layout, small: StudySpec, synthetic_records: MakeRecords
) -> None:
    records = [
        replace(r, attributes=r.attributes | {"retests": ["too narrow"]})
        if r.phase == "confirm" and r.stratum.prior == "flow"
        else r
        for r in synthetic_records(small)
    ]
    table = build_table(small, records)
    export_study(origin_of(layout), table, layout.export)
    assert load_export(layout.export / ROW).retests == ("too narrow",)
    assert "because: too narrow" in (layout.export / ROW).with_suffix(".md").read_text()
    assert "because" not in (layout.export / "digits/gaussian/8.md").read_text()
    facts = dict(caption_facts(small, table, "", {}))
    assert facts["another config tested after the first"] == "digits/flow/8: too narrow"


def test_every_repeat_has_a_row_of_its_own(
    layout: Layout, small: StudySpec, synthetic_records: MakeRecords
) -> None:
    search = small.search.model_copy(update={"num_repeats": 2})
    spec = small.model_copy(update={"search": search})
    table = build_table(spec, synthetic_records(spec))
    paths = export_study(origin_of(layout), table, layout.export)
    names = [str(path.relative_to(layout.export / "digits")) for path in paths]
    assert names == [
        "gaussian/8.yaml", "gaussian/8-repeat-1.yaml", "flow/8.yaml", "flow/8-repeat-1.yaml",
    ]  # fmt: skip
    for path, cell in zip(
        paths, [part for whole in table.cells for part in whole.repeats], strict=True
    ):
        export = load_export(path)
        assert export.stratum == export.title == str(cell.stratum)
        assert export.test_fid == cell.test_fids
        assert len(export.seeds) == spec.confirm.num_seeds


def test_what_a_further_criterion_chose_has_a_row_where_it_is_another_config(
    layout: Layout, small: StudySpec, synthetic_records: MakeRecords
) -> None:
    """Of the flow both chose the same; of the Gaussian the ELBO chose the trials of 10 to 12."""
    confirm = small.confirm.model_copy(update={"by": ("fid", "elbo")})
    spec = small.model_copy(update={"confirm": confirm})
    records = []
    for record in synthetic_records(small):
        is_gaussian = record.stratum.prior == "gaussian"
        by = ["fid"] if is_gaussian else ["fid", "elbo"]
        records.append(replace(record, attributes={"chosen_by": by}))
        if record.phase == "confirm" and is_gaussian:
            other = {"number": record.number + 10, "attributes": {"chosen_by": ["elbo"]}}
            records.append(replace(record, **other))
    table = build_table(spec, records)
    paths = export_study(origin_of(layout), table, layout.export)
    names = [str(path.relative_to(layout.export / "digits")) for path in paths]
    assert names == ["gaussian/8.yaml", "flow/8.yaml", "gaussian/8-elbo.yaml"]
    assert load_export(paths[0]).title == "digits/gaussian/8"
    assert load_export(paths[2]).title == "digits/gaussian/8 by elbo"
    assert "the highest mean validation ELBO" in paths[2].with_suffix(".md").read_text()
    folder = write_table_folder(origin_of(layout), table, layout.storage / "out")
    assert load_table_folder(folder).rows == tuple(f"digits/{name}" for name in names)


def test_the_weights_are_those_of_the_best_validation_fid(
    exported: Path, table: Table, layout: Layout
) -> None:
    cell = next(cell for cell in table.cells if cell.stratum.prior == "flow")
    best = min(cell.chosen, key=lambda record: record.value or 0.0)
    source = layout.study / str(best.folder) / "best.safetensors"
    assert exported.with_suffix(".safetensors").read_bytes() == source.read_bytes()


def test_a_table_folder_has_all_that_its_table_was_made_of(
    layout: Layout, table: Table, tmp_path: Path
) -> None:
    folder = write_table_folder(origin_of(layout, every_seed=True), table, tmp_path / "out")
    assert load_table_folder(folder).rows == ("digits/gaussian/8.yaml", "digits/flow/8.yaml")
    for row in load_table_folder(folder).rows:
        export = load_export(folder / row)
        assert set(export.seed_weights) == set(export.seeds)
        assert all((folder / row).with_name(name).is_file() for name in export.files)
    with (folder / "table.csv").open() as file:
        promised = {line["prior"]: float(line["test_fid"]) for line in csv.DictReader(file)}
    assert promised["flow"] == load_export(folder / ROW).mean
    assert load_space(folder / "spec.yaml") == layout.load_spec()
    assert "digits/flow/8.md" in (folder / "README.md").read_text()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_table_folder_gives_way_to_its_own_study_only(
    layout: Layout, table: Table, tmp_path: Path, small: StudySpec
) -> None:
    folder = write_table_folder(origin_of(layout), table, tmp_path / "out")
    (folder / "left behind").touch()
    write_table_folder(origin_of(layout), table, folder)
    assert not (folder / "left behind").exists()
    layout.save_spec(small.model_copy(update={"seed": 5}))
    with pytest.raises(InputError, match="with seed 0, not of 'digits' with seed 5"):
        write_table_folder(origin_of(layout), table, folder)
    assert load_table_folder(folder).study_seed == 0


def test_nothing_is_written_where_something_else_lies(
    layout: Layout, table: Table, exported: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "home" / "letter"
    precious.parent.mkdir()
    precious.touch()
    with pytest.raises(InputError, match="something else than an exported table"):
        write_table_folder(origin_of(layout), table, precious.parent)
    assert [path.name for path in precious.parent.iterdir()] == ["letter"]
    change(exported, study="another")
    before = exported.read_bytes()
    with pytest.raises(InputError, match="but of 'another'"):
        export_study(origin_of(layout), table, layout.export)
    assert exported.read_bytes() == before


def test_a_study_without_a_test_fid_has_no_table(
    layout: Layout, small: StudySpec, synthetic_records: MakeRecords, tmp_path: Path
) -> None:
    table = build_table(small, synthetic_records(small, num_seeds=0))
    with pytest.raises(InputError, match="no test FID yet"):
        write_table_folder(origin_of(layout), table, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"format": 3}, "has the format 3, and this version reads 1 to 2"),
        ({"format": "new"}, "has the format 'new'"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [1]}, "one value for each of 1 seeds, got 3"),
        ({"test_fid": [1.0, float("nan"), 2.0]}, "a finite number"),
        ({"weights": "../../8.safetensors"}, "weights"),
        ({"surplus": 1}, "surplus"),
        ({"plugins": {"mine.py": "0"}}, "mine.py is missing or changed"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_one_sentence(
    exported: Path, fields: dict[str, object], told: str
) -> None:
    with pytest.raises(InputError) as refused:
        load_export(change(exported, **fields))
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("field", ["study", "stratum", "config", "seeds", "mean", "environment"])
def test_a_missing_field_is_named(exported: Path, field: str) -> None:
    values = yaml.safe_load(exported.read_text())
    del values[field]
    exported.write_text(yaml.safe_dump(values))
    with pytest.raises(InputError, match=field):
        load_export(exported)


def test_a_file_of_the_first_format_is_read(exported: Path) -> None:
    values = yaml.safe_load(exported.read_text())
    added = ("format", "parts", "interval", "files", "samples", "seed_weights", "gpus", "variant")
    exported.write_text(yaml.safe_dump({k: v for k, v in values.items() if k not in added}))
    assert load_export(exported).promises()[0] == {"test_fid": values["test_fid"][0]}


def test_weights_of_another_model_are_refused(exported: Path) -> None:
    config = yaml.safe_load(exported.read_text())["config"]
    change(exported, config={**config, "latent_size": 9})
    with pytest.raises(InputError, match=r"does not fit the config of 8\.yaml") as refused:
        exported_samples(exported, 1)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (Path.unlink, "is missing; it belongs beside 8.yaml"),
        (lambda path: path.write_bytes(b"torn"), "its SHA-256 differs"),
    ],
)
def test_weights_that_are_gone_or_damaged_are_refused(
    exported: Path, harm: object, told: str
) -> None:
    assert callable(harm)
    harm(exported.with_suffix(".safetensors"))
    with pytest.raises(InputError, match=told):
        exported_samples(exported, 1)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["../8.yaml"], "outside of the folder"),
        (["digits/flow/9.yaml"], "9.yaml is missing"),
        ([], "rows"),
    ],
)
def test_a_table_folder_without_its_rows_is_refused(
    layout: Layout, table: Table, tmp_path: Path, rows: list[str], told: str
) -> None:
    folder = write_table_folder(origin_of(layout), table, tmp_path / "out")
    shutil.copy(folder / ROW, tmp_path / "8.yaml")
    change(folder / "table.yaml", rows=rows)
    with pytest.raises(InputError, match=told):
        load_table_folder(folder)


def test_every_seed_has_weights_of_its_own(layout: Layout, table: Table, tmp_path: Path) -> None:
    folder = write_table_folder(origin_of(layout, every_seed=True), table, tmp_path / "out")
    export = load_export(folder / ROW)
    cell = next(cell for cell in table.cells if cell.stratum.prior == "flow")
    for record in cell.chosen:
        kept = load_file((folder / ROW).with_name(export.seed_weights[record.config["seed"]]))
        own = load_file(layout.study / str(record.folder) / "best.safetensors")
        assert all((kept[name] == own[name]).all() for name in own)


def test_a_study_remembers_what_it_ran_with(tmp_path: Path) -> None:
    path = tmp_path / "environments.json"
    assert load_environments(path) == []
    first, second = current_environment(1), current_environment(2)
    for environment in (first, first, second, second):
        remember_environment(path, environment)
    assert load_environments(path) == [first, second]


def test_intervals_are_those_of_t() -> None:
    # Student's t with two degrees of freedom has its 97.5 % point at 4.302653.
    low, high = confidence_interval([1.0, 2.0, 3.0]) or (0.0, 0.0)
    assert (high - low) / 2 == pytest.approx(4.302653 / 3**0.5, rel=1e-6)
    low, high = prediction_interval([1.0, 2.0, 3.0], 1) or (0.0, 0.0)
    assert (high - low) / 2 == pytest.approx(4.302653 * (4 / 3) ** 0.5, rel=1e-6)
    assert prediction_interval([1.0], 3) is None
