"""A short soak holds; each fault that a connection could have breaks it, with all that is needed to see it again."""

from __future__ import annotations

import re

import pytest

from tests.reports.simulated import broken, soak
from tests.reports.simulated.client import ConnectionFactory
from tests.reports.simulated.invariants import Invariants

SEED = 20_000


def test_a_short_soak_holds():
    counts = soak.soak(steps=6_000, seed=SEED)
    assert (counts.worlds, counts.steps) == (15, 6_000)
    assert len(counts.kinds) == 18, "every kind of event happened"
    assert len(counts.statuses) == 10, "every status was met"


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (broken.NeverRetries, "says timers .* but commanded"),
        (broken.NeverDoubts, "says timers .* but commanded"),
        (broken.KeepsOldLinks, "a closed link was not abandoned|2 links live|lives in"),
        (broken.ComesBackUnasked, "was left, or acted in"),
        (broken.PaysWhileHidden, "paid retries"),
        (broken.Raises, "a frame was malformed"),
    ],
)
def test_a_fault_is_noticed(make: ConnectionFactory, complaint: str):
    with pytest.raises(soak.SoakFailed, match=complaint):
        soak.soak(steps=40_000, seed=SEED, make=make)


def test_one_that_does_not_come_back_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """With no invariant but liveness looking."""
    monkeypatch.setattr(Invariants, "observe", lambda *_: None)
    with pytest.raises(soak.SoakFailed, match=r"still \w+, \d+ s after all was well"):
        soak.soak(steps=40_000, seed=SEED, make=broken.NeverRetries)


def test_a_failure_can_be_seen_again_by_what_it_says():
    with pytest.raises(soak.SoakFailed) as failure:
        soak.soak(steps=40_000, seed=SEED, make=broken.ComesBackUnasked)
    said = str(failure.value)
    again = re.search(r"--steps (\d+) --seed (\d+)", said)
    assert again is not None
    with pytest.raises(soak.SoakFailed) as same:
        soak.soak(steps=int(again[1]), seed=int(again[2]), make=broken.ComesBackUnasked)
    assert str(same.value) == said
    assert len(said.partition("the last events")[2].splitlines()) == 21


def test_the_command_line_prints_seed_and_counts(capsys: pytest.CaptureFixture[str]):
    assert soak.main(["--steps", "50", "--seed", "3"]) == 0
    printed = capsys.readouterr().out
    assert "50 steps from seed 3" in printed
    assert re.search(r"1 worlds, \d+ events, every invariant held", printed)


def test_the_command_line_fails_by_its_exit_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Invariants, "_check_links", lambda self: self._require(False, "made up"))
    assert soak.main(["--steps", "50", "--seed", "3"]) == 1
    assert "seed 3, step 0: made up" in capsys.readouterr().err
