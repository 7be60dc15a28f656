"""What a person who runs a program with this library can do about a connection that does not come to stand."""

from __future__ import annotations

from kizuna.core.state import Reason, ReasonKind
from kizuna.wire import Wire

_REMEDIES = {
    ReasonKind.UNREACHABLE: "Is the server running, and are host, port, path, certificate and subprotocol right? "
    "Browsers tell programs no more; their console says more.",
    ReasonKind.TOKEN_UNAVAILABLE: "The function for the token or the URL failed: its error was reported before this.",
    ReasonKind.PREPARE_FAILED: "What before_connected() was given did not succeed in time.",
    ReasonKind.SILENCE: "Does the server answer the pings of the wire?",
}
_DEFAULT = "The server ended each connection: its log says why."


def remedy(reason: Reason, wire: Wire) -> str:
    """Return what to look at when a connection is exhausted for this reason."""
    if reason.kind is ReasonKind.TIMEOUT and wire.ready is not None:
        return (
            f"The wire {wire.name!r} awaits a frame {wire.ready!r}. A server that sends none needs wire=PLAIN, "
            "or a Wire of its own."
        )
    if reason.kind is ReasonKind.TIMEOUT:
        return "The network or the server is slow: connect_timeout can be longer."
    return _REMEDIES.get(reason.kind, _DEFAULT)
