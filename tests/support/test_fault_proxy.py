"""The faults do to real sockets what they say. What a browser makes of each, measured, is in the docstrings.

Seen from a page every one of them is the same: at best `error` and `close` with code 1006, at worst nothing at
all. That is why a connection library needs its own deadlines, and why these tests look below the WebSocket.
"""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import Server, ServerConnection, serve

from tests.support.fault_proxy import FaultProxy, Way
from tests.support.process import LOOPBACK

#: The names that `websockets` has for an end of stream during the handshake, by the moment at which it comes.
HANDSHAKE_ENDED = (InvalidMessage, ConnectionClosed, EOFError, OSError)
SOON = 0.15  #: seconds in which nothing must come
LATE = 120.0  #: seconds after which what must come has not come


@pytest.fixture(scope="module")
def echo() -> Iterator[Server]:
    """A WebSocket server that answers each frame with the same frame."""

    def answer(link: ServerConnection) -> None:
        for frame in link:
            link.send(frame)

    with serve(answer, LOOPBACK, 0, close_timeout=1) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo: Server) -> Iterator[FaultProxy]:
    with FaultProxy(echo.socket.getsockname()[1]) as proxy:
        yield proxy


def websocket(proxy: FaultProxy, open_timeout: float = LATE) -> ClientConnection:
    return connect(  # uncompressed, so that a frame takes the bytes that it seems to take
        f"ws://{LOOPBACK}:{proxy.port}/",
        open_timeout=open_timeout,
        close_timeout=0.2,
        ping_interval=None,
        proxy=None,
        compression=None,
    )


def echoed(link: ClientConnection, text: str = "hello", timeout: float = LATE) -> bool:
    """Whether a frame comes back."""
    try:
        link.send(text)
        return link.recv(timeout=timeout) == text
    except TimeoutError:
        return False


