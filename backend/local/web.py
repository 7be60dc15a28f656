"""The web application of one machine: the page, ``/token``, ``/ticket``, ``/health`` and the WebSocket at ``/ws``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from backend.auth.endpoints import (
    MAX_BODY_BYTES,
    Answer,
    Endpoint,
    forbidden_origin,
    headers_of,
    problem,
    too_large,
    too_many_requests,
)
from backend.auth.origins import host_name, is_host, is_loopback, origin_of
from backend.auth.refusals import log_refusal
from backend.limits.addresses import Network, trusted_hosts
from backend.limits.buckets import warnings
from backend.local.app import Options, Service
from backend.local.content_policy import Policy
from backend.local.health import Health
from backend.local.live_reload import CHANGES, Changes, DevPages, Tree
from backend.local.static_files import Pages

log = logging.getLogger(__name__)
access_log = logging.getLogger("backend.access")

# How long the end waits for handlers; part of the 5 s that a stop may take (backend.local.server).
CLOSE_SECONDS = 0.5
# How long a browser may remember that a page of another host is allowed.
PREFLIGHT_SECONDS = 600
# How long a 429 is delayed.
REFUSAL_SECONDS = 1.0
# Of a path, which may have 64 KiB, in the log.
LOGGED_CHARACTERS = 256
NO_STORE = {"Cache-Control": "no-store"}


def create_app(options: Options) -> Starlette:
    """Return the application. Its :class:`Service` is ``app.state.service``; the application's lifespan ends it.

    Raises StoreUnavailable if the data cannot be used.
    """
    service = Service(options)
    origins = Origins(options.allowed_origins)
    tree = Tree(options.root)
    changes = Changes(tree)
    app = Starlette(
        routes=[
            *(
                Route(path, HttpEndpoint(path, endpoint, service, origins), methods=["POST", "OPTIONS"])
                for path, endpoint in service.endpoints.items()
            ),
            Route("/health", _health(service)),
            WebSocketRoute("/ws", _websocket(service, origins)),
            *([Route(CHANGES, changes.stream)] if options.dev else []),
        ],
        middleware=[
            *_proxy_middleware(options.proxies),
            Middleware(SecurityHeadersMiddleware, policy=Policy(options.root)),
            *(
                [Middleware(HostMiddleware, allowed=options.allowed_origins)]
                if is_loopback(options.host)
                else []
            ),
        ],
        lifespan=_lifespan,
    )
    pages = DevPages(options.root, tree) if options.dev else Pages(options.root)
    app.router.default = _pages_for_http(pages, app.router.not_found)
    app.state.service = service
    app.state.changes = changes
    app.state.hung = False
    return app


def _proxy_middleware(proxies: Sequence[Network]) -> list[Middleware]:
    """Return the middleware that replaces a request's address by the one that a named proxy reports."""
    return [Middleware(ProxyHeadersMiddleware, trusted_hosts=trusted_hosts(proxies))] if proxies else []


def _pages_for_http(pages: ASGIApp, not_found: ASGIApp) -> ASGIApp:
    """Serve pages for every path without a route. A Mount at ``/`` would also swallow wrong methods and WebSockets."""

    async def rest(scope: Scope, receive: Receive, send: Send) -> None:
        await (pages if scope["type"] == "http" else not_found)(scope, receive, send)

    return rest


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    service: Service = app.state.service
    maintenance = asyncio.create_task(service.run_maintenance())
    try:
        yield
    finally:
        maintenance.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await maintenance
        app.state.hung = not service.close(CLOSE_SECONDS)


class SecurityHeadersMiddleware:
    """Middleware that adds security headers to every HTTP answer, and logs one line without the query string."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = self._policy.headers(Headers(scope=scope).get("host"))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
                took = (time.perf_counter() - began) * 1000
                access_log.info(
                    "%s %s %d %.0f ms",
                    scope["method"],
                    quote(scope["path"][:LOGGED_CHARACTERS]),
                    message["status"],
                    took,
                )
            await send(message)

        await self._app(scope, receive, send_with_headers)


class HostMiddleware:
    """The check of Host on a server bound to this machine: loopback names, and the hosts of ALLOWED_ORIGINS.

    Otherwise a page whose host name resolves to 127.0.0.1 would have the same origin as the server, and could read the
    chat (DNS rebinding). A page of ALLOWED_ORIGINS may use any host name: its Origin identifies it.
    """

    def __init__(
        self, app: ASGIApp, allowed: frozenset[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._allowed = allowed
        self._names = frozenset(host_name(origin.partition("://")[2]) for origin in allowed)
        self._warnings = warnings(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it with 403 and the name of the setting."""
        headers = Headers(scope=scope) if scope["type"] in ("http", "websocket") else Headers()
        host, origin = headers.get("host"), headers.get("origin")
        # A request without Host comes from no browser.
        if host is None or self._is_known(host_name(host)) or origin in self._allowed:
            await self._app(scope, receive, send)
            return
        remedy = _remedy(host, origin)
        if not self._warnings.take("host"):
            log.warning("a request came as Host: %.200r, and was refused. %s", host, remedy)
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(PlainTextResponse("Forbidden", 403))
        elif scope["method"] == "POST":
            await _json(forbidden_origin(remedy))(scope, receive, send)
        else:
            await PlainTextResponse(f"{remedy}\n", 403, NO_STORE)(scope, receive, send)

    def _is_known(self, name: str) -> bool:
        return is_loopback(name) or name in self._names


