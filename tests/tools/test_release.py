"""A tag publishes what passed, if tag, version and changelog agree; each job has only the rights that it needs."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

import kizuna
from tools.checks import release

ROOT = Path(__file__).parents[2]
WORKFLOW: dict[Any, Any] = yaml.safe_load(
    (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
)
JOBS = WORKFLOW["jobs"]


def commands(job: str) -> list[list[str]]:
    return [shlex.split(step["run"]) for step in JOBS[job]["steps"] if "run" in step]


def used(job: str) -> dict[str, dict[str, Any]]:
    """The actions of a job with their arguments, by name."""
    return {
        step["uses"].partition("@")[0]: step.get("with", {}) for step in JOBS[job]["steps"] if "uses" in step
    }


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the files that the check reads, in which nothing stands in the way of v1.2.3."""
    for name in ("app/kizuna/__init__.py", "CHANGELOG.md", *release.PUBLISHED):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in release.PUBLISHED:
        change(tmp_path / name, release.NOBODY, "github.com/somebody/")
    change(tmp_path / "app/kizuna/__init__.py", f'"{kizuna.__version__}"', '"1.2.3"')
    change(tmp_path / "CHANGELOG.md", "# Changelog\n", "# Changelog\n\n## 1.2.3 - 2030-01-31\n")
    return tmp_path


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_nothing_stands_in_the_way_of_a_prepared_release(tree: Path):
    assert list(release.obstacles(tree, "v1.2.3")) == []


@pytest.mark.parametrize("tag", ["v1.2.4", "1.2.3", "v1.2.3rc1"])
def test_a_tag_that_is_not_the_version_stops_the_release(tree: Path, tag: str):
    assert list(release.obstacles(tree, tag)) == [f"the tag is {tag}, and kizuna.__version__ is 1.2.3"]


def test_a_changelog_without_the_version_stops_the_release(tree: Path):
    change(tree / "CHANGELOG.md", "## 1.2.3 - 2030-01-31", "## 1.2.3")
    assert list(release.obstacles(tree, "v1.2.3")) == ["CHANGELOG.md has no section ## 1.2.3 with a date"]


@pytest.mark.parametrize("name", release.PUBLISHED)
def test_a_repository_without_an_owner_stops_the_release(tree: Path, name: str):
    (tree / name).write_text(f"https://{release.NOBODY}kizuna", encoding="utf-8")
    assert [found.partition(" ")[0] for found in release.obstacles(tree, "v1.2.3")] == [name]


def test_the_command_says_the_obstacles_and_fails(capsys: pytest.CaptureFixture[str]):
    assert release.main(["v0.0.0"]) == 1
    assert "the tag is v0.0.0, and kizuna.__version__ is" in capsys.readouterr().err


def test_only_tags_start_it_and_tests_and_checks_come_first():
    assert WORKFLOW[True] == {"push": {"tags": ["v*"]}}
    assert JOBS["test"]["uses"] == "./.github/workflows/test.yml"
    assert [JOBS[job].get("needs") for job in ("build", "publish", "attach")] == ["test", "build", "publish"]
    check, build, test = commands("build")
    assert check == ["python3", "-m", "tools.checks.release", "$GITHUB_REF_NAME"]
    assert build == ["make", "dist"]
    assert re.search(r"^dist:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    paths = test[-1].removeprefix("ARGS=").split()
    assert paths
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_the_jobs_that_may_publish_run_nothing_of_the_repository():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    allowed = {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job}
    assert allowed == {"publish": {"id-token": "write"}, "attach": {"contents": "write"}}
    assert set(used("publish")) == {"actions/download-artifact", "pypa/gh-action-pypi-publish"}
    assert set(used("attach")) == {"actions/download-artifact"}
    assert commands("publish") == []
    ((program, *_),) = commands("attach")
    assert program == "gh"
    assert JOBS["publish"]["environment"] == {"name": "release"}
    assert "secrets." not in str(WORKFLOW)


def test_what_is_built_is_what_is_published():
    kept = used("build")["actions/upload-artifact"]
    folder = kept["path"].partition("/")[0]
    for job in ("publish", "attach"):
        assert used(job)["actions/download-artifact"] == {"name": kept["name"], "path": folder}
    assert used("publish")["pypa/gh-action-pypi-publish"] == {"packages-dir": folder}
    assert f"{folder}/*" in commands("attach")[0]
