"""The README's program for a page does what it says."""

import textwrap
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute

from tests.support.python_page import PythonPage
from tests.support.server import ROOT, KizunaServer
from tests.support.waiting import eventually
from tests.test_docs import programs

#: What the program prints is kept in `shown`.
RUN = """
import asyncio
shown = []
def print(value):
    shown.append(str(value))
async def program():
{program}
running = asyncio.create_task(program())
"""


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context() as context:
        yield context.new_page()


def test_the_program_shows_states_and_frames_through_a_drop(page: Page, source_server: KizunaServer) -> None:
    """Playwright answers in the place of a server that returns what is said."""
    sockets: list[WebSocketRoute] = []

    def echo(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.on_message(socket.send)

    page.route_web_socket(f"{source_server.url.replace('http', 'ws', 1)}/ws", echo)
    tab = PythonPage(page, source_server.url)
    tab.begin_to_open()
    tab.wait_until_started()
    program, *_ = programs(ROOT / "README.md")
    tab.run(RUN.format(program=textwrap.indent(program, "    ")))
    said = str({"text": "こんにちは"})
    eventually(lambda: said in tab.run("shown"), what="the frame comes back")
    sockets[0].close(code=4000)
    eventually(lambda: tab.run("shown")[-1] == "connected", what="the next link")
    assert tab.run("shown") == [said, "waiting", "connecting", "connected"]
    sockets[1].send('{"news": 1}')
    eventually(lambda: tab.run("shown")[-1] == str({"news": 1}), what="a frame of the next link")
