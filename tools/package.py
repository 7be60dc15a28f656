"""The zip of the Lambda functions: `python -m tools.package` writes dist/kizuna-aws.zip.

It has what `backend.aws.lambda_handler` imports of this project, and the packages of requirements/aws.txt, fetched by
their hashes for Lambda's machine (Linux on arm64). The same sources give the same bytes: names are sorted, times and
rights are fixed, nothing is compiled. (Another version of zlib may give other bytes.)
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tools.checks.house import Source, imports
from tools.setup.step import run

ROOT = Path(__file__).resolve().parent.parent
ENTRY = "backend.aws.lambda_handler"
#: The folders of the project's modules, by top-level name.
HOMES = {"backend": ROOT, "chat": ROOT / "app"}

REQUIREMENTS = ROOT / "requirements" / "aws.txt"
OUTPUT = Path("dist/kizuna-aws.zip")

#: The functions' runtime, as backend/aws/template.yaml has it.
PYTHON = "3.13"
#: pip's names of Lambda's machines, newest first. The template uses arm64.
PLATFORMS = {
    "arm64": ("manylinux_2_28_aarch64", "manylinux2014_aarch64", "any"),
    "x86_64": ("manylinux_2_28_x86_64", "manylinux2014_x86_64", "any"),
}
#: This machine and this Python, for an emulator that runs functions as processes.
HERE = "here"
#: The services that backend/ uses; botocore's descriptions of all are 25 MB.
SERVICES = frozenset({"apigatewaymanagementapi", "dynamodb", "ssm"})

#: The earliest time in a zip, and rights to read for every user, since Lambda runs as another one.
MOMENT = (1980, 1, 1, 0, 0, 0)
RIGHTS = 0o644 << 16
UNIX = 3
#: Lambda's quotas in bytes: of a zip that is uploaded directly, and of its content.
MAX_ZIPPED = 50 * 1024 * 1024
MAX_UNPACKED = 250 * 1024 * 1024


def own_modules(entry: str = ENTRY, homes: Mapping[str, Path] = HOMES) -> dict[str, Path]:
    """Return the project's files that a module needs, with all indirect imports, by their names in the zip."""
    found: dict[str, Path] = {}
    left = [entry]
    while left:
        module = left.pop()
        parent, _, _ = module.rpartition(".")
        home = homes.get(module.partition(".")[0])
        if home is None:
            continue
        left += [parent] if parent else []  # a package, or the module that defines the name
        path = _file_of(home, module)
        if path is not None and (name := path.relative_to(home).as_posix()) not in found:
            found[name] = path
            left += (
                imported for _, imported in imports(Source(path.as_posix(), path.read_text(encoding="utf-8")))
            )
    return found


def _file_of(home: Path, module: str) -> Path | None:
    """Return the file of a module or package; None for a name in a module."""
    path = home.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def wanted(name: str) -> bool:
    """Return whether Lambda needs a file of an installed package."""
    parts = PurePosixPath(name).parts
    if "__pycache__" in parts or name.endswith("/"):
        return False
    if parts[:2] == ("botocore", "data") and len(parts) > 3:
        return parts[2] in SERVICES
    return True


def wheel_files(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files that a wheel installs into site-packages."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            place = name
            if ".data/" in name:
                _, _, rest = name.partition(".data/")
                kind, _, place = rest.partition("/")
                if kind not in ("purelib", "platlib"):
                    continue
            if wanted(place):
                yield place, archive.read(name)


def collect(wheels: Sequence[Path]) -> dict[str, bytes]:
    """Return the content of the zip by name. Raises ValueError if two packages have different files of one name."""
    files = {name: path.read_bytes() for name, path in own_modules().items()}
    for wheel in wheels:
        for name, data in wheel_files(wheel):
            if files.setdefault(name, data) != data:
                raise ValueError(f"{wheel.name} has a {name} that differs from another package's")
    return files


def write_zip(files: Mapping[str, bytes], target: Path) -> None:
    """Write files into a reproducible zip. Raises ValueError beyond Lambda's quotas."""
    if (unpacked := sum(map(len, files.values()))) > MAX_UNPACKED:
        raise ValueError(f"{unpacked:,} bytes, and Lambda unpacks at most {MAX_UNPACKED:,}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, MOMENT)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = RIGHTS
            info.create_system = UNIX
            archive.writestr(info, files[name], compresslevel=9)
    if target.stat().st_size > MAX_ZIPPED:
        raise ValueError(
            f"{target} has {target.stat().st_size:,} bytes, and Lambda takes at most {MAX_ZIPPED:,}"
        )


def fetch(folder: Path, machine: str, requirements: Path = REQUIREMENTS) -> int:
    """Let pip fetch the wheels by their hashes into an empty folder, and return its exit code."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "2"]
    what = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", str(requirements)]
    command = [*pip, "download", *what, *_target(machine), "--dest", str(folder)]
    return run("Fetching the functions' packages", command)


def _target(machine: str) -> list[str]:
    if machine == HERE:
        return []
    platforms = [word for platform in PLATFORMS[machine] for word in ("--platform", platform)]
    return [*platforms, "--python-version", PYTHON, "--implementation", "cp"]


@dataclass(frozen=True, slots=True)
class BuiltZip:
    """A built zip. Sizes are bytes, ``digest`` is its SHA-256 in hexadecimal."""

    path: Path
    files: int
    size: int
    unpacked: int
    digest: str

    def __str__(self) -> str:
        sizes = f"{self.size / 2**20:.1f} MiB ({self.unpacked / 2**20:.1f} MiB unpacked)"
        return f"{self.path}: {self.files} files, {sizes}, sha256 {self.digest}"


def build(wheels: Path, target: Path) -> BuiltZip:
    """Build the zip from a folder of wheels. Raises ValueError if there are none, and beyond Lambda's quotas."""
    found = sorted(wheels.glob("*.whl"))
    if not found:
        raise ValueError(f"{wheels} has no wheels")
    files = collect(found)
    write_zip(files, target)
    data = target.read_bytes()
    return BuiltZip(
        target, len(files), len(data), sum(map(len, files.values())), hashlib.sha256(data).hexdigest()
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the zip, print its sizes and hash, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.package", description="Build the Lambda functions' zip."
    )
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--machine", choices=[*PLATFORMS, HERE], default="arm64", help="what it runs on")
    parser.add_argument("--wheels", type=Path, help="a folder with the wheels; without it they are fetched")
    options = parser.parse_args(arguments)
    wheels: Path = options.wheels or options.output.parent / f"wheels-{options.machine}"
    if options.wheels is None and (code := fetch(wheels, options.machine)):
        return code
    try:
        built = build(wheels, options.output)
    except ValueError as error:
        print(f"make package: {error}", file=sys.stderr)
        return 1
    print(built)
    return 0


if __name__ == "__main__":
    sys.exit(main())
