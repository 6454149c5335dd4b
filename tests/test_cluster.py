"""cluster.yaml is what Ray accepts, is closed to strangers, and says commands that exist."""

import importlib.util
import json
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import typer
import yaml

from search_spaces import load_space, space_names
from study.cli import app

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "cluster.yaml").read_text()


@pytest.fixture
def cluster() -> dict[str, Any]:
    return dict(yaml.safe_load(TEXT))


def told_commands() -> list[list[str]]:
    """What the header says to run on the cluster: the words of each `ray exec`."""
    header = "\n".join(
        line.removeprefix("#") for line in TEXT.splitlines() if line.startswith("#")
    ).replace("\\\n", "")
    return [
        shlex.split(command) for command in re.findall(r'ray exec cluster\.yaml "([^"]+)"', header)
    ]


def start_commands(cluster: dict[str, Any]) -> list[str]:
    return [*cluster["head_start_ray_commands"], *cluster["worker_start_ray_commands"]]


def test_it_is_valid_by_the_schema_of_ray(cluster: dict[str, Any]) -> None:
    ray = importlib.util.find_spec("ray")
    assert ray is not None
    assert ray.submodule_search_locations is not None
    schema = Path(ray.submodule_search_locations[0]) / "autoscaler" / "ray-schema.json"
    jsonschema.validate(cluster, json.loads(schema.read_text()))


def test_workers_have_gpus_and_the_head_runs_no_trial(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    head = types.pop(cluster["head_node_type"])
    assert head["resources"] == {"CPU": 0}
    (worker,) = types.values()
    assert 0 <= worker["min_workers"] <= worker["max_workers"] <= cluster["max_workers"]
    assert worker["node_config"]["InstanceType"].startswith(("g", "p"))


def test_the_dashboard_listens_to_its_own_machine_alone(cluster: dict[str, Any]) -> None:
    (head,) = [line for line in cluster["head_start_ray_commands"] if "ray start" in line]
    assert "--dashboard-host=127.0.0.1" in head
    assert not any("0.0.0.0" in command for command in start_commands(cluster))


def test_the_first_autoscaler_is_chosen_before_the_head_starts(cluster: dict[str, Any]) -> None:
    (head,) = [line for line in cluster["head_start_ray_commands"] if "ray start" in line]
    before, _, _ = head.partition("ray start")
    assert "export RAY_enable_autoscaler_v2=0" in before


def test_all_nodes_have_the_token_and_ask_for_it(cluster: dict[str, Any]) -> None:
    assert cluster["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert any("RAY_AUTH_MODE=token" in command for command in cluster["setup_commands"])
    assert "ray get-auth-token --generate" in TEXT


def test_what_is_mounted_exists_and_is_no_more_than_the_project(cluster: dict[str, Any]) -> None:
    sources = set(cluster["file_mounts"].values()) - {"~/.ray/auth_token"}
    assert all((ROOT / source).exists() for source in sources)
    assert not sources & {".", "./", ".git", ".venv", "studies", "uv.lock"}
    wheel = {"study", "search_spaces", "trainables", "pyproject.toml", "README.md", "LICENSE"}
    assert wheel <= sources


def test_the_commands_told_exist_and_take_these_options() -> None:
    study = typer.main.get_command(app)
    commands = told_commands()
    assert [command[:3] for command in commands] == [
        ["study", "run", "table1"],
        ["study", "status", "table1"],
    ]
    for _, name, *arguments in commands:
        study.commands[name].make_context(name, arguments)  # type: ignore[attr-defined]


def test_the_run_told_names_a_space_and_fields_of_it() -> None:
    command = told_commands()[0]
    overrides = [word for word in command if re.match(r"[a-z_]+\.[a-z_.]+=", word)]
    assert command[2] in space_names()
    assert load_space(command[2], overrides).resources.gpus == 0.25
