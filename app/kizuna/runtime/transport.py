"""The transport of one link: its token request, its socket, and its preparation by the application."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from threading import get_ident
from typing import Any, Generic, TypeAlias
from weakref import WeakKeyDictionary

from kizuna.codec import Codec, Value, message_text
from kizuna.core import events
from kizuna.errors import ConfigurationError, FrameTooLarge, KizunaError, NotConnected, TryLater, Unauthorized
from kizuna.platform import GetAddress, PausableSocket, Platform, Socket, whole_address
from kizuna.runtime.subscribers import Report, without_secrets
from kizuna.wire import Numbers, Wire, finite_number

logger = logging.getLogger("kizuna.transport")

_UNQUOTED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

Frame: TypeAlias = Mapping[str, Any]
#: Returns the token for one attempt, or None for a server that needs none. Raises Unauthorized to end all attempts,
#: TryLater to be called again after some seconds, OSError when its endpoint cannot be reached.
GetAccessToken: TypeAlias = Callable[[], "Awaitable[str | None] | str | None"]


class LinkHandle(Generic[Value]):
    """The link as ``prepare`` gets it: it can send before the link is connected.

    ``replaces``: the link is a candidate, and another link still carries the application's frames.
    """

    def __init__(self, transport: Transport, codec: Codec[Value], *, replaces: bool) -> None:
        self._transport = transport
        self._codec = codec
        self.replaces = replaces

    def send(self, value: Value) -> None:
        """Send ``value`` on this link, as the service's ``send()`` does."""
        self._transport.send(self._codec.encode(value))

    def send_message(self, action: str, data: Frame | None = None) -> None:
        """Send ``{"action": action, **data}`` on this link, as the service's ``send_message()`` does."""
        self._transport.send(message_text(action, data or {}))


Prepare: TypeAlias = Callable[[LinkHandle[Value]], Awaitable[None] | None]
Queue: TypeAlias = Callable[[int, "str | bytes | events.SocketClosed"], None]


