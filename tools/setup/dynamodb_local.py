"""Bring DynamoDB Local, AWS's own stand-in for DynamoDB, and the Java that it needs, for tests of the store.

`find()` is for the tests. `python -m tools.setup.dynamodb_local` is for the Makefile: it fetches the npm package in
which AWS ships it, checks its hash and unpacks it beside the virtual environment's packages; as root on Debian and its
like it installs Java too. Elsewhere it says in one line that its tests will be skipped.

Its licence lets anybody use it for testing, and nobody pass it on: it is fetched, never committed.
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
#: As npm's lock files write it. Another content under the same version is refused.
INTEGRITY = "sha512-xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="
#: What we take out of the package: the program, and the licence beside it.
CONTENT = "package/emulator"

ENVIRONMENT = Path(sys.prefix)
NPM = ENVIRONMENT / "bin" / "npm"
FOLDER = ENVIRONMENT / "dynamodb-local" / VERSION

JAVA_PACKAGE = "default-jre-headless"


@dataclass(frozen=True, slots=True)
class DynamoDbLocal:
    """Where the parts are."""

    java: Path
    folder: Path


class Missing(Exception):
    """DynamoDB Local cannot be run here; the text says in one line why, and what to do."""


def find(folder: Path = FOLDER) -> DynamoDbLocal:
    """DynamoDB Local, ready to be started. Raises Missing."""
    if not (folder / "DynamoDBLocal.jar").is_file():
        raise Missing("DynamoDB Local is missing (make dynamodb-local fetches it)")
    if (java := find_java()) is None:
        raise Missing(f"Java is missing, which DynamoDB Local needs (on Debian: apt install {JAVA_PACKAGE})")
    return DynamoDbLocal(java, folder)


def find_java() -> Path | None:
    """Java, if it is here and runs: macOS has a `java` that only says where to get one."""
    java = shutil.which("java")
    if java is None:
        return None
    runs = subprocess.run([java, "-version"], capture_output=True, check=False).returncode == 0
    return Path(java) if runs else None


def fetch(folder: Path = FOLDER, npm: Path = NPM) -> int:
    """Lay the folder out unless it is there; return npm's exit code. Raises ValueError for another content."""
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
        # The last step, and one that is done or not: a folder that is there is whole.
        (place / "unpacked").replace(folder)
    return 0


def check(archive: Path) -> None:
    """Raise ValueError unless this is the very file that was pinned."""
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    if (found := "sha512-" + base64.b64encode(digest).decode()) != INTEGRITY:
        raise ValueError(f"{archive.name} is not what it was: its hash is {found}, not {INTEGRITY}")


def unpack(archive: Path, target: Path) -> None:
    """Take the program's files out of npm's archive."""
    with tarfile.open(archive) as tar:
        for member in tar:
            source = tar.extractfile(member)  # None for what is no file
            if source is not None and PurePosixPath(member.name).is_relative_to(CONTENT):
                path = target / PurePosixPath(member.name).relative_to(CONTENT)
                path.parent.mkdir(parents=True, exist_ok=True)
                with source, path.open("wb") as file:
                    shutil.copyfileobj(source, file)


def main(folder: Path = FOLDER, npm: Path = NPM) -> int:
    """Bring what is missing, or say that tests are going to be skipped. Only a wrong hash is a failure."""
    if find_java() is None and may_install():
        install([JAVA_PACKAGE])
    try:
        fetch(folder, npm)
    except ValueError as error:
        print(f"make: Fetching DynamoDB Local: {error}", file=sys.stderr)
        return 1
    try:
        find(folder)
    except Missing as missing:
        print(f"{missing}; the tests of the store on DynamoDB will be skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
