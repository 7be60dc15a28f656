"""A failed test leaves one folder with the artifacts of its pages, and names it."""

from __future__ import annotations

import shutil
import zipfile
from types import SimpleNamespace

import pytest

from tests.e2e.conftest import present
from tests.support.artifacts import ARTIFACTS
from tests.support.server import KizunaServer
from tests.support.user_page import UserPage


def test_failure_leaves_a_folder_that_its_message_names(ada: UserPage, server: KizunaServer) -> None:
    item = SimpleNamespace(name="test of [artefacts]", stash=pytest.Stash())
    request = SimpleNamespace(node=item)

    def fail_unseen() -> None:
        with present(request, [ada], server):  # type: ignore[arg-type]
            ada.say("the last words")
            ada.run("() => console.error('broken')")

    with pytest.raises(pytest.fail.Exception, match="broken\nkept: test-results/test-of-artefacts-$"):
        fail_unseen()
    folder = ARTIFACTS / "test-of-artefacts-"
    try:
        assert {path.name for path in folder.iterdir()} == {
            "1-Ada.png",
            "1-Ada.trace.zip",
            "1-Ada.txt",
            "server.txt",
        }
        account = (folder / "1-Ada.txt").read_text(encoding="utf-8")
        assert "console: broken" in account
        assert "the last words" in account
        with zipfile.ZipFile(folder / "1-Ada.trace.zip") as trace:
            assert b"the last words" in trace.read("trace.trace")
    finally:
        shutil.rmtree(folder)
        ada.watch.forget()