class Transport:
    """The socket and the tasks of one link; what happens to them becomes events of that link.

    Args:
        link: The link's number.
        platform: Opens the socket.
        dispatch: Takes the events that are handled at once.
        queue: Takes what waits in order: a frame, or the end of the socket.
        max_frame_bytes: The largest frame that may be sent; 0: any.
        report: Takes the errors of the user's functions.
    """

    def __init__(
        self,
        link: int,
        platform: Platform,
        dispatch: Callable[[events.Event], None],
        queue: Queue,
        max_frame_bytes: int,
        report: Report,
    ) -> None:
        self._report = report
        self._link = link
        self._platform = platform
        self._dispatch = dispatch
        self._queue = queue
        self._max_frame_bytes = max_frame_bytes
        self._address: tuple[str, tuple[str, ...]] = ("", ())
        self._socket: Socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Return whether a frame can be sent now."""
        return self._socket is not None and self._socket.is_open

    def fetch_token(
        self,
        address: tuple[str, tuple[str, ...]] | GetAddress,
        get_access_token: GetAccessToken | None,
    ) -> None:
        """Ask for the address, if it is a function, and the token provider; TokenObtained or TokenFailed follows."""
        if callable(address):
            self._spawn(self._ask_address(address, get_access_token))
        else:
            self._address = address
            self._ask_token(get_access_token)

    async def _ask_address(self, get: GetAddress, get_access_token: GetAccessToken | None) -> None:
        try:
            answer = get()
            self._address = whole_address(await answer if inspect.isawaitable(answer) else answer)
        except Exception as error:  # noqa: BLE001 - the user's function may raise anything: the attempt failed
            self._dispatch(self._failure(error, "no URL could be had"))
        else:
            self._ask_token(get_access_token)

    def _ask_token(self, get_access_token: GetAccessToken | None) -> None:
        if get_access_token is None:
            self._dispatch(events.TokenObtained(self._link, None))
            return
        try:
            token = get_access_token()
        except Exception as error:  # noqa: BLE001 - a provider may raise anything: the attempt failed
            self._dispatch(self._failure(error))
            return
        if inspect.isawaitable(token):
            self._spawn(self._await_token(token), token)
        else:
            self._dispatch(self._token_event(token))

    def open(self, token: str | None) -> None:
        """Begin to open the socket. An immediate failure is a failed attempt like any other."""
        url, protocols = self._address
        try:
            if token is not None:
                url += f"{'&' if '?' in url else '?'}token={_quoted(token)}"
            listener = _Listener(self._link, self._dispatch, self._queue)
            self._socket = self._platform.open_socket(url, listener, protocols)
        except Exception as error:  # noqa: BLE001 - its message may hold the URL, and so the token
            logger.warning("could not open the socket: %s", type(error).__name__)
            self._dispatch(events.SocketClosed(self._link, 1006))

    def prepare(self, prepares: Iterable[Prepare[Value]], handle: LinkHandle[Value]) -> None:
        """Let the application prepare the open link; LinkPrepared or PrepareFailed follows."""
        self._spawn(self._prepare(tuple(prepares), handle))

    def send(self, data: str | bytes) -> None:
        """Send one frame, text or binary.

        Raises:
            NotConnected: The socket is not open.
            FrameTooLarge: The frame is larger than ``max_frame_bytes``.
        """
        # Half a surrogate pair is sent as U+FFFD, which has three bytes as well.
        size = len(data.encode(errors="surrogatepass") if isinstance(data, str) else data)
        if 0 < self._max_frame_bytes < size:
            raise FrameTooLarge(size, self._max_frame_bytes)
        if self._socket is None or not self._socket.is_open:
            raise NotConnected("nothing was sent, as the socket is not open: try again later")
        try:
            self._socket.send(data)
        except Exception as error:
            raise NotConnected("the socket did not accept the frame") from error

    def set_reading(self, reads: bool) -> bool:
        """Let the socket read, or let the server wait; return whether the socket can do that."""
        socket = self._socket
        if not isinstance(socket, PausableSocket):
            return False
        socket.resume_reading() if reads else socket.pause_reading()
        return True

    def abandon(self, code: int, reason: str) -> None:
        """Cancel the tasks, detach and close the socket. May be called twice."""
        for task in tuple(self._tasks):  # also the calling one: it ends at its next await
            task.cancel()
        self._tasks.clear()
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.abandon(code, reason)

    async def _await_token(self, token: Awaitable[str | None]) -> None:
        try:
            event = self._token_event(await token)
        except Exception as error:  # noqa: BLE001 - as above
            event = self._failure(error)
        self._dispatch(event)

    async def _prepare(self, prepares: Iterable[Prepare[Value]], handle: LinkHandle[Value]) -> None:
        try:
            for prepare in prepares:
                preparing = prepare(handle)
                if preparing is not None:
                    await preparing
        except Exception as error:  # noqa: BLE001 - the user's function may raise anything
            # A link that is gone, and an answer that does not come, are no mistakes of the function.
            is_trouble = isinstance(error, OSError) or (isinstance(error, NotConnected) and not self.is_open)
            if not is_trouble:
                self._report("error in before_connected", error)
            self._dispatch(events.PrepareFailed(self._link, str(error)))
        else:
            self._dispatch(events.LinkPrepared(self._link))

    def _token_event(self, token: Any) -> events.TokenObtained | events.TokenFailed:
        if token is None or isinstance(token, str):
            return events.TokenObtained(self._link, token)
        return self._failure(TypeError(f"it returned {type(token).__name__}, which is no str"))

    def _failure(self, error: Exception, words: str = "no token could be fetched") -> events.TokenFailed:
        """Return the event for ``error``, with its type alone: its text may hold an address with a secret in it."""
        kind = type(error).__name__
        logger.info("%s (%s)", words, kind)
        is_answer = isinstance(error, KizunaError | OSError)  # raised on purpose: all others are mistakes
        if not is_answer or isinstance(error, ConfigurationError):
            self._report(words, without_secrets(error))
        return events.TokenFailed(
            self._link,
            isinstance(error, Unauthorized),
            f"{words} ({kind})",
            unreachable=isinstance(error, OSError),
            retry_after=finite_number(error.retry_after) if isinstance(error, TryLater) else None,
        )

    def _spawn(self, work: Coroutine[Any, Any, None], awaited: object = None) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if inspect.iscoroutine(awaited):  # else it warns if the task is cancelled before it starts
            task.add_done_callback(lambda _: awaited.close())


def _quoted(text: str) -> str:
    """Return ``text`` for the query of a URL, as ``urllib.parse.quote`` does; a page needs long to import that."""
    return "".join(chr(byte) if byte in _UNQUOTED else f"%{byte:02X}" for byte in text.encode())


class _Listener:
    """The receiver of one socket's events."""

    def __init__(self, link: int, dispatch: Callable[[events.Event], None], queue: Queue) -> None:
        self._link = link
        self._dispatch = dispatch
        self._queue = queue

    def on_open(self) -> None:
        self._dispatch(events.SocketOpened(self._link))

    def on_text(self, text: str) -> None:
        self._queue(self._link, text)

    def on_binary(self, data: bytes) -> None:
        self._queue(self._link, data)

    def on_close(self, code: int, reason: str) -> None:
        self._queue(self._link, events.SocketClosed(self._link, code, reason))


#: Seconds of one slice: half a frame of a screen with 60 Hz. The other half is for the browser, to paint and for input.
SLICE_SECONDS = 0.008
#: Characters, or bytes, of frames between two looks at the clock in a slice. A look costs a tenth of a small frame;
#: large frames take the application long, so after each of them there is one.
CHARACTERS_PER_LOOK = 2048

#: The link's number; a frame, or the end of the link; when it arrived, where that matters.
Arrival: TypeAlias = "tuple[int, str | bytes | events.SocketClosed, float | None]"


