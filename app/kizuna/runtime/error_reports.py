"""Reports of errors in the functions of a user: handlers, listeners, providers of tokens and URLs, codecs.

They go to the exception handler of the event loop, which shows them unless the program has set another one. A handler
may fail at each frame of a flood, so the first error of a place is reported in full, and the next ones as a count, at
most once a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeAlias

from kizuna.platform import Instant

logger = logging.getLogger("kizuna.errors")

#: Takes where an error happened, in words, and the error.
Report: TypeAlias = Callable[[str, BaseException], None]

#: Seconds between two counts.
INTERVAL = 1.0
#: Places of errors that are told apart.
MAX_PLACES = 100
#: Errors whose texts name only what the program itself is written with.
_HARMLESS = (NameError, AttributeError, TypeError, ImportError)


class WithoutText(Exception):
    """An error in a function that handles secrets, with its traceback but without its text."""


def without_secrets(error: Exception) -> Exception:
    """Return an error with the traceback of ``error``, and with its text only where that cannot hold a secret."""
    text = f": {error}" if isinstance(error, _HARMLESS) else ""
    return WithoutText(f"{type(error).__name__}{text}").with_traceback(error.__traceback__)


class ErrorReports:
    """The reports of one connection.

    Args:
        now: Returns the current moment.
    """

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._now = now
        self._places: set[tuple[object, ...]] = set()
        self._count = 0
        self._last = ""
        self._counted_at = -INTERVAL

    def report(self, where: str, error: BaseException) -> None:
        """Report that ``error`` was raised, in words such as "error in a handler"."""
        place = (where, type(error), *_place_of(error))
        self._last = f"{where}: {type(error).__name__}"
        if place not in self._places and len(self._places) < MAX_PLACES:
            self._places.add(place)
            _call_exception_handler(where, error)
            return
        self._count += 1
        now = self._now().monotonic
        if now - self._counted_at >= INTERVAL:
            self._counted_at = now
            self.flush()

    def flush(self) -> None:
        """Report the count of the errors since the last report."""
        if self._count:
            count, self._count = self._count, 0
            _call_exception_handler(f"{count:,} more errors like those before, the last: {self._last}", None)


def _place_of(error: BaseException) -> tuple[object, ...]:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return () if traceback is None else (traceback.tb_frame.f_code, traceback.tb_lineno)


def _call_exception_handler(message: str, error: BaseException | None) -> None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # called outside of any loop
        logger.error("%s", message, exc_info=error)
        return
    loop.call_exception_handler({"message": message, **({} if error is None else {"exception": error})})
