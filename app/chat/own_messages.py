"""The person's own messages, as the outbox stores them."""

from __future__ import annotations

import logging

from chat import protocol
from chat.protocol import SendMessage
from kizuna.delivery import PendingMessage

logger = logging.getLogger("kizuna.chat")


def message_to_send(frame: SendMessage, typed_at: int) -> PendingMessage:
    """Return the message of ``frame``, written at ``typed_at`` (milliseconds since 1970)."""
    return PendingMessage(
        id=frame.client_message_id,
        channel=frame.room_id,
        data=protocol.to_object(frame),
        meta={"typed_at": typed_at},
    )


def is_message(row: PendingMessage) -> bool:
    """Return whether a stored row holds a valid message."""
    try:
        return isinstance(protocol.parse_up(row.data), SendMessage) and "typed_at" in row.meta
    except protocol.ProtocolError as error:
        logger.warning("could not read a waiting message, leaving it in storage: %s", error)
        return False
