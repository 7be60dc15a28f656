"""A logging handler for the browser's console: Python's own would show every record as an error."""

from __future__ import annotations

import logging

import js


class ConsoleHandler(logging.Handler):
    """A handler that writes each record to the console at its level."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write ``record`` to the console."""
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            js.console.error(text)
        elif record.levelno >= logging.WARNING:
            js.console.warn(text)
        else:
            js.console.info(text)
