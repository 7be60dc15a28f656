"""The versions of Pyodide and PyScript: fetched once, checked by hash, and what is said where they cannot be had."""

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from tools.setup import compat
from tools.setup.compat import NotFetched

#: Package -> its files, as npm packs them.
PACKED = {
    "pyodide@1.0.0": {
        "package/pyodide.mjs": b"new",
        "package/README.md": b"",
        "package/a/pyodide.mjs": b"other",
    },
    "@pyscript/core@2.0.0": {
        "package/dist/core.js": b"core",
        "package/index.js": b"",
        "package/dist/core.js.map": b"",
    },
}


def pack(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


ARCHIVES = {package: pack(files) for package, files in PACKED.items()}
INTEGRITY = {
    package: f"sha512-{base64.b64encode(hashlib.sha512(archive).digest()).decode()}"
    for package, archive in ARCHIVES.items()
}


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The packages that npm was asked for, one by one; it has them all."""
    asked: list[str] = []

    def run(title: str, command: list[str]) -> int:
        *_, destination = (word for word in command if word.startswith("--pack-destination="))
        for package in command[command.index(destination) + 1 :]:
            asked.append(package)
            name = package.lstrip("@").replace("/", "-").replace("@", "-")
            (Path(destination.partition("=")[2]) / f"{name}.tgz").write_bytes(ARCHIVES[package])
        return 0

    monkeypatch.setattr(compat, "run", run)
    return asked


def test_what_a_browser_loads_is_fetched_once(tmp_path: Path, fetched: list[str]):
    folder = tmp_path / "compat"
    with pytest.raises(NotFetched, match=r"pyodide@1\.0\.0 is missing \(make compat fetches it\)"):
        compat.find("pyodide@1.0.0", folder)
    for _ in range(2):
        assert compat.fetch(PACKED, INTEGRITY, folder) == 0
    assert fetched == sorted(PACKED)
    found = {package: compat.find(package, folder) for package in PACKED}
    assert [path.name for path in found["pyodide@1.0.0"].iterdir()] == ["pyodide.mjs"]
    assert (found["pyodide@1.0.0"] / "pyodide.mjs").read_bytes() == b"new"
    assert [path.name for path in found["@pyscript/core@2.0.0"].iterdir()] == ["core.js"]
    assert len(list(folder.iterdir())) == 2


def test_a_package_with_another_hash_is_refused(
    tmp_path: Path, fetched: list[str], capsys: pytest.CaptureFixture[str]
):
    wrong = INTEGRITY | {"pyodide@1.0.0": INTEGRITY["@pyscript/core@2.0.0"]}
    assert compat.fetch(["pyodide@1.0.0"], wrong, tmp_path) == 1
    assert "pyodide@1.0.0 is not the package that versions.toml names" in capsys.readouterr().err
    with pytest.raises(NotFetched):
        compat.find("pyodide@1.0.0", tmp_path)


def test_only_the_quick_tests_can_be_skipped_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(compat, "run", lambda title, command: 7)
    assert compat.main([], tmp_path) == 7
    assert capsys.readouterr().out == ""
    assert compat.main(["--quick"], tmp_path) == 0
    assert capsys.readouterr().out == (
        "versions of PyScript and Pyodide are missing; the tests of the library with them will be skipped\n"
    )


def test_every_version_has_a_hash_and_every_quick_name_a_version():
    versions = compat.read()
    assert set(versions.packages(quick=False)) == set(versions.integrity)
    assert versions.quick <= {cell.name for cell in versions.cells}
    assert len(versions.packages(quick=True)) < len(versions.quick) + 4
