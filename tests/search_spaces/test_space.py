"""A space is what its file and its overrides say, or one sentence that a person can act on."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import (
    DatasetFacts,
    LogUniform,
    Stratum,
    check_extension,
    dump_space,
    dump_yaml,
    load_space,
    parse_space,
    read_yaml,
    space_names,
    space_of_revision,
)
from trainables.config import ImageFormat
from trainables.error import InputError

JARGON = (
    "Input should", "validation error", "should match pattern", "should have", "Extra inputs",
    "Value error", "valid integer", "valid number", "valid string", "pydantic", "literal_error",
    "discriminator", "constrained", "Field required", "Traceback", "<unicode string>",
)  # fmt: skip
SPACES = ["ablation_published", "beta_schedules", "digits", "digits_repeated", "kl_annealing",
          "num_steps", "table1", "table1_paper"]  # fmt: skip
RATE = "domains.all.optimizer.learning_rate"
STEPS = "priors.diffusion.beta_schedule.num_steps"

# override of digits -> what its one sentence must say
BAD = {
    # names
    "strata.latent_sise=8": ["strata.latent_sise", "did you mean latent_size?"],
    "budgit.max_epochs=2": ["budgit", "did you mean budget?"],
    "optimizer.learning_rat=1e-3": ["optimizer.learning_rat", "did you mean learning_rate?"],
    "priors.flow.hiden_size=64": ["priors.flow.hiden_size", "did you mean hidden_size?"],
    "priors.flw.hidden_size=64": ["priors", "'flw'", "did you mean flow?"],
    "domains.difusion={}": ["domains", "'difusion'", "did you mean diffusion?"],
    "strata.prior=flow,difusion": ["strata.prior", "'difusion'", "did you mean diffusion?"],
    "fid.features=inceptoin": ["fid.features", "did you mean inception?"],
    "likelihood.scale=learnd": ["likelihood.scale", "a number", "did you mean learned?"],
    "network.kind=resnt": ["network.kind", "did you mean resnet?"],
    "departures.gausian_kl=true": ["departures.gausian_kl", "did you mean gaussian_kl?"],
    "priors.diffusion.sampler.kind=dim": ["priors.diffusion.sampler.kind", "did you mean ddim?"],
    "optimizer.schedule.kind=platau": ["optimizer.schedule.kind", "did you mean plateau?"],
    "confirm.by=elbow": ["confirm.by", "did you mean elbo?"],
    "confirm.by=fid,fid": ["confirm.by", "each value may stand once"],
    "confirm.by=[]": ["confirm.by", "at least one value"],
    "search.num_repeats=0": ["search.num_repeats", "more than 0", "got 0"],
    # what does not fit together
    "network.kind=dcgan": ["network.kind dcgan", "32, 64", "digits are 8"],
    "likelihood.kind=discretized_logistic": ["256 levels", "digits has 17"],
    "data.dequantise=false": ["learned scale needs data.dequantise"],
    "data.resize=48": ["data.resize", "32 or 64", "48"],
    "likelihood.kind=sum_of_squares": ["sum_of_squares", "not a density"],
    "priors.diffusion.sampler.num_steps=3": ["takes all T steps", "ddim"],
    "priors.diffusion.sampler={kind: ddim, num_steps: 9000}": ["9000 steps of a chain"],
    "plugins=[nowhere.py]": ["nowhere.py", "cannot be read"],
    "plugins=3": ["plugins", "a list"],
    # intervals
    f"{RATE}={{kind: log_uniform, low: 1, high: 5e-3}}": [RATE, "low=1.0, high=0.005"],
    f"{RATE}={{kind: log_uniform, low: 5e-4, high: 5e-4}}": [RATE, "0 < low < high"],
    f"{RATE}.low=1": [RATE, "0 < low < high", "low=1.0"],
    f"{RATE}.low=0": [RATE, "0 < low < high"],
    f"{RATE}.low=abc": [f"{RATE}.low", "a number", "'abc'"],
    f"{RATE}.low=.nan": [f"{RATE}.low", "a finite number"],
    f"{RATE}.kind=log_unifrom": [f"{RATE}.kind", "did you mean log_uniform?"],
    f"{RATE}={{kind: uniform, low: 1}}": [f"{RATE}.high", "missing"],
    f"{RATE}={{low: 1, high: 2}}": [f"{RATE}.kind", "missing", "log_uniform"],
    f"{RATE}=1e-3": [RATE, "a group of fields", "0.001"],
    f"{RATE}={{kind: choice, values: []}}": [f"{RATE}.values", "at least one value"],
    f"{RATE}={{kind: choice, values: [[1]]}}": [f"{RATE}.values", "a number", "got a list"],
    # bounds
    "strata.latent_size=-8": ["strata.latent_size", "at least 1", "-8"],
    "strata.latent_size=8,0": ["strata.latent_size", "at least 1", "0"],
    "strata.latent_size=8.5": ["strata.latent_size", "a whole number", "8.5"],
    "strata.latent_size=many": ["strata.latent_size", "a whole number", "'many'"],
    "strata.latent_size=100000": ["strata.latent_size", "at most 65536"],
    "strata.latent_size=[]": ["strata.latent_size", "at least one value"],
    "strata.latent_size=8,8": ["strata.latent_size", "[8, 8]"],
    "strata.dataset=[]": ["strata.dataset", "at least one value"],
    "strata=3": ["strata", "a group of fields"],
    "budget=": ["budget", "a group of fields", "nothing"],
    "budget.max_epochs=0": ["budget.max_epochs", "more than 0"],
    "budget.max_epochs=1e400": ["budget.max_epochs", "a finite number"],
    "budget.reduction_factor=1": ["budget.reduction_factor", "at least 2"],
    "budget.control_share=1.5": ["budget.control_share", "at most 1", "1.5"],
    "likelihood.scale=-1": ["likelihood.scale", "more than 0", "-1"],
    "seed=-1": ["seed", "at least 0"],
    # names that become folders
    "name=../x": ["name", "letters, digits", "'../x'"],
    "name=a/b": ["name", "letters, digits", "'a/b'"],
    'name=""': ["name", "letters, digits"],
    "name=" + "x" * 65: ["name", "at most 64 characters"],
    "strata.dataset=../data": ["strata.dataset", "letters, digits", "'../data'"],
    "variants={../a: {}}": ["variants", "letters, digits"],
    # values that clash
    f"{STEPS}=0": [STEPS, "more than 0"],
    f"{STEPS}=20": ["priors.diffusion.beta_schedule", "num_steps > 20", "num_steps=20"],
    "domains.diffusion.prior.beta_schedule.num_steps.values=10,50": [
        "domains.diffusion.prior.beta_schedule", "num_steps > 20", "num_steps=10",
    ],
    "priors.flow.kind=gaussian": ["priors.flow.kind", "'gaussian'"],
    # what a trial may choose
    "domains.all.latent_size={kind: choice, values: [4, 8]}": ["domains.all.latent_size"],
    "domains.all.data.num_images={kind: choice, values: [4, 8]}": ["domains.all.data.num_images"],
    "domains.all.data.split_seed={kind: choice, values: [4, 8]}": ["domains.all.data.split_seed"],
    "domains.all.fid.num_samples={kind: choice, values: [4, 8]}": ["domains.all.fid.num_samples"],
    "domains.all.seed={kind: choice, values: [4, 8]}": ["domains.all.seed"],
    "domains.all.max_epochs={kind: choice, values: [4, 8]}": ["domains.all.max_epochs"],
    "domains.all.rungs={kind: choice, values: [4, 8]}": ["domains.all.rungs"],
    "domains.all.objective={kind: choice, values: [exact]}": ["domains.all.objective"],
    "domains.flow.prior.kind={kind: choice, values: [flow]}": ["domains.flow.prior.kind"],
    "domains.flow.prior={kind: choice, values: [flow]}": ["domains.flow.prior", "a group"],
    "domains.all.optimiser.learning_rate={kind: choice, values: [1]}": [
        "domains.all.optimiser.learning_rate", "did you mean optimizer?",
    ],
    "domains.all.optimizer.learningrate={kind: choice, values: [1]}": [
        "domains.all.optimizer.learningrate", "did you mean learning_rate?",
    ],
    "domains.all.prior.hidden_size={kind: choice, values: [3]}": ["domains.all.prior.hidden_size"],
    "domains.all.kl_annealing.kind={kind: choice, values: [none, linaer]}": [
        "domains.all.kl_annealing.kind", "'linaer'", "did you mean linear?",
    ],
    "domains.all.optimizer.batch_size={kind: uniform, low: 10, high: 20}": [
        "domains.all.optimizer.batch_size", "a whole number",
    ],
    "domains.diffusion.prior.time_embedding_size={kind: int_uniform, low: 2, high: 64}": [
        "domains.diffusion.prior.time_embedding_size", "a multiple of 2",
    ],
    # variants
    "variants.warm.kl_annealing.kind=linear": ["variants", "budget.trials_per_stratum"],
    # overrides that are none
    "budget.max_epochs": ["key=value", "'budget.max_epochs'"],
    "=3": ["key=value", "'=3'"],
    "strata.latent_size=[1,2": ["strata.latent_size", "'[1,2'"],
    "strata.latent_size.first=1": ["strata.latent_size.first", "not a field"],
}  # fmt: skip


def complaint_of(*overrides: str, space: str | Path = "digits") -> str:
    with pytest.raises(InputError) as raised:
        load_space(space, overrides)
    return str(raised.value)


def assert_reads_well(sentence: str) -> None:
    assert "\n" not in sentence
    assert [word for word in JARGON if word in sentence] == []


# What is there


@pytest.mark.parametrize("name", SPACES)
def test_spaces_of_the_package_load_by_name(name: str) -> None:
    assert name in space_names()
    assert load_space(name).name == name


def test_table1_asks_the_question_of_the_paper() -> None:
    strata = load_space("table1").strata
    assert set(strata.dataset) == {"cifar10", "celeba"}
    assert set(strata.prior) == {"gaussian", "flow", "diffusion"}
    assert strata.latent_size == (40, 100, 200)


def test_digits_repeated_is_digits_at_one_latent_size_five_times() -> None:
    spec, digits = load_space("digits_repeated"), load_space("digits", ["strata.latent_size=8"])
    assert spec.search.num_repeats == 5
    own = {"name", "description", "search"}
    assert spec.model_dump(exclude=own) == digits.model_dump(exclude=own)
    once = spec.model_copy(update={"search": digits.search})
    assert once.searches() == once.cells() == digits.cells()
    assert len(spec.searches()) == 5 * len(spec.cells())
    assert len(set(map(str, spec.searches()))) == len(spec.searches())
    assert [s for s in spec.searches() if s.repeat == 0] == spec.cells()


@pytest.mark.parametrize(
    ("text", "stratum"),
    [
        ("digits/flow/8", Stratum("digits", "flow", 8)),
        ("digits/flow/8/repeat-1", Stratum("digits", "flow", 8, 1)),
        ("my-faces/a-prior/16/repeat-12", Stratum("my-faces", "a-prior", 16, 12)),
    ],
)
def test_a_stratum_is_read_back_from_its_name(text: str, stratum: Stratum) -> None:
    assert Stratum.parse(text) == stratum
    assert str(stratum) == text


@pytest.mark.parametrize("overrides", [[], ["variants.warm={}"]], ids=["nothing", "variants"])
def test_repeats_need_a_search(overrides: list[str]) -> None:
    sentence = complaint_of("search.num_repeats=2", "budget.trials_per_stratum=0", *overrides)
    assert_reads_well(sentence)
    assert "search.num_repeats is 2, but without a search" in sentence


def test_the_fid_chooses_by_default_and_one_criterion_may_stand_alone() -> None:
    assert load_space("digits").confirm.by == ("fid",)
    assert load_space("digits", ["confirm.by=elbo"]).confirm.by == ("elbo",)
    assert load_space("digits", ["confirm.by=[fid, elbo]"]).confirm.by == ("fid", "elbo")


@pytest.mark.parametrize(
    ("space", "overrides", "where"),
    [
        ("digits", ["objective=published"], "gaussian (objective published)"),
        ("digits", ["departures.entropy_constant=true"], "flow (objective exact)"),
        ("digits", ["departures.gaussian_kl=true"], "gaussian (objective exact)"),
        ("ablation_published", [], "variant published (objective exact)"),
        ("table1_paper", [], "gaussian (objective published)"),
    ],
)
@pytest.mark.parametrize("by", ["elbo", "fid,elbo"])
def test_an_elbo_chooses_only_where_everything_has_a_bound(
    space: str, overrides: list[str], where: str, by: str
) -> None:
    sentence = complaint_of(f"confirm.by={by}", *overrides, space=space)
    assert_reads_well(sentence)
    assert f"confirm.by elbo needs a bound on log p(x) everywhere, and {where} departs" in sentence
    assert load_space(space, overrides).confirm.by == ("fid",)


def test_a_departure_that_leaves_the_bound_a_bound_lets_the_elbo_choose() -> None:
    spec = load_space("digits", ["confirm.by=elbo", "departures.plateau=true"])
    assert spec.departures.plateau


def test_a_study_of_revision_1_has_no_second_selection() -> None:
    spec = load_space("digits", ["confirm.by=fid,elbo"])
    with pytest.raises(InputError, match=r"confirm\.by elbo came with revision 2"):
        space_of_revision(spec, 1)


def test_digits_is_large_enough_to_mean_something() -> None:
    spec = load_space("digits")
    assert len(spec.strata.prior) >= 3
    assert len(spec.strata.latent_size) >= 2
    assert spec.budget.trials_per_stratum >= 6
    assert spec.confirm.num_seeds >= 2


@pytest.mark.parametrize("name", SPACES)
def test_cells_are_the_product_of_the_axes(name: str) -> None:
    spec = load_space(name)
    axes = (spec.strata.dataset, spec.strata.prior, spec.strata.latent_size)
    assert spec.cells() == [Stratum(*cell) for cell in itertools.product(*axes)]


def test_a_stratum_is_parsed_back_from_its_text() -> None:
    for stratum in load_space("table1").cells():
        assert Stratum.parse(str(stratum)) == stratum


def test_a_space_loads_no_torch() -> None:
    code = "import sys, search_spaces as s; s.load_space('table1'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# There and back


@pytest.mark.parametrize("name", SPACES)
def test_a_space_that_is_written_reads_back_the_same(name: str, tmp_path: Path) -> None:
    spec = load_space(name, ["likelihood.scale=0.5", "data.num_images=500"])
    path = tmp_path / "spec.yaml"
    path.write_text(dump_space(spec))
    assert load_space(path) == spec


# What a person may type; PyYAML loses control characters such as U+0085.
TEXT = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], include_characters="\n\t")
)
NUMBER_LIKE = st.from_regex(r"[-+]?[0-9]{1,3}\.?[0-9]{0,2}[eE][-+]?[0-9]{1,2}", fullmatch=True)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
VALUE = st.recursive(
    PLAIN | TEXT | NUMBER_LIKE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(derandomize=True, deadline=None)
@given(VALUE)
def test_yaml_that_is_written_reads_back_the_same(value: Any) -> None:
    assert read_yaml(dump_yaml({"value": value})) == {"value": value}


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,9}", fullmatch=True))
def test_every_allowed_name_survives_the_file(name: str) -> None:
    values = load_space("digits").model_dump(mode="json") | {"name": name}
    spec = parse_space(values, "here")
    assert parse_space(read_yaml(dump_space(spec)), "file").name == name


# Domains


def test_a_domain_exists_only_under_its_prior() -> None:
    for stratum in load_space("table1").cells():
        own = {path for path in load_space("table1").domains_of(stratum) if "prior." in path}
        assert any("beta_schedule" in path for path in own) == (stratum.prior == "diffusion")
        assert ("prior.num_transforms" in own) == (stratum.prior == "flow")
        assert bool(own) == (stratum.prior != "gaussian")


def test_a_prior_has_its_own_domain_before_that_of_all(tmp_path: Path) -> None:
    values = load_space("digits").model_dump(mode="json")
    own = {"kind": "log_uniform", "low": 1e-5, "high": 1e-4}
    common = values["domains"].pop("all")
    values["domains"]["flow"]["optimizer.learning_rate"] = own
    spec = parse_space(values | {"domains": {**values["domains"], "all": common}}, "here")
    flow, gaussian = (Stratum("digits", prior, 8) for prior in ("flow", "gaussian"))
    assert spec.domains_of(flow)["optimizer.learning_rate"] == LogUniform.model_validate(own)
    assert spec.domains_of(gaussian) == load_space("digits").domains["all"]


def test_a_suggested_value_lands_in_its_field() -> None:
    spec = load_space("digits")
    values = {"prior.beta_schedule.num_steps": 25, "kl_annealing.kind": "cyclical"}
    stratum = Stratum("digits", "diffusion", 16)
    config: Any = spec.trial_config(stratum, values, seed=7)
    assert (config.latent_size, config.seed) == (16, 7)
    assert config.prior.beta_schedule.num_steps == 25
    assert config.kl_annealing.kind == "cyclical"


def test_making_a_config_leaves_the_space_as_it_was() -> None:
    spec = load_space("digits")
    before = spec.model_dump()
    stratum = Stratum("digits", "diffusion", 8)
    spec.trial_config(stratum, {"prior.beta_schedule.num_steps": 25})
    assert spec.model_dump() == before


def test_a_schedule_that_only_its_domains_allow_is_allowed() -> None:
    """Ten steps are too few for the linear schedule, and it is not among the choices."""
    spec = load_space("digits", [
        "priors.diffusion.beta_schedule.kind=cosine",
        "domains.diffusion.prior.beta_schedule.kind.values=[cosine]",
        "domains.diffusion.prior.beta_schedule.num_steps.values=[10, 50]",
    ])  # fmt: skip
    assert "prior.beta_schedule.num_steps" in spec.domains_of(Stratum("digits", "diffusion", 8))


# Variants


def test_variants_are_trained_without_search() -> None:
    overrides = ["budget.trials_per_stratum=0", "variants.warm.kl_annealing.kind=linear"]
    assert load_space("digits", overrides).variants == {"warm": {"kl_annealing.kind": "linear"}}


def test_a_variant_may_choose_the_objective() -> None:
    overrides = ["budget.trials_per_stratum=0", "variants.plain.objective=exact"]
    assert load_space("digits", overrides).variants == {"plain": {"objective": "exact"}}


@pytest.mark.parametrize("field", ["data.num_images", "fid.num_samples", "seed", "max_epochs",
                                   "latent_size", "prior.kind", "optimizer"])  # fmt: skip
def test_a_variant_leaves_stratum_and_protocol_alone(field: str) -> None:
    sentence = complaint_of("budget.trials_per_stratum=0", f"variants.one={{{field}: 3}}")
    assert f"variants.one.{field}" in sentence
    assert_reads_well(sentence)


def test_a_variant_must_fit_every_prior_of_the_space() -> None:
    sentence = complaint_of("budget.trials_per_stratum=0", "variants.wide.prior.hidden_size=64")
    assert "variants.wide.prior.hidden_size is not a field" in sentence


# Overrides


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("strata.latent_size=40,100", ("strata", "latent_size"), (40, 100)),
        ("strata.latent_size=[40, 100]", ("strata", "latent_size"), (40, 100)),
        ("strata.latent_size=40", ("strata", "latent_size"), (40,)),
        ("strata.dataset=cifar10", ("strata", "dataset"), ("cifar10",)),
        ("strata.prior=flow,diffusion", ("strata", "prior"), ("flow", "diffusion")),
        ("optimizer.learning_rate=1e-4", ("optimizer", "learning_rate"), 1e-4),
        ("optimizer.learning_rate=2.5E-4", ("optimizer", "learning_rate"), 2.5e-4),
        ("budget.max_epochs = 2", ("budget", "max_epochs"), 2),
        ("data.num_images=5000", ("data", "num_images"), 5000),
        ("optimizer.gradient_clip=", ("optimizer", "gradient_clip"), None),
        ("likelihood.scale=learned", ("likelihood", "scale"), "learned"),
        ("optimizer={learning_rate: 1e-3, batch_size: 32}", ("optimizer", "batch_size"), 32),
        ('description="40, 100"', ("description",), "40, 100"),
    ],
)
def test_an_override_sets_its_field(override: str, field: tuple[str, ...], value: object) -> None:
    found: Any = load_space("digits", [override])
    for name in field:
        found = getattr(found, name)
    assert found == value


def test_an_override_reaches_into_a_prior() -> None:
    spec = load_space("digits", [f"{STEPS}=77"])
    config: Any = spec.trial_config(Stratum("digits", "diffusion", 8), {})
    assert config.prior.beta_schedule.num_steps == 77


def test_an_override_reaches_into_a_domain() -> None:
    spec = load_space("digits", [f"{RATE}.low=1e-5"])
    domain: Any = spec.domains["all"]["optimizer.learning_rate"]
    before: Any = load_space("digits").domains["all"]["optimizer.learning_rate"]
    assert (domain.low, domain.high) == (1e-5, before.high)


def test_an_override_adds_a_domain() -> None:
    added = "domains.all.optimizer.batch_size={kind: choice, values: [32, 64]}"
    domain: Any = load_space("digits", [added]).domains["all"]["optimizer.batch_size"]
    assert domain.values == (32, 64)


def test_the_last_override_of_a_field_stands() -> None:
    assert load_space("digits", ["seed=1", "seed=2"]).seed == 2


def test_overrides_leave_the_file_as_it_was() -> None:
    before = load_space("digits")
    load_space("digits", ["seed=9", f"{STEPS}=77"])
    assert load_space("digits") == before


# Bad input


@pytest.mark.parametrize(("override", "says"), BAD.items(), ids=BAD.keys())
def test_a_bad_override_gets_one_sentence(override: str, says: list[str]) -> None:
    sentence = complaint_of(override)
    assert_reads_well(sentence)
    assert [part for part in says if part not in sentence] == []


def test_fields_of_a_prior_that_is_left_out_are_checked_all_the_same() -> None:
    assert "hidden_size" in complaint_of("strata.prior=gaussian", "priors.flow.hiden_size=1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: a\nname: b", ["name stands twice", "line 2"]),
        ("budget: {max_epochs: 1, max_epochs: 2}", ["max_epochs stands twice"]),
        ("strata: [", ["not YAML", "line"]),
        ("name: a: b", ["not YAML"]),
        ("? [1]\n: 2", ["not YAML"]),
        ("name: !!python/object:os.system {}", ["not YAML"]),
        ("", ["fields of a study", "nothing"]),
        ("- digits", ["fields of a study", "list"]),
        ("name: a", ["strata", "missing"]),
    ],
)
def test_a_bad_file_gets_one_sentence(text: str, says: list[str], tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(text)
    sentence = complaint_of(space=path)
    assert_reads_well(sentence)
    assert [part for part in [str(path), *says] if part not in sentence] == []


def test_a_file_of_bytes_is_no_space(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    assert_reads_well(complaint_of(space=path))


@pytest.mark.parametrize("name", ["nowhere", "/", "x" * 5000, "\0"])
def test_a_space_that_is_not_there_shows_those_that_are(name: str) -> None:
    sentence = complaint_of(space=name)
    assert "digits" in sentence
    assert "table1" in sentence


def test_a_misspelt_space_gets_its_right_name() -> None:
    assert "did you mean digits?" in complaint_of(space="digts")


def test_a_field_named_twice_is_not_silently_the_last() -> None:
    with pytest.raises(yaml.YAMLError, match="twice"):
        read_yaml("a: 1\na: 2")


def test_a_space_never_changes() -> None:
    spec: Any = load_space("digits")
    with pytest.raises(ValueError, match="frozen"):
        spec.seed = 1


def test_a_table_of_the_paper_is_the_paper_s() -> None:
    spec = load_space("table1_paper")
    assert len(spec.cells()) == 18
    assert spec.budget.trials_per_stratum == 0
    assert spec.confirm_epochs == 250
    assert spec.confirm.num_seeds >= 5
    for stratum in spec.cells():
        config = spec.trial_config(stratum, {})
        assert config.objective == "published"
        assert config.network.kind == "reference"
        assert (config.optimizer.learning_rate, config.optimizer.batch_size) == (5e-4, 100)
        assert config.optimizer.gradient_clip == 0.25
        assert not config.has_bound
        assert config.data.flip == (stratum.dataset == "cifar10")


EQUIVALENT = "{name: C, kind: equivalent, dataset: cifar10, bound: 3"


@pytest.mark.parametrize("reason", ["", ", reason: ' '"])
def test_a_bound_of_equivalence_needs_its_reason(reason: str) -> None:
    with pytest.raises(InputError, match="C needs a reason for its bound of 3") as caught:
        load_space("table1", [f"claims=[{EQUIVALENT}{reason}}}]"])
    assert_reads_well(str(caught.value))


def test_a_study_of_before_there_were_reasons_goes_on_with_a_space_that_gives_one() -> None:
    before = parse_space({**table_without_reasons(), "revision": 1}, "stored")
    check_extension(before, space_of_revision(load_space("table1"), 1))
    assert "reason" not in dump_space(before)


def table_without_reasons() -> dict[str, Any]:
    values: dict[str, Any] = read_yaml(dump_space(load_space("table1")))
    for claim in values["claims"]:
        claim.pop("reason", None)
    return values


@pytest.mark.parametrize("name", ["table1", "table1_paper"])
def test_a_shipped_bound_calls_itself_a_judgement(name: str) -> None:
    reasons = [c.reason for c in load_space(name).claims if c.kind == "equivalent"]
    assert reasons
    assert all("a judgement of ours" in reason for reason in reasons)


@pytest.mark.parametrize("name", ["beta_schedules", "num_steps", "kl_annealing"])
def test_what_a_study_of_one_thing_varies_is_one_thing(name: str) -> None:
    spec = load_space(name)
    groups = {path.rpartition(".")[0] for v in spec.variants.values() for path in v}
    assert len(groups) == 1
    assert spec.budget.trials_per_stratum == 0
    assert all(len(spec.variants_of(s)) == len(spec.variants) for s in spec.cells())


@pytest.mark.parametrize("kind", ["diagonal", "discretized_logistic"])
def test_a_likelihood_s_kind_survives_the_file(kind: str) -> None:
    changes = [f"likelihood={{kind: {kind}}}", "network={kind: resnet}"]
    spec = load_space("beta_schedules", changes)
    again = parse_space(read_yaml(dump_space(spec)), "file")
    assert again == spec
    assert (again.likelihood.kind, again.network.kind) == (kind, "resnet")


def test_what_a_data_set_was_found_to_be_is_checked_against_the_space() -> None:
    spec = load_space("table1", ["strata.dataset=mine"])
    facts = DatasetFacts(format=ImageFormat(channels=3, size=48), fingerprint="0")
    with pytest.raises(InputError, match="those of mine are 48"):
        spec.with_datasets({"mine": facts})
