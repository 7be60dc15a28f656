"""Records what a page does, and finds problems: errors, requests to other origins, tokens in the console."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import ConsoleMessage, Dialog, Error, Page, Request, WebSocket

#: A browser writes an error for each WebSocket and each request that fails, the first with the whole address, token
#: included. A page cannot prevent them, so tests with network faults allow them.
NETWORK_TROUBLE = (
    r"WebSocket connection to '.*' failed",
    r"can.t establish a connection to the server at ws:",  # Firefox
    r"connection to ws:.* was interrupted while the page was loading",  # Firefox
    r"kizuna\.service: no token: TokenUnavailable",  # a warning of the page, which Python writes as an error
    r"the connection is exhausted: ",  # likewise, in a page that configures no logging
    r"Failed to load resource: (net::ERR_|the server responded with a status of 50[234])",
)

#: Chromium reports blocked content in the console too; other engines only by this event.
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`CSP violation: ${event.violatedDirective} refused ${event.blockedURI}`));
"""


class Watch:
    """What one page did, over all reloads, and which of it was wrong."""

    def __init__(self, page: Page, *origins: str) -> None:
        self.console: list[str] = []
        self.requests: list[str] = []
        self.frames_sent: list[str] = []
        self.frames_received: list[str] = []
        self.sockets_opened: list[str] = []
        self._problems: list[str] = []
        self._allowed: list[str] = []
        #: Tokens and tickets that the page has used.
        self.tokens: set[str] = set()
        self._page = page
        self._hosts = {urlsplit(origin).netloc for origin in origins}
        page.add_init_script(REPORT_VIOLATIONS)
        page.on("pageerror", lambda error: self._problems.append(f"uncaught error: {error}"))
        page.on("crash", lambda _: self._problems.append("the page crashed"))
        page.on("dialog", self._on_dialog)
        page.on("console", self._on_console)
        page.on("request", self._on_request)
        page.on("websocket", self._on_websocket)

    def allow(self, *patterns: str) -> None:
        """Ignore problems that match these regular expressions, until the next `forget`."""
        self._allowed += patterns

    def allow_origin(self, origin: str) -> None:
        """Allow requests to a further origin."""
        self._hosts.add(urlsplit(origin).netloc)

    def allow_network_trouble(self) -> None:
        """Allow the errors that browsers report for network faults."""
        self.allow(*NETWORK_TROUBLE)

    @property
    def problems(self) -> list[str]:
        """All problems that are not allowed. PyScript shows errors in elements of class py-error."""
        noted = [
            text for text in self._problems if not any(re.search(allowed, text) for allowed in self._allowed)
        ]
        elsewhere = [
            f"asked another origin: {url}"
            for url in (*self.requests, *self.sockets_opened)
            if urlsplit(url).netloc not in self._hosts and not url.startswith(("data:", "blob:"))
        ]
        own_words = "\n".join(text for text in self.console if not re.match(NETWORK_TROUBLE[0], text))
        aloud = ["a token in the console"] * self.tokens_in(own_words)
        return noted + self._shown_errors() + elsewhere + aloud

    def tokens_in(self, text: str) -> int:
        """Return how many of the page's tokens and tickets occur in a text."""
        return sum(token in text for token in self.tokens)

    def forget(self) -> None:
        """Delete the records, except tokens, before the next test on the same page."""
        for memory in vars(self).values():
            if isinstance(memory, list):
                memory.clear()

    def _shown_errors(self) -> list[str]:
        if self._page.is_closed():
            return []
        try:
            return self._page.locator(".py-error").all_inner_texts()
        except Error as error:
            return [f"the page does not answer: {error.message}"]

    def _on_console(self, message: ConsoleMessage) -> None:
        self.console.append(message.text)
        if message.type == "error":
            self._problems.append(f"console error: {message.text}")

    def _on_dialog(self, dialog: Dialog) -> None:
        self._problems.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        self.requests.append(request.url)
        if urlsplit(request.url).path.endswith("/ticket") and request.post_data:
            self.tokens.add(json.loads(request.post_data)["token"])

    def _on_websocket(self, socket: WebSocket) -> None:
        self.sockets_opened.append(socket.url)
        self.tokens |= {token for token in parse_qs(urlsplit(socket.url).query).get("token", []) if token}
        socket.on("framesent", lambda frame: self.frames_sent.append(str(frame)))
        socket.on("framereceived", lambda frame: self.frames_received.append(str(frame)))
