"""What is copied for the page, and what is not."""

from pathlib import Path

import pytest

from tools.build.vendor import PYODIDE_FILES, vendor


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A node_modules/ with the two packages, each file holding its own name."""
    names = ["dist/core.js", "dist/core.js.map", "dist/toml-1.js", "LICENSE", "src/core.js"]
    files = [f"@pyscript/core/{name}" for name in names]
    files += [f"pyodide/{name}" for name in (*PYODIDE_FILES, "console.html")]
    for name in files:
        path = tmp_path / "node_modules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return tmp_path / "node_modules"


def copied(target: Path) -> set[str]:
    return {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}


def test_what_a_browser_loads_is_copied_and_source_maps_are_not(modules: Path, tmp_path: Path):
    target = tmp_path / "static" / "vendor"
    vendor(modules, target)
    assert copied(target) == {
        "pyscript/LICENSE",
        "pyscript/core.js",
        "pyscript/toml-1.js",
        *(f"pyodide/{name}" for name in PYODIDE_FILES),
    }


def test_nothing_of_an_earlier_version_stays(modules: Path, tmp_path: Path):
    target = tmp_path / "vendor"
    vendor(modules, target)
    (modules / "@pyscript/core/dist/toml-1.js").rename(modules / "@pyscript/core/dist/toml-2.js")
    vendor(modules, target)
    assert "pyscript/toml-2.js" in copied(target)
    assert "pyscript/toml-1.js" not in copied(target)


def test_a_package_with_another_layout_is_an_error(modules: Path, tmp_path: Path):
    (modules / "pyodide/pyodide.asm.wasm").unlink()
    with pytest.raises(FileNotFoundError):
        vendor(modules, tmp_path / "vendor")
