"""The changes that disable a protection fit the program's files."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.e2e.chaos.disabled_protections import CHANGES, Change, ChangeFailed, changed_files
from tests.support.server import ROOT


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_each_change_fits_its_file_and_names_nothing_undefined(name: str):
    for file, text in changed_files(name).items():
        assert text != (ROOT / file).read_text(encoding="utf-8")
        undefined = [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--quiet",
            "--select",
            "F821",
            "--stdin-filename",
            file,
            "-",
        ]
        done = subprocess.run(undefined, input=text, capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("text", ["nothing of it", "a piece, and a piece again"])
def test_a_piece_that_does_not_occur_once_is_an_error(text: str):
    """The error names the file."""
    change = Change("app/kizuna/delivery/outbox.py", "a piece", "another")
    with pytest.raises(
        ChangeFailed, match="app/kizuna/delivery/outbox.py has the piece to replace [02] times"
    ):
        change.apply(text)


def test_text_around_the_piece_stays():
    assert Change("a.py", "b", "B").apply("abc") == "aBc"