def _remedy(host: str, origin: str | None) -> str:
    """Return which setting lets a page of this origin, or one that uses this host, use the server."""
    page = origin_of(origin) if origin else None
    wanted = page or (f"https://{host_name(host)}" if is_host(host) else "https://…")
    return (
        "This server is bound to its own machine: it answers to loopback names and to the hosts of ALLOWED_ORIGINS. "
        f"If this is your page, set ALLOWED_ORIGINS={wanted}, and let a proxy pass the browser's Host on "
        "(docs/deploying.md)."
    )


class Origins:
    """The pages that may use this server: its own, and those of the listed origins.

    A request without Origin comes from no page of a browser, and needs no check.
    """

    def __init__(self, allowed: frozenset[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.allowed = allowed
        self._warnings = warnings(clock)

    def admit(self, connection: HTTPConnection) -> bool:
        """Return whether the request comes from an allowed page, or from no page. A refusal is logged once a minute."""
        origin, host = connection.headers.get("origin"), connection.headers.get("host", "")
        if origin is None or origin in self.allowed or self._is_own(origin, host):
            return True
        if not self._warnings.take("origin"):
            log.warning(
                "a page of %.200r may not use this server, which was asked as Host: %.200r. If it is your page, set "
                "ALLOWED_ORIGINS to its origin, or let the proxy pass the browser's Host on (docs/hosting.md)",
                origin,
                host,
            )
        return False

    def _is_own(self, origin: str, host: str) -> bool:
        """Return whether the page came from this server. Behind a proxy that speaks TLS this server sees http: the host
        alone is compared."""
        page = origin_of(origin)
        return page is not None and page == origin_of(f"{page.partition('://')[0]}://{host}")


class HttpEndpoint:
    """One endpoint over HTTP, with its limits: origins, rate, and size of the body."""

    def __init__(self, path: str, endpoint: Endpoint, service: Service, origins: Origins) -> None:
        self._path = path
        self._addresses = service.addresses
        self._endpoint = endpoint
        self._workers = service.workers
        self._origins = origins
        self._cors = CORSMiddleware(
            self._respond,
            allow_origins=origins.allowed,
            allow_methods=["POST"],
            allow_headers=["authorization", "content-type"],
            allow_private_network=True,
            expose_headers=["Retry-After"],
            max_age=PREFLIGHT_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the pages of other hosts, their preflights too; answer all others."""
        request = Request(scope)
        if self._origins.admit(request):
            await self._cors(scope, receive, send)
        else:
            log_refusal(f"{request.url.path} refused: a page of another origin", _source(request))
            await _json(forbidden_origin())(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(Request(scope, receive))
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":  # no preflight
            return Response(status_code=405, headers={"Allow": "POST"})
        source = _source(request)
        client = request.client.host if request.client else None
        if wait := self._addresses.wait(self._path, client, forwarded="x-forwarded-for" in request.headers):
            # Without the delay a client that ignores Retry-After would ask again at once.
            await asyncio.sleep(REFUSAL_SECONDS)
            return _json(too_many_requests(), {"Retry-After": str(wait)})
        try:
            body = await _limited_body(request)
        except ClientDisconnect:
            return _json(problem(400, "incomplete", "the body broke off"))  # the client is gone
        if body is None:
            log_refusal(f"{request.url.path} refused: a body that is too large", source)
            return _json(too_large())
        # The endpoint may wait for the disk.
        answering = asyncio.get_running_loop().run_in_executor(
            self._workers, self._endpoint.answer, request.headers, body, source
        )
        return _json(await answering)


def _source(connection: HTTPConnection) -> str:
    """Return the address that a request comes from."""
    return connection.client.host if connection.client else "unknown address"


async def _limited_body(request: Request) -> bytes | None:
    """Return the body, or None once it is too large; a length that is announced is not waited for."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
        return None
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return body


def _json(answer: Answer, headers: Mapping[str, str] | None = None) -> JSONResponse:
    status, body = answer
    return JSONResponse(body, status_code=status, headers={**headers_of(status), **(headers or {})})


def _health(service: Service) -> Callable[[Request], Any]:
    health_of = Health(service.store, service.workers)

    async def health(request: Request) -> Response:
        """Return whether the data can be written."""
        is_good = await health_of.is_good()
        return JSONResponse(
            {"status": "ok" if is_good else "unavailable"},
            status_code=200 if is_good else 503,
            headers={"Cache-Control": "no-store"},
        )

    return health


def _websocket(service: Service, origins: Origins) -> Callable[[WebSocket], Any]:
    async def websocket(socket: WebSocket) -> None:
        """Return the WebSocket API: ``/ws?token=...``, a ticket or a token."""
        if not origins.admit(socket):
            log_refusal("connection refused: a page of another origin", _source(socket))
            await socket.send_denial_response(PlainTextResponse("Forbidden", 403))
            return
        await service.gateway.serve(socket)

    return websocket
