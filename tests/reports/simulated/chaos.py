"""A random walk through everything that can happen to a page, and some things that cannot."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from kizuna import events
from kizuna.events import Event, Timer, TokenObtained
from kizuna.states import Status
from tests.reports.simulated.client import Client
from tests.reports.simulated.network import (
    BLACK_HOLE,
    DEAF,
    GOOD,
    LONGEST_RETRANSMISSION,
    MUTE,
    REFUSED,
    SLOW,
    Path,
)
from tests.reports.simulated.world import MINUTE

#: Seconds in which tokens that were asked for and frames that were held back arrive.
LAST_NEWS = LONGEST_RETRANSMISSION + 10
PATHS = (GOOD, GOOD, GOOD, BLACK_HOLE, DEAF, MUTE, REFUSED, SLOW, Path(latency=4.0))
#: Close codes that say goodbye, restart, refuse, or mean nothing in particular.
CODES = (1000, 1001, 1006, 1008, 1011, 1012, 1013, 3000, 3003, 4400, 4401, 4403, 4429, 4999)
#: What a server may put into ``bye``; some of it by mistake.
WORDS: tuple[Mapping[str, Any], ...] = (
    {},
    {"retryAfter": 2},
    {"retryAfter": 45.5, "reason": "maintenance"},
    {"retryAfter": 100_000},
    {"retryAfter": 10**400},
    {"retryAfter": -1},
    {"retryAfter": "soon"},
    {"retryAfter": True, "reconnect": None},
    {"reason": {"nested": []}},
    {"reconnect": False},
)
FRAMES: tuple[Mapping[str, Any], ...] = (
    {},
    {"type": None},
    {"type": ["pong"]},
    {"type": "pong"},
    {"type": "pong", "t": "yesterday"},
    {"type": "pong", "t": 10**400},
    {"type": "ready"},
    {"type": "batch"},
    {"type": "message", "content": "こんにちは"},
)


class Walk:
    """Responsible for what happens next to one client, by the chance of its world.

    ``may_forge``: also events of the link that lives which its socket did not send: duplicates, answers unasked for.
    """

    def __init__(self, client: Client, *, may_forge: bool) -> None:
        self._client = client
        self._world = client.world
        self._random = client.world.random
        self._may_forge = may_forge
        self._steps = [
            (40, self._let_one_thing_happen),
            (8, self._let_time_pass),
            (14, self._change_page),
            (10, self._change_network),
            (5, self._change_gateway),
            (2, self._wish),
            (10, self._send_nonsense),
            (8, self._mend),
        ]

    def step(self) -> None:
        """One thing happens."""
        weights = [weight for weight, _ in self._steps]
        [(_, happen)] = self._random.choices(self._steps, weights)
        happen()

    def calm_down(self) -> None:
        """From now on all is well. Half the time the page is told so, as a browser would tell it, once all that is
        still on its way has arrived; else, where nothing of the page itself changes, timers alone must find out."""
        page, network, gateway = self._client.page, self._client.network, self._client.gateway
        self._client.habits.token = "given"
        gateway.is_up = True
        network.become(GOOD)
        page.wake()
        if not (page.visible and page.runs and page.online) or self._random.random() < 0.5:
            self._world.run(self._world.now + LAST_NEWS)
            page.come_back()
            page.go_online()

    def _one_of(self, *choices: Callable[[], None]) -> None:
        self._random.choice(choices)()

    def _let_one_thing_happen(self) -> None:
        if self._world.next_at() is not None:
            self._world.step()

    def _let_time_pass(self) -> None:
        self._world.run(self._world.now + 0.1 * (10 * MINUTE / 0.1) ** self._random.random())

    def _change_page(self) -> None:
        page, silently = self._client.page, self._random.random() < 0.2
        self._one_of(
            lambda: page.show(silently=silently),
            lambda: page.hide(silently=silently),
            lambda: page.go_online(silently=silently),
            lambda: page.go_offline(silently=silently),
            page.freeze,
            page.resume,
            page.leave,
            page.come_back,
            lambda: page.sleep(clock_stands=self._random.random() < 0.5),
            page.wake,
            page.wake,
        )

    def _change_network(self) -> None:
        network = self._client.network
        self._one_of(
            lambda: network.become(self._random.choice(PATHS)),
            lambda: network.become(GOOD),
            network.reset,
            lambda: network.strand(tells=self._random.random() < 0.5),
        )

    def _change_gateway(self) -> None:
        gateway, random = self._client.gateway, self._random

        def toggle() -> None:
            gateway.is_up = not gateway.is_up

        def change_token() -> None:
            self._client.habits.token = random.choice(("given", "given", "given", "failing", "unauthorized"))

        word = random.choice(WORDS)
        self._one_of(
            gateway.restart,
            toggle,
            change_token,
            lambda: gateway.deploy(retry_after=random.uniform(0, 20)),
            lambda: gateway.say_bye(word),
            lambda: gateway.close_all(random.choice(CODES)),
            lambda: gateway.close_all(random.choice(CODES), json.dumps(word)),
        )

    def _wish(self) -> None:
        wishes: tuple[Event, ...] = (
            events.ConnectRequested(),
            events.ConnectRequested(),
            events.RetryRequested(),
            events.RetryRequested(),
            events.DisconnectRequested(),
        )
        self._client.handle(self._random.choice(wishes))

    def _mend(self) -> None:
        """One thing is well again: else a world would soon be one of dead ends."""
        page, network, gateway = self._client.page, self._client.network, self._client.gateway
        if self._client.status in {Status.CLOSED, Status.REJECTED}:
            self._client.handle(events.ConnectRequested())
        elif not page.runs:
            page.wake()
            page.come_back()
        elif not gateway.is_up:
            gateway.is_up = True
        elif not page.online:
            page.go_online()
        elif self._client.habits.token != "given":
            self._client.habits.token = "given"
        else:
            network.become(GOOD)

    def _send_nonsense(self) -> None:
        """Timers that are not armed, and events of links that are gone, never were, or would not say that now."""
        if self._random.random() < 0.3:
            idle = [timer for timer in Timer if timer not in self._client.connection.timers]
            self._client.handle(events.TimerFired(self._random.choice(idle)))
            return
        newest = self._client.attempts
        others = (0, -1, newest + 1000, max(newest - 1, 0))
        socket = self._client.sockets.get(newest)
        may_forge = self._may_forge and self._client.page.runs
        if may_forge and socket is not None and self._random.random() < 0.5:
            self._client.handle(
                self._link_event(newest) if socket.is_open else TokenObtained(newest, "again")
            )
        else:
            self._client.handle(self._link_event(self._random.choice(others)))

    def _link_event(self, link: int) -> Event:
        random = self._random
        candidates: tuple[Event, ...] = (
            TokenObtained(link, None),
            events.TokenFailed(link, unauthorized=random.random() < 0.2, detail="no"),
            events.SocketOpened(link),
            events.FrameReceived(link, random.choice(FRAMES)),
            events.FrameReceived(link, {"type": "bye", **random.choice(WORDS)}),
            events.FrameMalformed(link, "not JSON"),
            events.SocketClosed(
                link, random.choice(CODES), random.choice(("", "{", json.dumps({"retryAfter": 3})))
            ),
            events.LinkPrepared(link),
            events.PrepareFailed(link),
        )
        return random.choice(candidates)
