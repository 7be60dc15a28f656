"""The authorizer: decides who may open a connection, before ``$connect``, as API Gateway's Lambda authorizers do.

Its context comes in the ``requestContext.authorizer`` of every later event of that connection. API Gateway puts it
there and no frame can change it, so a handler knows the sender without a look-up.

API Gateway makes text of every value; names are percent-encoded, since its documentation promises no more than ASCII.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from backend.auth.refusals import log_refusal, source_of
from backend.auth.tokens import Identity, InvalidToken
from backend.auth.verification import Verifier

Answer = Mapping[str, Any]

_VERSION = "2012-10-17"
_NOBODY = "nobody"


class Unauthorized(Exception):
    """An event without a person: the API's ``$connect`` route has no authorizer."""


class Authorizer:
    """The check of the ``token`` in a handshake's URL."""

    def __init__(self, tokens: Verifier) -> None:
        self._tokens = tokens

    def authorize(self, event: Mapping[str, Any]) -> Answer:
        """Return a policy that allows or denies ``$connect``. Raises VerifierUnavailable: the gateway answers 500."""
        token = (event.get("queryStringParameters") or {}).get("token") or ""
        try:
            identity = self._tokens.verify(token)
        except InvalidToken as error:
            log_refusal(f"connection refused: {error}", source_of(event))
            return deny(event)
        return {
            "principalId": identity.user_id,
            "policyDocument": _policy("Allow", event),
            "context": {"name": quote(identity.name), "tokenExpiresAt": str(identity.expires_at)},
        }


def deny(event: Mapping[str, Any]) -> Answer:
    """Return the policy that denies; the handshake is answered with 403."""
    return {"principalId": _NOBODY, "policyDocument": _policy("Deny", event)}


def allows(answer: Answer) -> bool:
    """Return whether every statement of an authorizer's answer allows."""
    statements = answer["policyDocument"]["Statement"]
    return bool(statements) and all(statement["Effect"] == "Allow" for statement in statements)


def context_of(answer: Answer) -> dict[str, str]:
    """Return the part of an authorizer's answer that comes with the connection's events, all of it text."""
    context = {name: str(value) for name, value in answer.get("context", {}).items()}
    return {**context, "principalId": str(answer["principalId"])}


def identity_in(event: Mapping[str, Any]) -> Identity:
    """Return the person whom an event comes from. Raises Unauthorized if no authorizer was asked."""
    context = event["requestContext"].get("authorizer") or {}
    try:
        return Identity(
            user_id=context["principalId"],
            name=unquote(context["name"]),
            expires_at=int(context["tokenExpiresAt"]),
        )
    except (KeyError, ValueError):
        raise Unauthorized(
            "the route $connect has no authorizer, or another one than backend.auth.authorizer"
        ) from None


def _policy(effect: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    return {"Version": _VERSION, "Statement": [statement]}
