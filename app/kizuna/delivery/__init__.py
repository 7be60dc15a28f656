"""Delivery once and in order, over wire KIZUNA.

Messages are sent under an id that never changes, and stored until the server has acknowledged them; items are read in
the order of the server's numbers, and what is missing is requested. Independent of the connection: see Carrier.
"""

from kizuna.delivery.carrier import Carrier, Link
from kizuna.delivery.catch_up import FORBIDDEN, GAP_DELAY, CatchUp, ChannelStatus
from kizuna.delivery.changes import (
    Begin,
    Change,
    Changes,
    Closed,
    Earlier,
    Hole,
    Items,
    Later,
    Live,
    NewPage,
    Origin,
    Progress,
    RequestFailed,
    Reset,
    Restored,
    SendState,
    Stored,
)
from kizuna.delivery.channel import Channel, Delivered, History, Item
from kizuna.delivery.channels import Channels
from kizuna.delivery.engine import DeliveryEngine, DeliveryStatistics
from kizuna.delivery.fallback_storage import FallbackStorage
from kizuna.delivery.memory_storage import MemoryStorage, NoLocks
from kizuna.delivery.outbox import Outbox, OutboxFull
from kizuna.delivery.outbox_storage import TABLE as OUTBOX_TABLE, OutboxStorage
from kizuna.delivery.pending_message import Failure, PendingMessage
from kizuna.delivery.reader import ChannelReader, Position, Start
from kizuna.delivery.receipt import (
    DeliveryFailed,
    Discarded,
    Receipt,
    Refused,
    TakenOver,
    TooOld,
    Unconfirmed,
)
from kizuna.delivery.sender import OutboxSender
from kizuna.delivery.sequence import Sequence
from kizuna.delivery.tasks import TaskSet

__all__ = [
    "FORBIDDEN",
    "GAP_DELAY",
    "OUTBOX_TABLE",
    "Begin",
    "Carrier",
    "CatchUp",
    "Change",
    "Changes",
    "Channel",
    "ChannelReader",
    "ChannelStatus",
    "Channels",
    "Closed",
    "Delivered",
    "DeliveryEngine",
    "DeliveryFailed",
    "DeliveryStatistics",
    "Discarded",
    "Earlier",
    "Failure",
    "FallbackStorage",
    "History",
    "Hole",
    "Item",
    "Items",
    "Later",
    "Link",
    "Live",
    "MemoryStorage",
    "NewPage",
    "NoLocks",
    "Origin",
    "Outbox",
    "OutboxFull",
    "OutboxSender",
    "OutboxStorage",
    "PendingMessage",
    "Position",
    "Progress",
    "Receipt",
    "Refused",
    "RequestFailed",
    "Reset",
    "Restored",
    "SendState",
    "Sequence",
    "Start",
    "Stored",
    "TakenOver",
    "TaskSet",
    "TooOld",
    "Unconfirmed",
]