def plain(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection((LOOPBACK, proxy.port), timeout=LATE)


def test_frames_of_any_size_pass_without_faults(proxy: FaultProxy) -> None:
    """A browser sees no difference from talking to the server itself."""
    with websocket(proxy) as link:
        assert echoed(link)
        assert echoed(link, "絆" * 200_000)


def test_connections_are_counted_and_handshakes_apart(proxy: FaultProxy) -> None:
    """What a browser opens in advance and never uses is no WebSocket."""
    with plain(proxy), websocket(proxy):
        seen = proxy.wait_until(lambda counts: counts.websockets == 1)
        assert (seen.accepted, seen.open, seen.open_websockets) == (2, 2, 1)
    seen = proxy.wait_until(lambda counts: counts.open == 0)
    assert (seen.accepted, seen.websockets, seen.open_websockets) == (2, 1, 0)


def test_the_time_of_each_handshake_is_recorded(proxy: FaultProxy) -> None:
    began = time.time()
    with plain(proxy), websocket(proxy):
        opened = time.time()
    with proxy.http_status(503), pytest.raises(InvalidStatus):
        websocket(proxy)
    first, second = proxy.handshakes_at
    assert began <= first <= opened <= second <= time.time()


def test_a_proxy_that_stops_while_connections_come_leaves_none_open() -> None:
    gc.collect()
    unclosed: list[object] = []
    with pytest.MonkeyPatch.context() as patch, socket.create_server((LOOPBACK, 0)) as server:
        patch.setattr("sys.unraisablehook", unclosed.append)
        for _ in range(20):
            proxy = FaultProxy(server.getsockname()[1]).start()
            clients = [socket.create_connection((LOOPBACK, proxy.port)) for _ in range(5)]
            proxy.stop()
            for client in clients:
                client.close()
        gc.collect()
    assert unclosed == []


def test_waiting_for_counts_that_do_not_come_fails_with_what_was_seen(proxy: FaultProxy) -> None:
    with pytest.raises(AssertionError, match="accepted=0"):
        proxy.wait_until(lambda counts: counts.accepted == 1, within=0.05)


def test_reset_is_a_reset_on_both_sides(proxy: FaultProxy) -> None:
    """Browser: error and close 1006 in about 17 ms."""
    raw = plain(proxy)
    proxy.wait_until(lambda counts: counts.open == 1)
    assert proxy.reset() == 1
    with pytest.raises(ConnectionResetError):
        raw.recv(1)
    raw.close()
    proxy.wait_until(lambda counts: counts.open == 0)


def test_reset_of_websockets_alone_leaves_other_connections(proxy: FaultProxy) -> None:
    """The page's files go on loading."""
    with plain(proxy) as raw, websocket(proxy) as link:
        proxy.wait_until(lambda counts: counts.open == 2)
        assert proxy.reset(only_websockets=True) == 1
        with pytest.raises(ConnectionClosed):
            link.recv(timeout=LATE)
        raw.settimeout(SOON)
        with pytest.raises(TimeoutError):
            raw.recv(1)


def test_fin_ends_the_stream_without_a_close_frame(proxy: FaultProxy) -> None:
    """Browser: close 1006, not clean, in about 20 ms."""
    with websocket(proxy) as link:
        assert proxy.fin() == 1
        with pytest.raises(ConnectionClosed) as closed:
            link.recv(timeout=LATE)
        assert closed.value.rcvd is None


def test_refuse_leaves_what_is_open_and_listens_again_on_the_same_port(proxy: FaultProxy) -> None:
    """Browser: error and close 1006 in 7 to 26 ms. Firefox delays its later attempts by itself, up to 17 s."""
    with websocket(proxy) as link:
        with proxy.refuse():
            with pytest.raises(ConnectionRefusedError):
                plain(proxy)
            assert echoed(link)
        with websocket(proxy) as another:
            assert echoed(another)


def test_down_is_a_dead_server_and_ends(proxy: FaultProxy) -> None:
    """Browser: the open socket closes with 1006, then each attempt does."""
    with websocket(proxy) as link:
        with proxy.down():
            with pytest.raises(ConnectionClosed):
                link.recv(timeout=LATE)
            with pytest.raises(ConnectionRefusedError):
                plain(proxy)
        with websocket(proxy) as another:
            assert echoed(another)


def test_a_dead_server_behind_the_proxy_is_a_reset(proxy: FaultProxy) -> None:
    """Browser: error and close 1006, as with a refused connection."""
    with FaultProxy(1) as nowhere, pytest.raises(ConnectionResetError), plain(nowhere) as raw:
        raw.recv(1)


def test_a_black_hole_is_silent_and_what_was_held_arrives_late(proxy: FaultProxy) -> None:
    """Browser: readyState 1, no error, no event. A train in a tunnel."""
    with websocket(proxy) as link:
        with proxy.black_hole():
            assert not echoed(link, timeout=SOON)
        assert link.recv(timeout=LATE) == "hello"


def test_a_black_hole_one_way_lets_the_other_pass(proxy: FaultProxy) -> None:
    """Browser: sends succeed and are seen by others, while nothing comes back; or the other way round."""
    with websocket(proxy) as link:
        with proxy.black_hole(Way.DOWN):
            before = proxy.counts
            assert not echoed(link, timeout=SOON)
            proxy.wait_until(lambda counts: counts.bytes_up > before.bytes_up)
            assert proxy.counts.bytes_down == before.bytes_down
        assert link.recv(timeout=LATE) == "hello"
        with proxy.black_hole(Way.UP):
            before = proxy.counts
            assert not echoed(link, timeout=SOON)
            assert proxy.counts.bytes_up == before.bytes_up


def test_a_black_hole_swallows_new_handshakes_and_closings(proxy: FaultProxy) -> None:
    """Browser: CONNECTING for ever (Firefox: 1006 after 20 s); `close()` gives no event in 20 s, WebKit's in 5."""
    with websocket(proxy) as link, proxy.black_hole():
        with pytest.raises(TimeoutError):
            websocket(proxy, open_timeout=SOON)
        link.socket.shutdown(socket.SHUT_RDWR)
        with pytest.raises(AssertionError):
            proxy.wait_until(lambda counts: counts.open_websockets == 0, within=SOON)
    proxy.wait_until(lambda counts: counts.open_websockets == 0)


def test_a_connection_in_a_black_hole_can_still_be_reset(proxy: FaultProxy) -> None:
    """Browser: silence, then close 1006."""
    with websocket(proxy) as link, proxy.black_hole():
        proxy.reset()
        with pytest.raises(ConnectionClosed):
            link.recv(timeout=LATE)
        proxy.wait_until(lambda counts: counts.open == 0)


def test_stranded_connections_stay_silent_while_new_ones_work(proxy: FaultProxy) -> None:
    """Browser: a half-open link, readyState 1 and silent; what is sent into it is lost. Only a heartbeat tells."""
    with websocket(proxy) as old:
        assert proxy.strand() == 1
        assert not echoed(old, timeout=SOON)
        with websocket(proxy) as new:
            assert echoed(new)
        assert not echoed(old, timeout=SOON)
        proxy.reset()


def test_accept_and_hang_answers_nothing_and_is_over_for_the_next(proxy: FaultProxy) -> None:
    """Browser: CONNECTING; Chromium and WebKit for longer than 26 s, Firefox gives up at 20.0 s."""
    with proxy.accept_and_hang(), pytest.raises(TimeoutError):
        websocket(proxy, open_timeout=SOON)
    with websocket(proxy) as link:
        assert echoed(link)


def test_accept_and_hang_of_websockets_alone_lets_requests_pass(proxy: FaultProxy) -> None:
    """The page loads and gets its token; its WebSocket stays CONNECTING."""
    with proxy.accept_and_hang(only_websockets=True):
        with pytest.raises(TimeoutError):
            websocket(proxy, open_timeout=SOON)
        with plain(proxy) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert raw.recv(100).startswith(b"HTTP/1.1 ")
    proxy.wait_until(lambda counts: counts.open == 0)


def test_accept_then_close_gives_an_end_of_stream(proxy: FaultProxy) -> None:
    """Browser: error and close 1006, as with a refused connection."""
    with proxy.accept_then_close():
        with plain(proxy) as raw:
            assert raw.recv(1) == b""
        with pytest.raises(HANDSHAKE_ENDED):
            websocket(proxy)


def test_accept_then_close_of_websockets_alone_lets_requests_pass(proxy: FaultProxy) -> None:
    """The page loads and gets its token; its WebSocket closes with 1006."""
    with proxy.accept_then_close(only_websockets=True):
        with pytest.raises(HANDSHAKE_ENDED):
            websocket(proxy)
        with plain(proxy) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert raw.recv(100).startswith(b"HTTP/1.1 ")


def test_accept_then_close_after_the_handshake_opens_and_drops(proxy: FaultProxy) -> None:
    """Browser: `open`, then close 1006 at once. A server that accepts and drops must not reset the backoff."""
    with (
        proxy.accept_then_close(after_handshake=True),
        websocket(proxy) as link,
        pytest.raises(ConnectionClosed),
    ):
        link.recv(timeout=LATE)


@pytest.mark.parametrize("status", [401, 503])
def test_a_status_at_the_handshake_is_answered_without_asking_the_server(
    proxy: FaultProxy, status: int
) -> None:
    """Browser: error and close 1006; the status is invisible to the page. Other requests pass."""
    with proxy.http_status(status), pytest.raises(InvalidStatus) as refused:
        websocket(proxy)
    assert refused.value.response.status_code == status
    assert proxy.counts.websockets == 1
    with websocket(proxy) as link:
        assert echoed(link)


def test_slow_delays_each_way_and_keeps_the_order(proxy: FaultProxy) -> None:
    """Browser: late frames, and a longer round-trip time; nothing else."""
    with websocket(proxy) as link, proxy.slow(0.1):
        began = time.monotonic()
        for number in range(20):
            link.send(str(number))
        assert [link.recv(timeout=LATE) for _ in range(20)] == [str(number) for number in range(20)]
        assert time.monotonic() - began >= 0.2


def test_bandwidth_makes_large_frames_late(proxy: FaultProxy) -> None:
    """Browser: bufferedAmount stays above zero; a heartbeat behind a large frame is late too."""
    with websocket(proxy) as link, proxy.link(20_000):
        began = time.monotonic()
        assert echoed(link, "x" * 10_000)
        assert time.monotonic() - began > 0.5


def test_connections_of_one_link_share_what_it_carries(proxy: FaultProxy) -> None:
    """Browser: six downloads at once are together no faster than one."""
    with websocket(proxy) as one, websocket(proxy) as other, proxy.link(40_000, 0.0):
        began = time.monotonic()
        for link in (one, other):
            link.send("x" * 10_000)
        for link in (one, other):
            assert len(link.recv(timeout=LATE)) == 10_000
        # Up for half a second, and the later one down for a quarter; with a line each it would be a quarter twice.
        assert time.monotonic() - began > 0.7


def test_a_link_delays_the_first_handshake_too(proxy: FaultProxy) -> None:
    """Browser: a new connection costs two round trips before the first byte of an answer."""
    with proxy.link(1e6, 0.05):
        began = time.monotonic()
        with websocket(proxy) as link:
            assert time.monotonic() - began >= 0.2
            began = time.monotonic()
            assert echoed(link)
            assert time.monotonic() - began >= 0.1
    assert proxy.conditions.bandwidth is None


def test_a_frame_cut_in_the_middle_is_never_delivered(proxy: FaultProxy) -> None:
    """Browser: no message event, close 1006."""
    with websocket(proxy) as link:
        assert echoed(link)
        assert proxy.cut_mid_frame() == 1
        link.send("half of this " * 100)
        with pytest.raises(ConnectionClosed) as closed:
            link.recv(timeout=LATE)
        assert closed.value.rcvd is None
    proxy.wait_until(lambda counts: counts.open == 0)


@pytest.mark.parametrize("payload", ["not JSON", "絆" * 1000, b"\x00\xff"])
def test_an_injected_frame_arrives_like_the_servers_own(proxy: FaultProxy, payload: str | bytes) -> None:
    """Browser: a message event."""
    with websocket(proxy) as link:
        assert echoed(link)
        assert proxy.inject(payload) == 1
        assert link.recv(timeout=LATE) == payload
        assert echoed(link)


def test_nothing_is_injected_behind_the_end_of_the_servers_stream() -> None:
    """Browser: between the server's FIN and its own, a connection is still open here."""
    with (
        socket.create_server((LOOPBACK, 0)) as server,
        FaultProxy(server.getsockname()[1]) as proxy,
        plain(proxy) as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
        upstream, _ = server.accept()
        with upstream:
            upstream.recv(1000)
            upstream.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
            upstream.shutdown(socket.SHUT_WR)
            with client.makefile("rb") as arriving:
                assert arriving.read().startswith(b"HTTP/1.1 101")
            assert proxy.counts.open_websockets == 1
            assert proxy.inject("late") == 0


def test_faults_can_be_combined(proxy: FaultProxy) -> None:
    """A browser in a slow tunnel whose server dies."""
    with websocket(proxy) as link, proxy.slow(0.05), proxy.link(100_000):
        assert echoed(link)
        with proxy.down(), pytest.raises(ConnectionRefusedError):
            plain(proxy)
    with websocket(proxy) as link:
        assert echoed(link)
