"""Log records in the browser's console, each at its level: Python's own handler would show every one as an error."""

from __future__ import annotations

import logging

import js


class ConsoleHandler(logging.Handler):
    """Responsible for handing records to the console."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show ``record``."""
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            js.console.error(text)
        elif record.levelno >= logging.WARNING:
            js.console.warn(text)
        else:
            js.console.info(text)
