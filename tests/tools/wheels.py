"""Wheels for tests that may fetch nothing: made of the packages that are installed beside the tests."""

import re
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tools.package import REQUIREMENTS, collect, wanted


def pins(requirements: Path) -> dict[str, str]:
    """The exact versions in a list of requirements, by name."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    return {
        re.split(r"[\[=]", line)[0]: line.partition("==")[2].split()[0]
        for line in lines
        if "==" in line and not line.startswith((" ", "#"))
    }


def make_wheel(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    """A wheel with these files and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return wheel


def installed_wheels(folder: Path) -> Path:
    """A folder with a wheel of each package that the functions need, for this machine; skips where one is not here."""
    for name, version in pins(REQUIREMENTS).items():
        package = distribution(name)
        if package.version != version:
            pytest.skip(f"{name} {package.version} is installed, the functions take {version}")
        files = {
            str(file): Path(str(file.locate())).read_bytes()
            for file in package.files or ()
            if ".." not in file.parts and wanted(str(file)) and file.name not in ("RECORD", "INSTALLER")
        }
        make_wheel(folder, f"{name}-{version}-here", files)
    return folder


def build_package(folder: Path) -> Path:
    """The functions' zip for this machine, not compressed: that would take seconds."""
    files = collect(sorted(installed_wheels(folder / "wheels").glob("*.whl")))
    path = folder / "kizuna-aws.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path
