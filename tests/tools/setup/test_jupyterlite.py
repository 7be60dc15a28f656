"""JupyterLite: installed once for each list of pins."""

from pathlib import Path

import pytest

from tools.setup import jupyterlite
from tools.setup.compat import NotFetched


@pytest.fixture
def lists(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "jupyterlite.txt", tmp_path / "notebook.txt"
    for path in paths:
        path.write_text("one==1 --hash=sha256:0\n")
    return paths


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Every command that was run; all of them work."""
    ran: list[list[str]] = []

    def run(title: str, command: list[str]) -> int:
        ran.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir(exist_ok=True)
        return 0

    monkeypatch.setattr(jupyterlite, "run", run)
    return ran


def test_it_is_installed_once_for_each_list_of_pins(
    tmp_path: Path, lists: tuple[Path, Path], commands: list[list[str]]
):
    folder = tmp_path / "environment"
    with pytest.raises(NotFetched, match="JupyterLite is missing"):
        jupyterlite.find(folder, lists)
    assert jupyterlite.install(folder, lists) == 0
    assert jupyterlite.install(folder, lists) == 0
    found = jupyterlite.find(folder, lists)
    making, installing, downloading = commands
    assert making[-3:] == ["venv", "--clear", str(folder)]
    assert installing[0] == downloading[0] == str(found.python) == str(folder / "bin" / "python")
    assert downloading[-2:] == ["--dest", str(found.wheels)]
    assert all("--require-hashes" in command for command in (installing, downloading))

    lists[1].write_text("two==2 --hash=sha256:1\n")
    with pytest.raises(NotFetched):
        jupyterlite.find(folder, lists)
    assert jupyterlite.install(folder, lists) == 0
    assert len(commands) == 6


@pytest.mark.parametrize("failing", ["venv", "install", "download"])
def test_a_failed_step_leaves_it_missing(
    failing: str, tmp_path: Path, lists: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "environment").mkdir()
    monkeypatch.setattr(jupyterlite, "run", lambda title, command: 7 if failing in command else 0)
    assert jupyterlite.install(tmp_path / "environment", lists) == 7
    with pytest.raises(NotFetched):
        jupyterlite.find(tmp_path / "environment", lists)
