"""What Lambda runs: everything that it imports, nothing else, and the same bytes from the same sources."""

import ast
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tests.tools.wheels import build_package, make_wheel, pins
from tools import package
from tools.package import HERE, PLATFORMS, PYTHON, ROOT, SERVICES, build, own_modules, wheel_files, write_zip

SETTINGS = {
    "TABLE_NAME": "kizuna",
    "ALLOWED_ORIGINS": "https://chat.example.org",
    "TOKEN_SECRET_PARAMETER": "/kizuna/secret",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
# What a function does at its start, and with a first event; then what it has loaded.
FIRST_EVENT = """
import sys, json
sys.path.append(sys.argv[1])
import backend.aws.lambda_handler
from backend.gateway.aws import management_client
import cryptography.hazmat.bindings._rust
management_client("https://api.example.org/prod")
event = {"requestContext": {"http": {"method": "GET"}}, "rawPath": "/", "routeKey": "$default"}
answer = backend.aws.lambda_handler.handler(event, None)
modules = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
print(json.dumps([answer["statusCode"], modules]))
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    with zipfile.ZipFile(build_package(folder)) as archive:
        archive.extractall(folder / "code")
    return folder / "code"


@pytest.fixture(scope="module")
def started(unpacked: Path) -> tuple[int, dict[str, str | None]]:
    """A function that had its first event."""
    return first_event(unpacked)


def first_event(code: Path, **settings: str) -> tuple[int, dict[str, str | None]]:
    """The status of a first event, and what was imported from where, with the zip and the standard library alone."""
    done = subprocess.run(
        [sys.executable, "-B", "-I", "-S", "-c", FIRST_EVENT, str(code)],
        env={**SETTINGS, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    status, modules = json.loads(done.stdout)
    return status, modules


# --- what is in it ---


def test_the_zip_runs_with_nothing_but_a_python_around_it(unpacked: Path, started):
    status, modules = started
    assert status == 404
    assert {"boto3", "jwt", "cryptography"} <= modules.keys()
    for name in ("boto3", "botocore", "jwt", "cryptography", "backend", "chat.protocol"):
        assert str(modules[name]).startswith(str(unpacked)), name


def test_of_this_project_it_holds_what_is_imported_and_nothing_else(unpacked: Path, started):
    _, modules = started
    imported = {name for name in modules if name.partition(".")[0] in ("backend", "chat")}
    held = {
        path.relative_to(unpacked) for top in ("backend", "chat") for path in (unpacked / top).rglob("*.py")
    }
    names = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in held}
    assert names == imported
    assert not names & {
        "backend.server",
        "backend.local.web",
        "backend.store.sqlite",
        "backend.gateway.local",
    }


def test_of_other_packages_it_holds_those_of_its_requirements(unpacked: Path):
    beside = {path.name.partition(".")[0] for path in unpacked.iterdir() if path.suffix != ".dist-info"}
    assert {"boto3", "botocore", "jwt", "cryptography", "urllib3"} <= beside
    assert not beside & {"starlette", "uvicorn", "pytest", "kizuna", "ui", "tests", "tools", "bin"}
    assert not list(unpacked.rglob("__pycache__"))


def test_it_describes_the_services_that_the_backend_calls_and_no_others(unpacked: Path):
    described = {path.name for path in (unpacked / "botocore" / "data").iterdir() if path.is_dir()}
    assert described == SERVICES
    called = {
        call.args[0].value
        for path in own_modules().values()
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) == "boto3.client"
        and isinstance(call.args[0], ast.Constant)
    }
    assert called == SERVICES


def test_what_the_functions_import_is_what_the_tests_ran_with():
    tested = {**pins(ROOT / "requirements" / "test.txt"), **pins(ROOT / "requirements" / "run.txt")}
    functions = pins(package.REQUIREMENTS)
    assert {"boto3", "pyjwt", "cryptography"} <= functions.keys()
    assert functions == {name: tested.get(name) for name in functions}


def test_the_zip_is_for_the_templates_machine_and_python():
    template = (ROOT / "backend" / "aws" / "template.yaml").read_text(encoding="utf-8")
    assert f"Runtime: python{PYTHON}\n" in template
    assert "Architectures: [arm64]\n" in template
    assert f"CodeUri: ../{package.OUTPUT}\n" in template


# --- the same bytes ---


def test_the_same_sources_give_the_same_zip(tmp_path: Path):
    files = {"b.py": b"B = 1\n", "a/__init__.py": b""}
    first = build(make_wheel(tmp_path / "one", "x-1", files).parent, tmp_path / "one.zip")
    backwards = dict(reversed(files.items()))
    wheel = make_wheel(tmp_path / "two", "x-1", backwards)
    os.utime(wheel, (time.time() - 86400, time.time() - 86400))
    second = build(wheel.parent, tmp_path / "two.zip")
    assert first.digest == second.digest
    assert first.path.read_bytes() == second.path.read_bytes()
    third = build(
        make_wheel(tmp_path / "three", "x-1", {**files, "b.py": b"B = 2\n"}).parent, tmp_path / "3.zip"
    )
    assert third.digest != first.digest


def test_files_in_the_zip_are_readable_and_undated(tmp_path: Path):
    write_zip({"a.py": b"", "b/c.so": b"x"}, tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        for info in archive.infolist():
            assert (info.external_attr >> 16, info.date_time) == (0o644, (1980, 1, 1, 0, 0, 0))


# --- wheels ---


def test_commands_and_caches_of_a_wheel_stay_out(tmp_path: Path):
    wheel = make_wheel(
        tmp_path,
        "x-1",
        {
            "x.py": b"1",
            "x/__pycache__/y.pyc": b"2",
            "x-1.data/scripts/run": b"3",
            "x-1.data/platlib/z.so": b"4",
            "x-1.data/headers/x.h": b"5",
            "botocore/data/endpoints.json": b"6",
            "botocore/data/s3/2006/service-2.json": b"7",
            "botocore/data/ssm/2014/service-2.json": b"8",
        },
    )
    assert dict(wheel_files(wheel)) == {
        "x.py": b"1",
        "z.so": b"4",
        "botocore/data/endpoints.json": b"6",
        "botocore/data/ssm/2014/service-2.json": b"8",
    }


def test_two_packages_with_one_file_are_a_mistake_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    make_wheel(tmp_path, "one-1", {"same.py": b"1"})
    make_wheel(tmp_path, "two-1", {"same.py": b"2"})
    assert package.main(["--wheels", str(tmp_path), "--output", str(tmp_path / "x.zip")]) == 1
    assert capsys.readouterr().err == (
        "make package: two-1.whl has a same.py that differs from another package's\n"
    )


def test_no_wheels_are_no_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert package.main(["--wheels", str(tmp_path), "--output", str(tmp_path / "x.zip")]) == 1
    assert capsys.readouterr().err == f"make package: {tmp_path} has no wheels\n"
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.parametrize("quota", ["MAX_UNPACKED", "MAX_ZIPPED"])
def test_a_zip_that_lambda_would_refuse_is_refused_here(
    quota: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    make_wheel(tmp_path, "one-1", {"x.py": b"1"})
    monkeypatch.setattr(package, quota, 1000)
    assert package.main(["--wheels", str(tmp_path), "--output", str(tmp_path / "x.zip")]) == 1
    assert "and Lambda" in capsys.readouterr().err


@pytest.mark.parametrize("machine", [*PLATFORMS, HERE])
def test_packages_are_fetched_by_their_hashes_for_the_machine_that_runs_them(
    machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    commands = []

    def run(title: str, command: list[str]) -> int:
        commands.append(command)
        make_wheel(Path(command[command.index("--dest") + 1]), "x-1", {"x.py": b"1"})
        return 0

    monkeypatch.setattr(package, "run", run)
    (tmp_path / f"wheels-{machine}").mkdir()
    (tmp_path / f"wheels-{machine}" / "old-1.whl").write_bytes(b"of yesterday")
    assert package.main(["--machine", machine, "--output", str(tmp_path / "x.zip")]) == 0
    assert f"{tmp_path / 'x.zip'}: " in capsys.readouterr().out
    (command,) = commands
    assert {"--require-hashes", "--no-deps", ":all:"} <= set(command)
    platforms = [command[i + 1] for i, word in enumerate(command) if word == "--platform"]
    assert tuple(platforms) == PLATFORMS.get(machine, ())
    assert (PYTHON in command) == (machine != HERE)


def test_when_nothing_can_be_fetched_nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(package, "run", lambda title, command: 3)
    assert package.main(["--output", str(tmp_path / "x.zip")]) == 3
    assert not (tmp_path / "x.zip").exists()
