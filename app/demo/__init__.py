"""The demo: the page against a server that runs inside it, with two bots. ``?demo`` in the page's address opens it.

The page loads this package then only. Its storage is the tab's, under keys of its own, so it is over when the tab is
closed, and nothing of it reaches the chat of a real server.

    DemoPlatform    the browser's platform, with sockets that reach the server in the page
    DemoServer      the fake server of kizuna.testing, with people, presence, typing, tokens and limits
    Conversation    what the bots say, and when
    TabStorage      the outbox and the cached rooms, in the storage of the tab
"""

from __future__ import annotations

from collections.abc import Callable

from chat.identity import NAME_KEY
from demo.conversation import Conversation
from demo.platform import DemoPlatform
from demo.server import DemoServer
from demo.tab_storage import TabStorage
from kizuna import ListedSettings, Platform

__all__ = ["Demo", "DemoPlatform", "DemoServer", "ListedSettings", "TabStorage"]

#: The addresses of the server in the page. The top-level domain is reserved: no name in it leads to a host (RFC 2606).
WEB_SOCKET_URL = "wss://demo.invalid/ws"
TOKEN_URL = "https://demo.invalid/token"
TICKET_URL = "https://demo.invalid/ticket"


class Demo:
    """The parts of the demo.

    Args:
        browser: The platform of the page.
        settings: Those of the tab, under keys of the demo alone.
        say: Returns the text of a key of static/i18n/demo.
    """

    def __init__(self, browser: Platform, settings: ListedSettings, say: Callable[..., str]) -> None:
        self.server = DemoServer(browser, settings)
        self.platform: Platform = DemoPlatform(browser, self.server)
        self.storage = TabStorage(settings)
        Conversation(self.server, browser, say)
        if settings.get(NAME_KEY) is None:
            settings.set(NAME_KEY, say("guest"))  # so that the page joins at once
