"""ministack: installed once for each list of pins, and what is said where it cannot be."""

from pathlib import Path

import pytest

from tools.setup import ministack
from tools.setup.ministack import NotInstalled


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    path = tmp_path / "ministack.txt"
    path.write_text("ministack==1 --hash=sha256:0\n")
    return path


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Every command that was run; all of them work."""
    ran: list[list[str]] = []

    def run(title: str, command: list[str]) -> int:
        ran.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir()
        return 0

    monkeypatch.setattr(ministack, "run", run)
    return ran


def test_it_is_installed_once_by_hashes_into_its_environment(
    tmp_path: Path, requirements: Path, commands: list[list[str]]
):
    folder = tmp_path / "environment"
    with pytest.raises(NotInstalled, match="make ministack"):
        ministack.find(folder, requirements)
    assert ministack.main(folder, requirements) == 0
    assert ministack.main(folder, requirements) == 0
    making, installing = commands
    assert making[-3:] == ["venv", "--clear", str(folder)]
    assert installing[0] == str(folder / "bin" / "python") == str(ministack.find(folder, requirements))
    assert "--require-hashes" in installing


def test_another_list_of_pins_is_installed_anew(
    tmp_path: Path, requirements: Path, commands: list[list[str]]
):
    folder = tmp_path / "environment"
    ministack.main(folder, requirements)
    requirements.write_text("ministack==2 --hash=sha256:1\n")
    with pytest.raises(NotInstalled):
        ministack.find(folder, requirements)
    folder.rename(tmp_path / "old")
    ministack.main(folder, requirements)
    assert len(commands) == 4
    ministack.find(folder, requirements)


@pytest.mark.parametrize("failing", ["venv", "install"])
def test_where_it_cannot_be_had_its_tests_will_be_skipped(
    failing: str,
    tmp_path: Path,
    requirements: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(ministack, "run", lambda title, command: int(failing in command))
    assert ministack.main(tmp_path / "environment", requirements) == 0
    assert capsys.readouterr().out == (
        "ministack is missing; the tests of the backend as it is deployed will be skipped\n"
    )
    with pytest.raises(NotInstalled):
        ministack.find(tmp_path / "environment", requirements)
