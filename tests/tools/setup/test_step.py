"""A step of the set-up: one line when it works, one clear last line when it does not."""

import sys

import pytest

from tools.setup import step


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_step_that_works_says_one_line(capfd: pytest.CaptureFixture[str]):
    assert step.run("Counting", python("import sys; print('noise'); print('more', file=sys.stderr)")) == 0
    assert capfd.readouterr() == ("Counting ...\n", "")


def test_a_step_that_fails_shows_why_and_keeps_the_exit_code(capfd: pytest.CaptureFixture[str]):
    assert step.run("Counting", python("print('hash mismatch'); raise SystemExit(3)")) == 3
    err = capfd.readouterr().err
    assert "hash mismatch" in err
    assert err.splitlines()[-1].startswith("make: Counting: failed for the reason above")


@pytest.mark.parametrize(
    "sign",
    [
        "Failed to establish a new connection: [Errno -3] Temporary failure in name resolution",
        "npm error code ENOTFOUND",
        "Err:1 Temporary failure resolving",
    ],
)
def test_no_network_is_one_line_that_says_what_to_do(sign: str, capfd: pytest.CaptureFixture[str]):
    assert step.run("Fetching", python(f"print({sign!r}); raise SystemExit(1)")) == 1
    assert capfd.readouterr().err == (
        "make: Fetching: no package registry can be reached: check network, proxy and certificates, "
        "then run make again\n"
    )


def test_an_npm_that_gave_up_is_a_failure_whatever_its_exit_code(capfd: pytest.CaptureFixture[str]):
    assert step.run("Fetching", python(f"print({step.NPM_GAVE_UP!r})")) == 1
    assert "no package registry can be reached" in capfd.readouterr().err


def test_a_missing_module_is_not_taken_for_a_missing_network(capfd: pytest.CaptureFixture[str]):
    step.run("Copying", python("open('/nowhere/at-all')"))
    assert "FileNotFoundError" in capfd.readouterr().err
