"""What the two bots of the demo say, and when. The texts are in static/i18n/demo."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from demo.server import DemoServer, Person
from kizuna import Platform, TimerHandle

#: The lines with which the bots begin, after the first one, which is there at once.
INTRO = ("intro.try", "intro.break", "intro.restart")
#: What to try next, one after each answer.
TIPS = ("tip.inspector", "tip.reload", "tip.room", "tip.wifi")
#: Answers to one message, in turn.
ANSWERS = ("answer.number", "answer.once", "answer.tick")
#: Seconds after the visitor is gone until a bot says each of these lines.
AWAY = ((3.0, "away.first"), (8.0, "away.second"), (15.0, "away.third"))
#: Seconds without a further message until the bots answer.
ANSWER_AFTER = 1.0
#: Seconds after a new connection in which an answer is about messages that waited for it.
WAITED_WITHIN = 3.0
#: Seconds for which the server is down when the visitor restarts it.
RESTART_TAKES = 2.5
#: Characters of a message that an answer repeats.
QUOTED = 60


class Line(NamedTuple):
    """Something that a bot will say. ``pause``: seconds before the bot types."""

    bot: Person
    room: str
    text: str
    pause: float = 0.5

    @property
    def typing_time(self) -> float:
        """Return for how many seconds the bot types."""
        return min(0.4 + len(self.text) * 0.012, 2.0)


class Conversation:
    """The bots. ``say`` returns the text of a key."""

    def __init__(self, server: DemoServer, platform: Platform, say: Callable[..., str]) -> None:
        self._server = server
        self._platform = platform
        self._say = say
        self._mio, self._sora = server.bots = (
            Person("demo-bot-mio", say("mio")),
            Person("demo-bot-sora", say("sora")),
        )
        server.company = self
        self._lines: deque[Line] = deque()
        self._is_speaking = False
        self._entered: set[str] = set()
        self._room = ""  # where the visitor was last
        self._received: list[tuple[Mapping[str, Any], bool]] = []  # not answered yet
        self._answer_timer: TimerHandle | None = None
        self._answers = 0
        self._gone_at: float | None = None
        self._back_at = float("-inf")
        self._missed = 0  # lines said while the visitor was gone

    # --- what happens on the server (demo.server.Company) ---

    def on_entered(self, room: str) -> None:
        """Greet the visitor: in the first room, in another one, after a reload, or after an outage."""
        self._room = room
        if self._gone_at is not None:
            self._welcome_back(room, self._now() - self._gone_at)
        if room in self._entered:
            return
        is_first, has_history = not self._entered, bool(self._server.log(room).items)
        self._entered.add(room)
        if not is_first:
            if not has_history:
                self._add(Line(self._sora, room, self._say("room", room=room)))
        elif has_history:
            count = len(self._server.log(room).items)
            self._add(Line(self._mio, room, self._say("reloaded", count=count)))
        else:
            self._server.say(self._mio, room, self._say("intro.hello"))
            for index, key in enumerate(INTRO):
                self._add(Line(self._server.bots[1 - index % 2], room, self._say(key), pause=1.5))

    def on_message(self, item: Mapping[str, Any], *, again: bool) -> None:
        """Answer soon, once for all messages that come until then."""
        self._received.append((item, again))
        if self._answer_timer is not None:
            self._answer_timer.cancel()
        self._answer_timer = self._after(ANSWER_AFTER, self._answer)

    def on_gone(self) -> None:
        """Go on without the visitor, who catches up later."""
        self._gone_at = gone_at = self._now()
        self._missed = 0
        for seconds, key in AWAY:
            self._after(seconds, partial(self._say_to_nobody, key, gone_at))

    # --- what the bots say ---

    def _say_to_nobody(self, key: str, gone_at: float) -> None:
        if self._gone_at == gone_at:
            self._speak(Line(self._mio, self._room, self._say(key)))

    def _welcome_back(self, room: str, away: float) -> None:
        self._gone_at, self._back_at = None, self._now()
        seconds = max(1, round(away))
        if self._missed:
            words = self._say("back.caught_up", count=self._missed)
            self._insert(Line(self._mio, room, f"{self._say('back', count=seconds)} {words}"))
        elif not self._received:
            self._insert(Line(self._mio, room, self._say("back", count=seconds)))

    def _answer(self) -> None:
        received, self._received = self._received, []
        item, _ = received[-1]
        room, seq, count = item["roomId"], item["seq"], len(received)
        text = item["content"]
        quote = text if len(text) <= QUOTED else f"{text[:QUOTED]}…"
        if self._say("word.restart") in text.lower():
            self._insert(Line(self._sora, room, self._say("restart")))
            self._after(RESTART_TAKES, partial(self._server.restart, RESTART_TAKES))
            return
        if any(again for _, again in received):
            words = self._say("answer.again", text=quote, seq=seq)
        elif self._now() - self._back_at < WAITED_WITHIN:
            words = self._say("answer.waited", count=count)
        elif count > 1:
            words = self._say("answer.several", count=count, first=received[0][0]["seq"], last=seq)
        else:
            words = self._say(ANSWERS[self._answers % len(ANSWERS)], text=quote, seq=seq)
        if self._answers < len(TIPS):
            self._add(Line(self._mio, room, self._say(TIPS[self._answers]), pause=2.0))
        self._answers += 1
        self._insert(Line(self._sora, room, words))

    # --- one line after the other ---

    def _add(self, line: Line) -> None:
        """Say this after all else."""
        self._lines.append(line)
        self._go_on()

    def _insert(self, line: Line) -> None:
        """Say this next."""
        self._lines.appendleft(line)
        self._go_on()

    def _go_on(self) -> None:
        if self._lines and not self._is_speaking:
            self._is_speaking = True
            self._after(self._lines[0].pause, self._type)

    def _type(self) -> None:
        line = self._lines.popleft()
        self._server.show_typing(line.bot, line.room)
        self._after(line.typing_time, partial(self._finish, line))

    def _finish(self, line: Line) -> None:
        self._speak(line)
        self._is_speaking = False
        self._go_on()

    def _speak(self, line: Line) -> None:
        self._missed += self._gone_at is not None
        self._server.say(line.bot, line.room, line.text)

    def _after(self, seconds: float, action: Callable[[], None]) -> TimerHandle:
        return self._platform.call_at(self._now() + seconds, action)

    def _now(self) -> float:
        return self._platform.now().monotonic
