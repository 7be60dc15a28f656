"""The workflow for GitHub Pages asks for what is there, and for no right that it does not need."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tools.build import site as build

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
#: A commit cannot be moved on by an action's publisher, as a tag can.
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}|\./\.github/workflows/\w+\.yml")


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    # YAML 1.1, which PyYAML reads, takes the key `on` for True.
    text = (ROOT / ".github" / "workflows" / "pages.yml").read_text(encoding="utf-8")
    loaded: dict[Any, Any] = yaml.safe_load(text)
    return {"on" if key is True else key: value for key, value in loaded.items()}


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job.get("steps", ())]


def commands(workflow: dict[str, Any]) -> list[list[str]]:
    lines = [line for step in steps(workflow) for line in step.get("run", "").splitlines()]
    return [shlex.split(line) for line in lines]


def test_every_action_is_pinned():
    assert WORKFLOWS
    for path in WORKFLOWS:
        used = re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8"))
        assert used
        assert [action for action in used if not PINNED.fullmatch(action)] == []


def test_pull_requests_run_every_test_and_may_write_nothing():
    """The code of a pull request is anybody's. The pure tests run on every Python that the library promises."""
    text = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    loaded: dict[Any, Any] = yaml.safe_load(text)
    assert loaded[True] == {"push": {"branches": ["main"]}, "pull_request": None, "workflow_call": None}
    assert loaded["permissions"] == {"contents": "read"}
    jobs = loaded["jobs"]
    assert all("permissions" not in job for job in jobs.values())
    assert "make test" in [step.get("run") for step in jobs["all"]["steps"]]
    assert jobs["unit"]["strategy"]["matrix"] == {"python": ["3.11", "3.12", "3.13", "3.14"]}
    assert "make check" in [step.get("run") for step in jobs["unit"]["steps"]]
    assert "secrets." not in text


def test_every_kind_of_dependency_is_kept_up_to_date():
    loaded = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))
    watched = {entry["package-ecosystem"]: entry["directory"] for entry in loaded["updates"]}
    assert watched == {"pip": "/requirements", "npm": "/", "github-actions": "/"}
    assert list((ROOT / "requirements").glob("*.txt"))
    assert (ROOT / "package-lock.json").is_file()


def test_it_runs_for_main_and_by_hand_one_at_a_time(workflow: dict[str, Any]):
    assert workflow["on"] == {"push": {"branches": ["main"]}, "workflow_dispatch": None}
    assert workflow["concurrency"] == {"group": "pages", "cancel-in-progress": False}


def test_only_the_deploying_job_may_write_and_it_runs_no_code(workflow: dict[str, Any]):
    assert workflow["permissions"] == {"contents": "read"}
    allowed = {name: job.get("permissions") for name, job in workflow["jobs"].items()}
    assert allowed == {"test": None, "build": None, "deploy": {"pages": "write", "id-token": "write"}}
    assert workflow["jobs"]["test"]["uses"] == "./.github/workflows/test.yml"
    assert workflow["jobs"]["build"]["needs"] == "test"
    deploy = workflow["jobs"]["deploy"]
    assert deploy["needs"] == "build"
    assert [set(step) for step in deploy["steps"]] == [{"id", "uses"}]
    assert deploy["environment"]["name"] == "github-pages"
    assert f"steps.{deploy['steps'][0]['id']}.outputs.page_url" in deploy["environment"]["url"]


def test_its_make_targets_are_there_and_their_arguments_are_understood(
    workflow: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    made = [words[1:] for words in commands(workflow) if words[0] == "make"]
    assert [words[0] for words in made] == ["build"]
    assert set(targets) >= {words[0] for words in made}
    (arguments,) = (words[1].removeprefix("ARGS=").split() for words in made)
    orders: list[build.BuildOptions] = []
    monkeypatch.setattr(build, "build", orders.append)
    assert build.main(arguments) == 0
    assert orders[0].config == Path("page.json")


def test_it_uploads_what_the_build_makes(workflow: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    orders: list[build.BuildOptions] = []
    monkeypatch.setattr(build, "build", orders.append)
    build.main([])
    (upload,) = (step for step in steps(workflow) if "upload-pages-artifact" in step.get("uses", ""))
    assert (ROOT / upload["with"]["path"]).resolve() == orders[0].site


def test_it_writes_the_configuration_that_the_build_reads_without_any_package(
    workflow: dict[str, Any], tmp_path: Path
):
    (step,) = (step for step in steps(workflow) if "page_config" in step.get("run", ""))
    words = shlex.split(step["run"])
    (build_words,) = (words for words in commands(workflow) if words[0] == "make")
    assert words[words.index("--to") + 1] in build_words[2]
    assert set(step["env"]) == {"PYTHONPATH", "KIZUNA_BACKEND", "KIZUNA_CONFIG"}

    def write(backend: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", *words[1:-1], str(tmp_path / "page.json")]
        environment = {**os.environ, "PYTHONPATH": step["env"]["PYTHONPATH"], "KIZUNA_BACKEND": backend}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    wrong = write("chat.example.org")
    assert wrong.returncode == 1
    assert "such as https://chat.example.org" in wrong.stderr
    assert write("").returncode == 0
    assert '"demo": true' in (tmp_path / "page.json").read_text(encoding="utf-8")
    assert write("https://chat.example.org").returncode == 0
    assert "wss://chat.example.org/ws" in (tmp_path / "page.json").read_text(encoding="utf-8")
