"""The page under a path, beside another copy, behind a sign-in gate, and with a firewall."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from playwright.sync_api import Browser, BrowserContext, HttpCredentials, Page, Request, expect
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.local.app import Options
from backend.local.web import create_app
from tests.support.user_page import UserPage
from tests.support.waiting import PATIENCE, eventually
from tools.build.page import start_files_of

BASIC = f"Basic {b64encode(b'ann:password').decode()}"
COOKIE = "signed-in=yes"

ARE_KEPT = """async (paths) => {
    const found = await Promise.all(paths.map((path) => caches.match(new URL(path, document.baseURI).href)));
    return found.every(Boolean);
}"""


class Gate:
    """A proxy that lets neither page nor WebSocket through without a password or a cookie."""

    def __init__(self, app: ASGIApp, kind: str) -> None:
        self._app = app
        self._kind = kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] != "lifespan" else Headers()
        passes = (
            headers.get("authorization") == BASIC
            if self._kind == "basic"
            else COOKIE in headers.get("cookie", "")
        )
        if passes or scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            await self._refusal(scope)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response:
        if self._kind == "basic":
            return Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="chat"'})
        if scope["path"] == "/sign-in":
            return HTMLResponse("<h1>Sign in</h1>")
        # On an origin of its own, as those of Authelia and Cloudflare Access are.
        return RedirectResponse(f"http://localhost:{scope['server'][1]}/sign-in", 302)


@contextlib.contextmanager
def served(site: Path, folder: Path, *paths: str, gate: str = "") -> Iterator[str]:
    """Servers under paths of one origin, each with its own data, perhaps behind a gate."""
    servers = {
        path: create_app(Options(data=folder / path / "kizuna.sqlite3", root=site, rate_limit=0))
        for path in paths
    }

    @contextlib.asynccontextmanager
    async def lives(_: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for server in servers.values():
                await stack.enter_async_context(server.router.lifespan_context(server))
            yield

    app: ASGIApp = Starlette(
        routes=[Mount(f"/{path}", server) for path, server in servers.items()], lifespan=lives
    )
    config = uvicorn.Config(
        Gate(app, gate) if gate else app,
        port=0,
        ws="websockets-sansio",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        eventually(lambda: server.started, what="the servers listen")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


def join(page: Page, url: str = "") -> None:
    page.set_default_timeout(PATIENCE * 1000)
    if url:
        page.goto(url, wait_until="commit")
    page.get_by_role("textbox", name="Your name").fill("Ann")
    page.get_by_role("button", name="Join", exact=True).click()


def says(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message", exact=True).fill(text)
    page.get_by_role("textbox", name="Message", exact=True).press("Enter")
    expect(page.locator('article[data-state="sent"]', has_text=text)).to_be_visible()


def test_behind_http_basic_under_a_path_somebody_gets_in(
    chromium: Browser, site: Path, tmp_path: Path
) -> None:
    password = HttpCredentials(username="ann", password="password")
    with (
        served(site, tmp_path, "team/chat", gate="basic") as url,
        contextlib.closing(chromium.new_context(locale="en-US", http_credentials=password)) as context,
    ):
        page = context.new_page()
        join(page, f"{url}/team/chat/")
        says(page, "past the password")
        expect(page.locator("html")).to_have_attribute("data-status", "connected")


def test_a_gate_whose_sign_in_ended_is_told_and_met_by_reloading(
    chromium: Browser, site: Path, tmp_path: Path
) -> None:
    with (
        served(site, tmp_path, "chat", gate="cookie") as url,
        contextlib.closing(chromium.new_context(locale="en-US")) as context,
    ):
        sign_in(context, url)
        page = context.new_page()
        page.goto(f"{url}/chat/")
        files = start_files_of((site / "index.html").read_text(encoding="utf-8"))
        needed = [files["wasm"], files["snapshot"]]
        eventually(lambda: page.evaluate(ARE_KEPT, needed), what="the service worker keeps the page")
        page.reload()  # which from now on meets no gate by itself
        expect(page.locator("html")).to_have_attribute("data-page", "live")
        context.clear_cookies()
        join(page)
        expect(page.locator("#banner")).to_contain_text(
            "A sign-in page or a firewall is blocking the connection."
        )
        expect(page.locator("html")).not_to_have_attribute("data-status", "rejected")
        page.reload()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        sign_in(context, url)
        page.goto(f"{url}/chat/")
        says(page, "past the cookie")


def sign_in(context: BrowserContext, url: str) -> None:
    name, _, value = COOKIE.partition("=")
    context.add_cookies([{"name": name, "value": value, "url": url}])


def test_two_copies_on_one_origin_share_neither_people_nor_words(
    chromium: Browser, site: Path, tmp_path: Path
) -> None:
    with (
        served(site, tmp_path, "a", "b") as url,
        contextlib.closing(chromium.new_context(locale="en-US")) as context,
    ):
        page = context.new_page()
        secrets: dict[str, set[str]] = {"/a/token": set(), "/b/token": set()}

        def note(request: Request) -> None:
            if request.url.endswith("/token"):
                secrets[urlsplit(request.url).path].add(json.loads(request.post_data or "")["clientSecret"])

        page.on("request", note)
        join(page, f"{url}/a/")
        says(page, "only for a")
        page.goto(f"{url}/b/")
        expect(page.get_by_role("textbox", name="Your name")).to_be_visible()
        expect(page.get_by_text("only for a")).to_have_count(0)
        join(page)
        says(page, "only for b")
        expect(page.get_by_text("only for a")).to_have_count(0)
        page.locator("#person").click()
        page.get_by_role("button", name="Leave", exact=True).click()
        expect(page.get_by_role("textbox", name="Your name")).to_be_visible()
        page.goto(f"{url}/a/")
        says(page, "still in a")
        expect(page.locator("article")).to_have_count(2)
        assert [len(found) for found in secrets.values()] == [1, 1]
        assert secrets["/a/token"] != secrets["/b/token"]


def test_one_403_of_a_firewall_ends_no_open_tab(ada: UserPage) -> None:
    ada.watch.allow_network_trouble()
    ada.watch.allow("status of 403", "no token: Intercepted")
    ada.page.route("**/ticket", lambda route: route.fulfill(status=403, body="<h1>Blocked</h1>"), times=1)
    with ada.page.expect_response("**/ticket") as blocked:
        ada.network.reset(only_websockets=True)
    assert blocked.value.status == 403
    ada.wait_until_in()
    ada.say("still here")
    ada.wait_for_text("still here", state="sent")
