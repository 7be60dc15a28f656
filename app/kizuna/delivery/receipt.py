"""The receipt of one sent message: what became of it.

DeliveryFailed
├── Refused        the server does not take it, or does not answer a request
├── TooOld         it waited for three days
├── Unconfirmed    the server does not acknowledge, and nothing has confirmed it
├── TakenOver      another tab sends it, or deleted it
└── Discarded      discard() was called
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kizuna.delivery.changes import SendState
from kizuna.delivery.pending_message import Failure, PendingMessage
from kizuna.delivery.sender import TOO_OLD, UNCONFIRMED
from kizuna.errors import KizunaError, NotConnected

if TYPE_CHECKING:
    from kizuna.delivery.channels import Channels


class DeliveryFailed(KizunaError):
    """The server has not stored a message, as far as is known. ``failure``: its code, and the server's words."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class Refused(DeliveryFailed):
    """The server refused it. The same again would be refused again."""


class TooOld(DeliveryFailed):
    """It waited for so long that its author may no longer mean it. It was not sent, unless an attempt came before."""


class Unconfirmed(DeliveryFailed):
    """It was sent, and the link broke, or nothing confirmed it: it may have arrived. For servers without acks."""


class TakenOver(DeliveryFailed):
    """Another tab of the same person sends it, or deleted it."""


class Discarded(DeliveryFailed):
    """It was deleted here. It may have arrived if it was sent before."""


_ERRORS: Mapping[str, type[DeliveryFailed]] = {TOO_OLD.code: TooOld, UNCONFIRMED.code: Unconfirmed}


class Receipt:
    """What became of one message. It is kept already: neither a reload nor a crash loses it.

    Args:
        message: The message.
        payload: What its sender gave.
        channels: Where it waits.
    """

    def __init__(self, message: PendingMessage, payload: dict[str, Any], channels: Channels) -> None:
        self.id = message.id  #: its client message id
        self.data = payload  #: what was sent
        self.meta = dict(message.meta)  #: what was stored with it
        self.channel = message.channel
        self.state: SendState | None = SendState.QUEUED  #: None: stored by the server
        self.failure: Failure | None = None  #: why it FAILED
        self.seq: int | None = None  #: its number, once it is known
        self._channels = channels
        self._settled = asyncio.Event()
        self._error: KizunaError | None = None
        if message.failure is not None:
            self.note_progress(message, SendState.FAILED)

    async def stored(self) -> int | None:
        """Return once the server has stored the message: its number in the channel, None if that is unknown here.

        Raises:
            Refused, TooOld, Unconfirmed, TakenOver, Discarded: It was not stored, as far as is known.
            NotConnected: The channels were closed. It stays kept, and another page sends it.
        """
        while True:
            await self._settled.wait()
            if self._error is not None:
                raise self._error
            if self.state is None:
                return self.seq

    def retry(self) -> None:
        """Send the message again if it failed, under the same id.

        Raises:
            OutboxFull: Too many messages wait.
        """
        self._channels.retry(self.id)

    def discard(self) -> bool:
        """Delete the message if it waits or failed here. Return whether it may have arrived.

        After the channels were closed, it stays kept.
        """
        return self._channels.discard(self.id)

    # --- for Channels ---

    def note_progress(self, message: PendingMessage, state: SendState) -> None:
        """Note the message's new state."""
        self.state, self.failure = state, message.failure
        self._error = None
        self._settled.clear()
        if state is SendState.TAKEN_OVER:
            self._fail(TakenOver(Failure(state.value)))
        elif message.failure is not None:
            self._fail(_ERRORS.get(message.failure.code, Refused)(message.failure))

    def note_stored(self, seq: int | None) -> None:
        """Note that the server has stored the message."""
        self.state, self.failure, self.seq, self._error = None, None, seq, None
        self._settled.set()

    def note_discarded(self) -> None:
        """Note that the message was deleted."""
        self._fail(Discarded(Failure(code="discarded")))

    def note_closed(self) -> None:
        """Note that nothing more will be known of the message here."""
        if self._error is None:
            self._fail(NotConnected("the channels are closed"))

    def _fail(self, error: KizunaError) -> None:
        self._error = error
        self._settled.set()
