"""The remedies of an exhausted connection."""

from __future__ import annotations

import pytest

from kizuna.core.states import Reason, ReasonKind
from kizuna.runtime.journal import remedy
from kizuna.wire import KIZUNA, PLAIN, Wire


@pytest.mark.parametrize(
    ("kind", "wire", "words"),
    [
        (ReasonKind.UNREACHABLE, PLAIN, "Is the server running"),
        (
            ReasonKind.TIMEOUT,
            KIZUNA,
            "awaits a frame {'type': 'ready'}. A server that sends none needs wire=PLAIN",
        ),
        (ReasonKind.TIMEOUT, PLAIN, "connect_timeout"),
        (ReasonKind.TOKEN_UNAVAILABLE, PLAIN, "token"),
        (ReasonKind.PREPARE_FAILED, PLAIN, "before_connected"),
        (ReasonKind.SILENCE, KIZUNA, "pings"),
        (ReasonKind.CLOSED_BY_SERVER, KIZUNA, "its log says why"),
    ],
)
def test_each_reason_has_a_remedy(kind: ReasonKind, wire: Wire, words: str):
    assert words in remedy(Reason(kind, "words"), wire)
