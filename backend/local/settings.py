"""The settings of the one-machine server: flags, else variables of the environment, else their defaults.

Each has one name in three spellings: ``RATE_LIMIT`` in the environment, ``--rate-limit``, and the field of
:class:`~backend.local.app.Options` or :class:`~backend.local.protocols.Bounds`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NoReturn

from backend.auth.origins import InvalidOrigin, is_loopback, origins_in
from backend.limits.actions import typing_seconds_in
from backend.limits.addresses import InvalidProxy, Network, proxies_in
from backend.limits.rate_limit import InvalidRate, burst_in, burst_new_in, count_in, per_second_in
from backend.local.app import Options
from backend.local.protocols import Bounds, max_open_connections

MAX_PORT = 65_535


class Unusable(Exception):
    """A setting, a port or a file that the server cannot start with; the text is one line."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. ``parse`` takes the variable's name and a text; it raises Unusable or InvalidRate."""

    variable: str
    parse: Callable[[str, str], object]
    help: str


def read_options(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Return the settings. Raises Unusable, in one line that names the setting and says what it must be."""
    parser = _Parser(prog="python -m backend.server", description="Serve Kizuna: the page and its backend.")
    options, bounds = Options(), Bounds(max_connections=max_open_connections())
    for setting in SETTINGS:
        name = setting.variable.lower()
        default = getattr(bounds if hasattr(bounds, name) else options, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=_parsing(setting),
            default=environment.get(setting.variable) or default,
            help=f"{setting.help} ({setting.variable})",
        )
    parser.add_argument(
        "--dev", action="store_true", help="open pages load again when their files change; on loopback only"
    )
    chosen = vars(parser.parse_args(arguments))
    bounds = Bounds(**{field.name: chosen.pop(field.name) for field in fields(Bounds)})
    options = Options(bounds=bounds, **chosen)
    if options.dev and not is_loopback(options.host):
        raise Unusable(f"--dev is for this machine only: HOST must be 127.0.0.1, not {options.host!r}")
    return options


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Unusable(message)


def _parsing(setting: Setting) -> Callable[[str], object]:
    def parse(text: str) -> object:
        try:
            return setting.parse(setting.variable, text)
        except InvalidRate as error:
            raise Unusable(str(error)) from None

    return parse


def _root(name: str, value: str) -> Path:
    if not (Path(value) / "index.html").is_file():
        raise Unusable(f"{name} {value!r} has no index.html; `make build` makes dist/site")
    return Path(value)


def _port(name: str, value: str) -> int:
    if not value.isdecimal() or int(value) > MAX_PORT:
        raise Unusable(f"{name} must be a number from 0 to {MAX_PORT}, not {value!r}")
    return int(value)


def _seconds(name: str, value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise Unusable(f"{name} must be a number of seconds, at least 1, not {value!r}")
    return int(value)


def _per_second(what: str) -> Callable[[str, str], float]:
    return lambda name, value: per_second_in(name, value, what)


def _count(what: str) -> Callable[[str, str], int]:
    return lambda name, value: count_in(name, value, what)


def _proxies(name: str, value: str) -> tuple[Network, ...]:
    try:
        return proxies_in(value)
    except InvalidProxy as error:
        raise Unusable(
            f"{name} must list addresses or networks like 10.0.0.5 or 10.0.0.0/24, not {str(error)!r}"
        ) from None


def _origins(name: str, value: str) -> frozenset[str]:
    try:
        return origins_in(value)
    except InvalidOrigin as error:
        raise Unusable(
            f"{name} must list origins like https://chat.example.org, not {str(error)!r}"
        ) from None


SETTINGS = (
    Setting("HOST", lambda _, value: value, "address to listen on"),
    Setting("PORT", _port, "port to listen on; 0 takes a free one"),
    Setting("DATA", lambda _, value: Path(value), "SQLite file; its folder is made"),
    Setting("ROOT", _root, "folder with the page: the source tree, or a built site"),
    Setting("ALLOWED_ORIGINS", _origins, "other hosts' pages that may connect, and hosts to answer to"),
    Setting("PROXIES", _proxies, "addresses or networks of proxies whose X-Forwarded-For is trusted"),
    Setting("TOKEN_LIFETIME", _seconds, "seconds"),
    Setting("IDLE_SECONDS", _seconds, "idle connections are closed"),
    Setting("DURATION_SECONDS", _seconds, "all connections are closed"),
    Setting("RATE_LIMIT", _per_second("messages"), "messages a second of one person; 0: any number"),
    Setting("RATE_BURST", burst_in, "messages that one person may send at once"),
    Setting("RATE_BURST_NEW", burst_new_in, "the same in a person's first minute; 0: as later"),
    Setting("FRAME_LIMIT", _per_second("frames"), "frames of any kind a second of one person; 0: any number"),
    Setting(
        "TYPING_SECONDS",
        typing_seconds_in,
        "seconds between two typing notices of one person in a room; 0: any",
    ),
    Setting(
        "HELLO_LIMIT", _per_second("hellos"), "hellos a second of one person, and handshakes; 0: any number"
    ),
    Setting(
        "ASK_LIMIT",
        _per_second("questions"),
        "joins, leaves, syncs and histories a second of one person; 0: any number",
    ),
    Setting("MOST_CONNECTIONS", _count("connections"), "connections of one person; 0: any number"),
    Setting("TOKEN_LIMIT", _per_second("tokens"), "tokens a second for one address; 0: any number"),
    Setting("TICKET_LIMIT", _per_second("tickets"), "tickets a second for one address; 0: any number"),
    Setting("MAX_CONNECTIONS", _count("connections"), "connections at once; 0: any number"),
    Setting("ADDRESS_CONNECTIONS", _count("connections"), "connections of one address; 0: any number"),
    Setting(
        "CONTROL_FRAMES",
        _per_second("frames"),
        "control and continuation frames a second of one connection; 0: any number",
    ),
    Setting("REQUEST_SECONDS", _count("seconds"), "time for a request's head, and for its body; 0: any time"),
    Setting("UNREAD_SECONDS", _count("seconds"), "time that output may lie unread; 0: any time"),
)
