"""The backend as it is deployed, once for all tests that use it; skipped where ministack is not installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.deployed import Deployed
from tests.cloud.ministack import MinistackProcess, write_template
from tests.tools.wheels import build_package
from tools import ministack as tool


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinistackProcess]:
    """A stand-in for AWS, which starts with the first test that needs it and serves all of them."""
    try:
        python = tool.find()
    except tool.Missing as missing:
        pytest.skip(str(missing))
    process = MinistackProcess(python, tmp_path_factory.mktemp("ministack"))
    yield process
    process.stop()


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions' zip for this machine, on which ministack runs them."""
    return build_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template, as ministack takes it."""
    return write_template(tmp_path_factory.mktemp("template") / "template.json")


@pytest.fixture(scope="session")
def deployed(ministack: MinistackProcess, package: Path, template: Path) -> Deployed:
    """The backend, deployed by tools.deploy."""
    return Deployed(ministack, package, template, "kizuna")
