"""Wheels for tests that may fetch nothing: made of the packages that are installed beside the tests."""

import re
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tools.package import REQUIREMENTS, collect, wanted


def pins(requirements: Path) -> dict[str, str]:
    """The exact versions in a list of requirements, by name."""
    return dict(
        re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    )


def make_wheel(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    """A wheel with these files and nothing else, not compressed: that would take seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return wheel


def build_package(folder: Path) -> Path:
    """The functions' zip for this machine; skips where a package that they need is not here."""
    wheels = []
    for name, version in pins(REQUIREMENTS).items():
        package = distribution(name)
        if package.version != version:
            pytest.skip(f"{name} {package.version} is installed, the functions take {version}")
        files = {
            str(file): Path(str(file.locate())).read_bytes()
            for file in package.files or ()
            if ".." not in file.parts and wanted(str(file)) and file.name not in ("RECORD", "INSTALLER")
        }
        wheels.append(make_wheel(folder / "wheels", f"{name}-{version}-here", files))
    return make_wheel(folder, "kizuna-aws", collect(sorted(wheels))).rename(folder / "kizuna-aws.zip")


def pack_installed(folder: Path, name: str) -> Path:
    """A wheel of an installed package that pip can install again, without its scripts."""
    package = distribution(name)
    tags = [
        tag.split("-") for tag in re.findall(r"^Tag: (\S+)", package.read_text("WHEEL") or "", re.MULTILINE)
    ]
    tag = "-".join(".".join(sorted(set(part))) for part in zip(*tags, strict=True))
    files = {
        file.as_posix(): Path(str(file.locate())).read_bytes()
        for file in package.files or ()
        if ".." not in file.parts
        and "__pycache__" not in file.parts
        and file.name not in ("RECORD", "INSTALLER", "REQUESTED")
    }
    (metadata,) = (path for path in files if path.endswith(".dist-info/METADATA"))
    record = metadata.replace("METADATA", "RECORD")
    files[record] = "".join(f"{path},,\n" for path in [*files, record]).encode()
    return make_wheel(folder, f"{name.replace('-', '_')}-{package.version}-{tag}", files)
