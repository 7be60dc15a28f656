"""The backend on AWS: DynamoDB, API Gateway, and the handlers that also run on one machine.

Settings come from the environment of the functions, which template.yaml sets:

    TABLE_NAME              the DynamoDB table
    TOKEN_SECRET_PARAMETER  name of the SSM parameter with the secret of HS256 tokens, or else
    JWKS_URL                where the public keys of RS256 and ES256 tokens are
    AUDIENCE, ISSUER        what tokens must name; needed with JWKS_URL, else "kizuna" and any issuer
    OPEN_SIGN_IN            "yes": POST /token issues tokens to everyone, as on one machine; "no": another service does
    ALLOWED_ORIGINS         the pages that may connect, separated by commas or spaces
    RATE_LIMIT, RATE_BURST  messages a second of one person (0: any number), and how many at once
    RATE_BURST_NEW          how many at once in a person's first minute (0: as many as later)
    TYPING_SECONDS          between two typing notices of one person in a room (0: any)
    HELLO_LIMIT, ASK_LIMIT  hellos, and joins, leaves, syncs and histories, a second of one person (0: any number)
    MOST_CONNECTIONS        of one person (0: any number)
    TOKEN_LIMIT             tokens a second for one address (0: any number), and
    TICKET_LIMIT            tickets likewise
    MANAGEMENT_ENDPOINT     URL of the stage, through which frames are posted; without it, what each event says, which
                            is right unless the API has a domain of its own
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict
from urllib.parse import urlsplit

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from backend.auth.authorizer import Authorizer, deny
from backend.auth.bans import Bans
from backend.auth.endpoints import (
    Answer,
    Endpoint,
    TicketEndpoint,
    TokenEndpoint,
    forbidden_origin,
    headers_of,
    problem,
    too_many_requests,
)
from backend.auth.keys import FETCH_TIMEOUT_SECONDS, Keys, PublishedKeys, SharedSecret, VerifierUnavailable
from backend.auth.origins import InvalidOrigin, origins_in
from backend.auth.refusals import log_refusal, source_of
from backend.auth.tickets import TicketOrToken, Tickets
from backend.auth.tokens import AUDIENCE, Tokens
from backend.auth.verification import JwtVerifier, Verifier
from backend.gateway.base import Gateway
from backend.limits.actions import (
    ASKS_PER_SECOND,
    HELLOS_PER_SECOND,
    TYPING_SECONDS,
    ActionLimits,
    typing_seconds_in,
)
from backend.limits.addresses import TICKETS_PER_SECOND, TOKENS_PER_SECOND, Addresses
from backend.limits.rate_limit import (
    BURST,
    BURST_NEW,
    PER_SECOND,
    InvalidRate,
    Rate,
    burst_in,
    burst_new_in,
    count_in,
    per_second_in,
)
from backend.messaging.handlers import MAX_CONNECTIONS_PER_PERSON, Backend, Event
from backend.store.base import Store


class Misconfigured(Exception):
    """A setting that is missing or invalid; the text names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of the environment. Either ``secret_parameter`` or ``jwks_url`` is not empty."""

    table: str
    allowed_origins: frozenset[str]
    audience: str = AUDIENCE
    issuer: str | None = None
    secret_parameter: str = ""
    jwks_url: str = ""
    open_sign_in: bool = False
    rate: Rate | None = None
    actions: ActionLimits = field(default_factory=ActionLimits)
    most_connections: int = MAX_CONNECTIONS_PER_PERSON
    token_limit: float = TOKENS_PER_SECOND
    ticket_limit: float = TICKETS_PER_SECOND
    management_endpoint: str = ""


class HttpAnswer(TypedDict):
    """A function's answer to an HTTP API."""

    statusCode: int
    headers: Mapping[str, str]
    body: str