class Arrivals:
    """What has arrived over the links and waits, in order, and when its next slice is due.

    If frames were handled as they arrive, a page could not paint or answer a click until a flood is over.

    Args:
        platform: Gives the browser its turn between two slices.
        handle_slice: Called when a slice is due. It takes from ``waiting``, and calls ``end_slice()`` when it is done.
    """

    def __init__(self, platform: Platform, handle_slice: Callable[[], None]) -> None:
        self.waiting: deque[Arrival] = deque()
        self._platform = platform
        self._handle_slice = handle_slice
        self._is_slice_due = False

    def add(self, arrival: Arrival) -> None:
        """Add what arrived last, to be handled in a slice soon."""
        self.waiting.append(arrival)
        if not self._is_slice_due:
            self._is_slice_due = True
            self._platform.call_soon(self._handle_slice)

    def end_slice(self) -> None:
        """End a slice; if something still waits, there will be another one."""
        self._is_slice_due = bool(self.waiting)
        if self._is_slice_due:
            self._platform.call_soon(self._handle_slice)

    def has_of(self, link: int) -> bool:
        """Return whether something waits that came over ``link``."""
        return any(number == link for number, _, _ in self.waiting)

    def bring_forward(self, link: int) -> bool:
        """Put what came over ``link`` before all else; return whether there was something."""
        mine = [arrival for arrival in self.waiting if arrival[0] == link]
        if mine:
            others = [arrival for arrival in self.waiting if arrival[0] != link]
            self.waiting.clear()
            self.waiting.extend(mine + others)
        return bool(mine)

    def next_of(self, link: int) -> Arrival | None:
        """Remove and return what waits first, if it came over ``link``; else None."""
        return self.waiting.popleft() if self.waiting and self.waiting[0][0] == link else None

    def forget(self) -> None:
        """Drop all that waits."""
        self.waiting.clear()


#: More times the default than anybody means.
_TOO_MANY = 100


def check_arguments(
    get_access_token: object, codec: object, wire: object, options: object, platform: object
) -> None:
    """Check what a type checker would have found, for users without one.

    Raises:
        ConfigurationError: What can never work.
    """
    if get_access_token is not None and not callable(get_access_token):
        raise ConfigurationError(
            "get_access_token", "must be a function that returns the token, sync or async"
        )
    if not (hasattr(codec, "encode") and hasattr(codec, "decode")) or isinstance(codec, str | bytes):
        raise ConfigurationError(
            "codec", f"must have encode() and decode(), as kizuna.TEXT has, not {codec!r}"
        )
    if not isinstance(wire, Wire):
        raise ConfigurationError("wire", f"must be a Wire such as kizuna.PLAIN, not {wire!r}")
    if isinstance(platform, type) or not hasattr(platform, "open_socket"):
        raise ConfigurationError("platform", f"must be an object such as AioPlatform(), not {platform!r}")
    if options is not None:
        if not isinstance(options, Mapping):
            raise ConfigurationError(
                "options", f"must be a dict such as {{'max_retries': 3}}, not {options!r}"
            )
        _warn_of_milliseconds(options)


def check_ping(wire: Wire, codec: Codec[Any]) -> None:
    """Check that the codec takes the wire's ping: the connection could never send it.

    Raises:
        ConfigurationError: It does not.
    """
    ping = wire.ping_at(0.0)
    if ping is None:
        return
    try:
        codec.encode(ping)
    except (TypeError, ValueError) as error:
        raise ConfigurationError("wire", f"its ping does not fit the codec: {error}") from error


def _warn_of_milliseconds(options: Mapping[str, object]) -> None:
    for name, value in options.items():
        seconds, usual = finite_number(value), getattr(Numbers, name, None)
        if seconds and type(usual) is float and seconds >= _TOO_MANY * usual > 0:
            logger.warning("%s is in seconds, and %g are many: is it milliseconds?", name, seconds)


#: How many connections each event loop has to each URL.
_connections: WeakKeyDictionary[asyncio.AbstractEventLoop, Counter[str]] = WeakKeyDictionary()


class Home:
    """The event loop that a connection belongs to while it is not closed, and the thread of that loop.

    Args:
        address: Where the connection goes, as the service has it.
    """

    def __init__(self, address: object) -> None:
        self._url = str(address[0]) if isinstance(address, tuple) else ""
        self._thread = 0
        self._counter: Counter[str] = Counter()

    def enter(self) -> None:
        """Belong to the running loop. A second connection of it to the same URL is logged: it may be a mistake."""
        self._thread = get_ident()
        self._counter = _connections.setdefault(asyncio.get_running_loop(), Counter())
        self._counter[self._url] += 1
        if self._url and self._counter[self._url] == 2:
            words = "two connections to %s at a time: disconnect() closes one, get_websocket_service() makes only one"
            logger.warning(words, self._url.partition("?")[0])

    def leave(self) -> None:
        """Belong to no loop."""
        self._thread = 0
        self._counter[self._url] -= 1

    def check(self) -> None:
        """Check that this is the right thread. Raises RuntimeError if it is not."""
        if self._thread and self._thread != get_ident():
            raise RuntimeError(
                "this connection belongs to the event loop of another thread: from here call "
                "loop.call_soon_threadsafe(connection.send, value), for example"
            )
