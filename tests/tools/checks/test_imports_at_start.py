"""The inspector costs a start nothing: no module of it is imported before somebody opens it."""

from __future__ import annotations

from pathlib import Path

from tools.checks.house import Source, imports_at_start

APP = Path(__file__).resolve().parents[3] / "app"


def loaded_from(first: str) -> set[str]:
    """The modules of app/ that importing ``first`` loads."""
    due, loaded = [first], set[str]()
    while due:
        name = due.pop()
        if name in loaded:
            continue
        path = APP.joinpath(*name.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if not file.is_file():
            continue
        loaded.add(name)
        due += [*imports_at_start(Source(file.as_posix(), file.read_text(encoding="utf-8")))]
        due += name.rpartition(".")[:1]
    return loaded


def test_a_start_imports_no_module_of_the_inspector():
    loaded = loaded_from("main")
    assert {"ui.page", "ui.connection.view", "kizuna.service", "kizuna.platform"} <= loaded
    assert not {name for name in loaded if name.startswith("ui.inspector")}
    assert {name for name in loaded_from("ui.inspector.view") if name.startswith("ui.inspector.")}