class Cloud:
    """The handler of all events of a function: the authorizer's, the WebSocket API's, and the HTTP API's.

    ``tokens`` verifies tokens, ``issuer`` gives their issuer, if they are issued here. ``gateway_at`` gives the gateway
    for the URL of a management API; one is made for each URL.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        tokens: Verifier,
        gateway_at: Callable[[str], Gateway],
        *,
        issuer: Callable[[], Tokens] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        limits = {"/token": settings.token_limit, "/ticket": settings.ticket_limit}
        self._addresses = Addresses(limits, monotonic=monotonic)
        self._store = store
        self._gateway_at = gateway_at
        self._clock = clock
        tickets = Tickets(store, clock=clock)
        bans = Bans(store, clock=clock)
        self._authorizer = Authorizer(TicketOrToken(tickets, tokens))
        self._endpoints: dict[str, Endpoint] = {"POST /ticket": TicketEndpoint(tickets, tokens, bans)}
        if issuer is not None:
            self._endpoints["POST /token"] = TokenEndpoint(issuer, bans)
        self._backends: dict[str, Backend] = {}

    @property
    def http_routes(self) -> frozenset[str]:
        """The route keys of the HTTP API."""
        return frozenset(self._endpoints)

    def handle(self, event: Event, context: object = None) -> Mapping[str, Any]:
        """Answer one event. Lambda reports exceptions, and API Gateway answers "Internal server error"."""
        request = event["requestContext"]
        if "http" in request:
            return self._http(event)
        if event.get("type") == "REQUEST":
            return self._authorize(event)
        return self._backend(request).handle(event, context)

    def _authorize(self, event: Event) -> Mapping[str, Any]:
        if not self._admits(event):
            log_refusal("connection refused: its page's origin is not in ALLOWED_ORIGINS", source_of(event))
            return deny(event)
        return self._authorizer.authorize(event)

    def _backend(self, request: Mapping[str, Any]) -> Backend:
        endpoint = self._settings.management_endpoint or f"https://{request['domainName']}/{request['stage']}"
        if endpoint not in self._backends:
            self._backends[endpoint] = Backend(
                self._store,
                self._gateway_at(endpoint),
                clock=self._clock,
                rate=self._settings.rate,
                actions=self._settings.actions,
                most_connections=self._settings.most_connections,
            )
        return self._backends[endpoint]

    def _http(self, event: Event) -> HttpAnswer:
        endpoint = self._endpoints.get(event["routeKey"])
        if endpoint is None:
            return _answer(
                problem(404, "not_found", f"there is {' and '.join(sorted(self.http_routes))} only")
            )
        source = source_of(event)
        if not self._admits(event):
            log_refusal("request refused: its page's origin is not in ALLOWED_ORIGINS", source)
            return _answer(forbidden_origin())
        path = event["routeKey"].removeprefix("POST ")
        if wait := self._addresses.wait(path, source):
            return _answer(too_many_requests(), {"Retry-After": str(wait)})
        return _answer(endpoint.answer(event.get("headers") or {}, _body(event), source))

    def _admits(self, event: Event) -> bool:
        """Return whether the request comes from an allowed page, or from no page of a browser."""
        # A WebSocket API keeps the browser's spelling of a header, an HTTP API makes it lower.
        headers: Mapping[str, str] = event.get("headers") or {}
        origin = next((value for key, value in headers.items() if key.lower() == "origin"), None)
        return origin is None or origin in self._settings.allowed_origins


def _body(event: Event) -> bytes:
    """Return the body of an HTTP API's event, which comes as text or as base64."""
    body: str = event.get("body") or ""
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()


def _answer(answer: Answer, more: Mapping[str, str] | None = None) -> HttpAnswer:
    status, body = answer
    headers = {"Content-Type": "application/json", **headers_of(status), **(more or {})}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}


# --- the issuer of tokens ---


def verifier_and_issuer(
    settings: Settings, *, clock: Callable[[], float] = time.time
) -> tuple[Verifier, Callable[[], Tokens] | None]:
    """Return the verifier of tokens, and a function that gives their issuer if they are issued here."""
    if settings.jwks_url:
        keys: Keys = PublishedKeys(settings.jwks_url)
    else:
        keys = secret = SharedSecret(secret_in_ssm(_ssm_client(), settings.secret_parameter))
    verifier = JwtVerifier(keys, audience=settings.audience, issuer=settings.issuer, clock=clock)
    if not settings.open_sign_in:
        return verifier, None
    return verifier, lambda: Tokens(secret.key_for(""), clock=clock)


def _ssm_client() -> Any:
    """Return a client that fails while the handshake still waits; botocore's default timeouts are minutes."""
    config = Config(
        connect_timeout=FETCH_TIMEOUT_SECONDS,
        read_timeout=FETCH_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 2},
    )
    return boto3.client("ssm", config=config)


def secret_in_ssm(ssm: Any, name: str) -> Callable[[], bytes]:
    """Return a function that fetches the secret from the parameter ``name``; ``ssm`` is boto3's client."""

    def fetch() -> bytes:
        try:
            answer = ssm.get_parameter(Name=name, WithDecryption=True)
        except (BotoCoreError, ClientError) as error:
            raise VerifierUnavailable(f"TOKEN_SECRET_PARAMETER {name}: {error}") from None
        secret: str = answer["Parameter"]["Value"]
        return secret.strip().encode()

    return fetch


