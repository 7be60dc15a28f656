"""The log of refusals: one line a second for each address, and the number of dropped ones."""

import logging
from collections.abc import Iterator

import pytest

from backend.auth.refusals import MAX_SOURCES, QUIET_SECONDS, LogThrottle, log_refusal, source_of
from tests.backend.fakes import FakeClock


class RecordedLines(logging.Handler):
    """The lines that would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(0)


@pytest.fixture
def lines(clock: FakeClock) -> Iterator[list[str]]:
    """Return the lines that the server's log would have."""
    handler = RecordedLines()
    handler.addFilter(LogThrottle(clock))
    logger = logging.getLogger("backend")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.lines
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_a_refusal_says_what_from_where_and_who_if_that_is_known(lines: list[str]) -> None:
    log_refusal("no ticket: token refused: expired", "192.0.2.7")
    log_refusal("connection refused: banned", "2001:db8::1", "u-1")
    assert lines == [
        "no ticket: token refused: expired (192.0.2.7)",
        "connection refused: banned (2001:db8::1, person u-1)",
    ]


def test_an_address_has_one_line_a_second_and_the_rest_is_counted(lines: list[str], clock: FakeClock) -> None:
    for _ in range(38):
        log_refusal("no ticket", "192.0.2.7")
    log_refusal("no ticket", "192.0.2.8")
    assert lines == ["no ticket (192.0.2.7)", "no ticket (192.0.2.8)"]
    clock.advance(QUIET_SECONDS)
    log_refusal("no ticket", "192.0.2.7")
    assert lines[2:] == ["and 37 more (192.0.2.7)", "no ticket (192.0.2.7)"]


def test_number_of_suppressed_lines_is_logged_with_the_next_line(lines: list[str], clock: FakeClock) -> None:
    for _ in range(3):
        log_refusal("no ticket", "192.0.2.7")
    clock.advance(QUIET_SECONDS)
    logging.getLogger("backend.access").info("GET / 200")
    logging.getLogger("backend.access").info("GET / 200")
    assert lines == ["no ticket (192.0.2.7)", "and 2 more (192.0.2.7)", "GET / 200", "GET / 200"]


def test_many_addresses_at_once_fill_neither_the_log_nor_the_memory(
    lines: list[str], clock: FakeClock
) -> None:
    for number in range(MAX_SOURCES + 200):
        log_refusal("no ticket", f"2001:db8::{number:x}")
    assert len(lines) == MAX_SOURCES + 1
    clock.advance(QUIET_SECONDS)
    log_refusal("no ticket", "192.0.2.7")
    assert lines[MAX_SOURCES + 1 :] == ["and 199 more (other addresses)", "no ticket (192.0.2.7)"]


def test_lines_that_nobody_outside_causes_at_will_are_all_written(lines: list[str]) -> None:
    for _ in range(5):
        logging.getLogger("backend.server").warning("a warning")
    assert lines == ["a warning"] * 5


@pytest.mark.parametrize(
    ("context", "address"),
    [
        ({"identity": {"sourceIp": "192.0.2.7"}}, "192.0.2.7"),  # of a WebSocket API
        ({"http": {"sourceIp": "192.0.2.8"}}, "192.0.2.8"),  # of an HTTP API
        ({"identity": {}}, "unknown address"),
        ({}, "unknown address"),
    ],
)
def test_an_event_says_where_it_comes_from(context: dict[str, dict[str, str]], address: str) -> None:
    assert source_of({"requestContext": context}) == address
