"""What one link has in the world: a token on its way, a socket, the application's preparation. Nothing of it
outlives ``abandon()``."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote

from kizuna.core import events
from kizuna.core.json_frames import NotAFrame, read_frame
from kizuna.core.server_close import number
from kizuna.errors import FrameTooLarge, NotConnected, TryLater, Unauthorized
from kizuna.platform import Platform, Socket

logger = logging.getLogger("kizuna.transport")

Frame: TypeAlias = Mapping[str, Any]
#: Gives the token for one attempt, or None for a server that wants none. Raises Unauthorized to end it all,
#: TryLater to be asked again after some seconds, OSError when its endpoint cannot be reached.
GetAccessToken: TypeAlias = Callable[[], "Awaitable[str | None] | str | None"]


class LinkHandle:
    """Responsible for letting ``prepare`` speak on a link that does not carry the application's frames yet.

    ``replaces``: another link still carries them, and this one is to take over unnoticed.
    """

    def __init__(self, transport: Transport, *, replaces: bool) -> None:
        self._transport = transport
        self.replaces = replaces

    def send_message(self, action: str, data: Frame | None = None) -> None:
        """As WebSocketService.send_message, on this link. Raises NotConnected once it is gone."""
        self._transport.send(action, data or {})


Prepare: TypeAlias = Callable[[LinkHandle], Awaitable[None] | None]


class Transport:
    """Responsible for one link's socket and tasks; what happens to them becomes events of that link."""

    def __init__(
        self, link: int, platform: Platform, dispatch: Callable[[events.Event], None], max_frame_bytes: int
    ) -> None:
        self._link = link
        self._platform = platform
        self._dispatch = dispatch
        self._max_frame_bytes = max_frame_bytes
        self._socket: Socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether a frame could be sent now."""
        return self._socket is not None and self._socket.is_open

    def fetch_token(self, get_access_token: GetAccessToken | None) -> None:
        """Ask the provider; TokenObtained or TokenFailed follows."""
        if get_access_token is None:
            self._dispatch(events.TokenObtained(self._link, None))
            return
        try:
            token = get_access_token()
        except Exception as error:  # noqa: BLE001 - a provider may raise anything; it becomes the attempt's reason
            self._dispatch(self._token_failure(error))
            return
        if inspect.isawaitable(token):
            self._spawn(self._await_token(token), token)
        else:
            self._dispatch(self._token_event(token))

    def open(self, url: str, token: str | None) -> None:
        """Begin to open the socket. What fails at once is a failed attempt as any other."""
        try:
            if token is not None:
                url += f"{'&' if '?' in url else '?'}token={quote(token, safe='')}"
            self._socket = self._platform.open_socket(url, _Listener(self._link, self._dispatch))
        except Exception as error:  # noqa: BLE001 - its message may hold the URL, and so the token
            logger.warning("the platform opens no socket: %s", type(error).__name__)
            self._dispatch(events.SocketClosed(self._link, 1006))

    def prepare(self, prepares: Iterable[Prepare], *, replaces: bool) -> None:
        """Let the application prepare the open link; LinkPrepared or PrepareFailed follows."""
        self._spawn(self._prepare(tuple(prepares), LinkHandle(self, replaces=replaces)))

    def send(self, action: str, data: Frame) -> None:
        """Send one frame. Raises NotConnected or FrameTooLarge."""
        text = json.dumps({"action": action, **data}, ensure_ascii=False, separators=(",", ":"))
        # Half a surrogate pair goes out as U+FFFD, which has three bytes as well.
        size = len(text.encode(errors="surrogatepass"))
        if size > self._max_frame_bytes:
            raise FrameTooLarge(size, self._max_frame_bytes)
        if self._socket is None or not self._socket.is_open:
            raise NotConnected("the socket is not open")
        try:
            self._socket.send(text)
        except Exception as error:
            raise NotConnected("the socket took no frame") from error

    def abandon(self, code: int, reason: str) -> None:
        """Cancel, detach, close, forget. May be called twice."""
        for task in tuple(self._tasks):  # also the one that we may be called from: it ends at its next await
            task.cancel()
        self._tasks.clear()
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.abandon(code, reason)

    async def _await_token(self, token: Awaitable[str | None]) -> None:
        try:
            event = self._token_event(await token)
        except Exception as error:  # noqa: BLE001 - as above
            event = self._token_failure(error)
        self._dispatch(event)

    async def _prepare(self, prepares: Iterable[Prepare], handle: LinkHandle) -> None:
        try:
            for prepare in prepares:
                preparing = prepare(handle)
                if preparing is not None:
                    await preparing
        except Exception as error:
            logger.exception("prepare failed")
            self._dispatch(events.PrepareFailed(self._link, str(error)))
        else:
            self._dispatch(events.LinkPrepared(self._link))

    def _token_event(self, token: Any) -> events.TokenObtained | events.TokenFailed:
        if token is None or isinstance(token, str):
            return events.TokenObtained(self._link, token)
        return self._token_failure(TypeError())

    def _token_failure(self, error: Exception) -> events.TokenFailed:
        """Only the error's kind goes further: its words may hold an address with a secret in it."""
        kind = type(error).__name__
        logger.info("no token: %s", kind)
        return events.TokenFailed(
            self._link,
            isinstance(error, Unauthorized),
            f"no token could be fetched ({kind})",
            unreachable=isinstance(error, OSError),
            retry_after=number(error.retry_after) if isinstance(error, TryLater) else None,
        )

    def _spawn(self, work: Coroutine[Any, Any, None], awaited: object = None) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if inspect.iscoroutine(awaited):  # a task that is cancelled before it began would leave it to warn
            task.add_done_callback(lambda _: awaited.close())


class _Listener:
    """Responsible for turning what one socket says into events of its link."""

    def __init__(self, link: int, dispatch: Callable[[events.Event], None]) -> None:
        self._link = link
        self._dispatch = dispatch

    def on_open(self) -> None:
        self._dispatch(events.SocketOpened(self._link))

    def on_text(self, text: str) -> None:
        try:
            event: events.Event = events.FrameReceived(self._link, read_frame(text))
        except NotAFrame as error:
            event = events.FrameMalformed(self._link, str(error))
        self._dispatch(event)

    def on_binary(self) -> None:
        self._dispatch(events.FrameMalformed(self._link, "a binary frame"))

    def on_close(self, code: int, reason: str) -> None:
        self._dispatch(events.SocketClosed(self._link, code, reason))