# --- settings ---


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings. Raises Misconfigured, which names the variable."""
    values = {name: value.strip() for name, value in environment.items()}
    jwks_url, secret_parameter = values.get("JWKS_URL", ""), values.get("TOKEN_SECRET_PARAMETER", "")
    if bool(jwks_url) == bool(secret_parameter):
        raise Misconfigured(
            "set TOKEN_SECRET_PARAMETER or JWKS_URL, one of both: it says how tokens are verified"
        )
    if jwks_url and not jwks_url.startswith("https://"):
        raise Misconfigured(f"JWKS_URL must begin with https://, not {jwks_url!r}")
    settings = Settings(
        table=_needed(values, "TABLE_NAME", "the DynamoDB table"),
        allowed_origins=_origins(_needed(values, "ALLOWED_ORIGINS", "the pages that may connect")),
        audience=_needed(values, "AUDIENCE", "JWKS_URL is nothing without it")
        if jwks_url
        else values.get("AUDIENCE") or AUDIENCE,
        issuer=_needed(values, "ISSUER", "JWKS_URL is nothing without it")
        if jwks_url
        else values.get("ISSUER") or None,
        secret_parameter=secret_parameter,
        jwks_url=jwks_url,
        open_sign_in=_yes_or_no(values, "OPEN_SIGN_IN"),
        rate=_rate(*map(values.get, ("RATE_LIMIT", "RATE_BURST", "RATE_BURST_NEW"))),
        actions=_actions(*map(values.get, ("TYPING_SECONDS", "HELLO_LIMIT", "ASK_LIMIT"))),
        token_limit=_requests("TOKEN_LIMIT", values.get("TOKEN_LIMIT"), TOKENS_PER_SECOND),
        ticket_limit=_requests("TICKET_LIMIT", values.get("TICKET_LIMIT"), TICKETS_PER_SECOND),
        most_connections=_connections(values.get("MOST_CONNECTIONS")),
        management_endpoint=_endpoint(values.get("MANAGEMENT_ENDPOINT", "")),
    )
    if settings.open_sign_in and (jwks_url or settings.audience != AUDIENCE or settings.issuer):
        raise Misconfigured(
            "OPEN_SIGN_IN: tokens are issued here only with TOKEN_SECRET_PARAMETER, and without AUDIENCE and ISSUER"
        )
    return settings


def _yes_or_no(values: Mapping[str, str], name: str) -> bool:
    if (value := values.get(name) or "no") not in ("yes", "no"):
        raise Misconfigured(f"{name} must be yes or no, not {value!r}")
    return value == "yes"


def _needed(values: Mapping[str, str], name: str, why: str) -> str:
    if value := values.get(name):
        return value
    raise Misconfigured(f"{name} is not set: {why}")


def _origins(value: str) -> frozenset[str]:
    try:
        return origins_in(value)
    except InvalidOrigin as error:
        raise Misconfigured(
            f"ALLOWED_ORIGINS must list origins like https://chat.example.org, not {str(error)!r}"
        ) from None


def _endpoint(value: str) -> str:
    """Return the URL of a stage; plain HTTP is for a stand-in on this machine."""
    parts = urlsplit(value)
    secure = parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
    )
    if value and (not secure or "@connections" in value):
        raise Misconfigured(
            "MANAGEMENT_ENDPOINT must be the URL of a stage, like https://abc.execute-api.eu-central-1.amazonaws.com/prod,"
            f" not {value!r}"
        )
    return value.rstrip("/")


def _rate(limit: str | None, burst: str | None, new: str | None) -> Rate | None:
    try:
        per_second = per_second_in("RATE_LIMIT", limit) if limit else PER_SECOND
        at_once = burst_in("RATE_BURST", burst) if burst else BURST
        at_once_new = burst_new_in("RATE_BURST_NEW", new) if new else BURST_NEW
    except InvalidRate as error:
        raise Misconfigured(str(error)) from None
    return Rate(per_second, at_once, at_once_new) if per_second else None


def _actions(typing: str | None, hello: str | None, ask: str | None) -> ActionLimits:
    try:
        return ActionLimits(
            typing_seconds_in("TYPING_SECONDS", typing) if typing else TYPING_SECONDS,
            per_second_in("HELLO_LIMIT", hello, "hellos") if hello else HELLOS_PER_SECOND,
            per_second_in("ASK_LIMIT", ask, "questions") if ask else ASKS_PER_SECOND,
        )
    except InvalidRate as error:
        raise Misconfigured(str(error)) from None


def _connections(value: str | None) -> int:
    try:
        return count_in("MOST_CONNECTIONS", value, "connections") if value else MAX_CONNECTIONS_PER_PERSON
    except InvalidRate as error:
        raise Misconfigured(str(error)) from None


def _requests(name: str, value: str | None, default: float) -> float:
    try:
        return per_second_in(name, value, "requests") if value else default
    except InvalidRate as error:
        raise Misconfigured(str(error)) from None
