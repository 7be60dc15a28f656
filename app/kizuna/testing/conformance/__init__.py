"""Whether a server of wire KIZUNA does what clients rely on: docs/library/protocol.md, checked over real connections.

python -m kizuna.testing.conformance ws://localhost:8000/ws --payload '{"text": "milk"}' --restart ./restart.sh

With pytest, one test for each check: :mod:`kizuna.testing.pytest_plugin`. CPython alone; needs
``pip install 'kizuna[aio]'``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from enum import StrEnum
from inspect import getdoc

from kizuna.testing.conformance.checks import CHECKS, Session
from kizuna.testing.conformance.target import NotConforming, NotPossible, Target, command

__all__ = [
    "CHECKS",
    "NotConforming",
    "NotPossible",
    "Outcome",
    "Result",
    "Target",
    "command",
    "run",
    "run_check",
    "sentence",
]


class Outcome(StrEnum):
    """What came of a check."""

    OK = "ok"
    FAILED = "FAILED"
    SKIPPED = "skipped"  #: something is not given that it needs


@dataclass(frozen=True, slots=True)
class Result:
    """One check that was run. ``words``: what the server did instead, or what is not given."""

    name: str
    outcome: Outcome
    words: str = ""


def sentence(name: str) -> str:
    """Return what a check demands."""
    return " ".join((getdoc(CHECKS[name]) or "").split())


async def run_check(name: str, target: Target) -> None:
    """Run one check.

    Raises:
        NotConforming: The server does something else.
        NotPossible: The target does not give what the check needs.
    """
    session = Session(target)
    try:
        await CHECKS[name](session)
    finally:
        session.close()


async def run(target: Target, names: Iterable[str] = ()) -> AsyncIterator[Result]:
    """Yield the result of each check, or of those named, as it is there."""
    for name in tuple(names) or CHECKS:
        try:
            await run_check(name, target)
        except NotConforming as error:
            yield Result(name, Outcome.FAILED, str(error))
        except NotPossible as error:
            yield Result(name, Outcome.SKIPPED, str(error))
        else:
            yield Result(name, Outcome.OK)
