"""What a machine may lack, each said in one line."""

import ast
from pathlib import Path

import pytest

from tools.setup import doctor


@pytest.mark.parametrize("made_for", [None, "/srv/kizuna"])
def test_a_machine_that_has_what_it_takes_gets_no_complaint(made_for: str | None):
    assert doctor.complaint((3, 11), lambda _: True, made_for, "/srv/kizuna") is None


def test_an_old_python_is_told_how_to_name_a_newer_one():
    found = doctor.complaint((3, 9), lambda _: True, None, "/srv/kizuna")
    assert found == "Python 3.11 or newer is needed, this is 3.9: make PYTHON=/path/to/newer/python3"


@pytest.mark.parametrize("lacking", ["venv", "ensurepip"])
def test_a_python_without_virtual_environments_is_told_what_to_install(lacking: str):
    found = doctor.complaint((3, 12), lambda name: name != lacking, None, "/srv/kizuna")
    assert found is not None
    assert "apt install python3-venv" in found


def test_an_environment_that_was_moved_is_told_to_start_clean():
    found = doctor.complaint((3, 12), lambda _: True, "/srv/old", "/srv/kizuna")
    assert found is not None
    assert "/srv/old" in found
    assert "make clean" in found


def test_an_old_python_can_read_the_file_that_complains_about_it():
    ast.parse(Path(doctor.__file__).read_text(encoding="utf-8"), feature_version=(3, 6))
