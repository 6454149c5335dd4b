"""A prior of a user's own, from one file, which is the README's example."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.distributions import Independent, Normal

from search_spaces import dump_space, load_space
from trainables.config import TrialConfig, prior_kinds
from trainables.error import InputError
from trainables.plugin import load_plugins
from trainables.priors import build_prior

README = Path(__file__).parents[2] / "README.md"
SPACE = """
name: mine
plugins: [laplace.py]
strata: {dataset: digits, prior: [gaussian, laplace], latent_size: 4}
priors: {laplace: {scale: 0.7}}
domains: {laplace: {prior.scale: {kind: log_uniform, low: 0.1, high: 2}}}
budget: {trials_per_stratum: 2, max_epochs: 3}
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """The file that the README shows."""
    example = re.search(r"```python\n(# laplace\.py\n.*?)```", README.read_text(), re.DOTALL)
    assert example is not None
    path = tmp_path / "laplace.py"
    path.write_text(example[1])
    return path


@pytest.fixture
def space(plugin: Path) -> Path:
    path = plugin.with_name("space.yaml")
    path.write_text(SPACE)
    return path


def test_a_space_may_name_the_prior_of_its_plugin(space: Path) -> None:
    spec = load_space(space)
    assert [str(s) for s in spec.cells()] == ["digits/gaussian/4", "digits/laplace/4"]
    config = spec.trial_config(spec.cells()[1], {"prior.scale": 0.5})
    assert config.prior.kind == "laplace"
    assert TrialConfig.model_validate_json(config.model_dump_json()) == config
    assert "laplace" in dump_space(spec)


def test_its_prior_is_one_like_any_other(space: Path) -> None:
    spec = load_space(space)
    torch.manual_seed(0)
    prior = build_prior(spec.trial_config(spec.cells()[1], {}).prior, 4)
    loc = torch.randn(20_000, 4) * 0.3
    q = Independent(Normal(loc, torch.full_like(loc, 0.4)), 1)
    z = q.sample()
    by_hand = q.log_prob(z) - torch.distributions.Laplace(0.0, 0.7).log_prob(z).sum(-1)
    difference = prior.rate(q, z) - by_hand
    assert difference.mean().abs() < 4 * difference.std() / len(z) ** 0.5 + 1e-5
    assert prior.sample(5).shape == (5, 4)


def test_a_plugin_is_loaded_once_however_often_it_is_named(plugin: Path) -> None:
    load_plugins([plugin, plugin])
    load_plugins([plugin])
    assert prior_kinds().count("laplace") == 1


def test_defining_a_prior_loads_no_torch(space: Path) -> None:
    code = (
        "import sys; from search_spaces import load_space;"
        f"load_space({str(space)!r}); print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1", "registers no new prior"),
        ("import no_such_module", "raised ModuleNotFoundError"),
        ("def broken(:", "raised SyntaxError"),
        (
            "from trainables.config import PriorConfigBase, register_prior\n"
            "@register_prior\nclass NoKind(PriorConfigBase):\n    width: int = 3\n",
            "needs a field kind",
        ),
        (
            "from typing import Literal\n"
            "from trainables.config import PriorConfigBase, register_prior\n"
            "@register_prior\nclass Taken(PriorConfigBase):\n"
            "    kind: Literal['flow'] = 'flow'\n",
            "is that of FlowPriorConfig already",
        ),
    ],
)
def test_a_plugin_that_is_none_is_refused_in_a_sentence(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = tmp_path / "plugin.py"
    path.write_text(text)
    known = prior_kinds()
    with pytest.raises(InputError, match=complaint):
        load_plugins([path])
    assert prior_kinds() == known


def test_a_plugin_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.py cannot be read"):
        load_plugins([tmp_path / "nowhere.py"])
