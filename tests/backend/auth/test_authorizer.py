"""The authorizer: who may open a connection, and the person in every later event."""

import logging

import pytest
from hypothesis import given, strategies as st

from backend.auth.authorizer import Authorizer, Unauthorized, allows, context_of, deny, identity_in
from backend.auth.keys import VerifierUnavailable
from backend.auth.tokens import Identity, InvalidToken
from tests.backend.fakes import START

ARN = "arn:aws:execute-api:eu-central-1:123456789012:abc/prod/$connect"


class OneTokenVerifier:
    """A verifier that knows one token."""

    def __init__(self, identity):
        self.identity = identity

    def verify(self, token):
        if token != "good":
            raise InvalidToken("token refused: unknown")
        return self.identity


def handshake(query):
    request = {"identity": {"sourceIp": "192.0.2.7"}}
    return {"type": "REQUEST", "methodArn": ARN, "queryStringParameters": query, "requestContext": request}


def later_event(context):
    return {"requestContext": {"authorizer": context}}


def test_a_good_token_is_allowed_into_this_route_of_this_api_alone():
    answer = Authorizer(OneTokenVerifier(Identity("u-1", "Ann", START))).authorize(
        handshake({"token": "good"})
    )
    assert allows(answer)
    assert answer["principalId"] == "u-1"
    assert answer["policyDocument"] == {
        "Version": "2012-10-17",
        "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": ARN}],
    }


@pytest.mark.parametrize("query", [None, {}, {"token": ""}, {"token": "nonsense"}, {"other": "good"}])
def test_everything_else_is_denied_by_a_policy_and_without_an_error(query, caplog):
    caplog.set_level(logging.INFO)
    answer = Authorizer(OneTokenVerifier(Identity("u-1", "Ann", START))).authorize(handshake(query))
    assert not allows(answer)
    assert answer == deny(handshake(query))
    assert caplog.messages == ["connection refused: token refused: unknown (192.0.2.7)"]


def test_that_nobody_can_say_is_an_error_and_no_denial():
    class Unavailable:
        def verify(self, token):
            raise VerifierUnavailable("JWKS_URL: down")

    with pytest.raises(VerifierUnavailable):
        Authorizer(Unavailable()).authorize(handshake({"token": "good"}))


@given(
    st.builds(
        Identity, st.text("ab-|=#", min_size=1), st.text(min_size=1, max_size=40), st.integers(1, 2**40)
    )
)
def test_authorizer_context_keeps_non_ascii_name(identity):
    try:
        identity.name.encode()
    except UnicodeEncodeError:
        return  # no name: the protocol takes well-formed text alone
    context = context_of(Authorizer(OneTokenVerifier(identity)).authorize(handshake({"token": "good"})))
    assert all(type(value) is str and value.isascii() for value in context.values())
    assert identity_in(later_event({**context, "integrationLatency": 12})) == identity


@pytest.mark.parametrize(
    "context",
    [
        None,
        {},
        {"principalId": "u-1"},
        {"principalId": "u-1", "name": "Ann", "tokenExpiresAt": "soon"},
        {"name": "Ann", "tokenExpiresAt": "1"},
    ],
)
def test_an_event_that_no_authorizer_of_ours_has_seen_names_nobody(context):
    with pytest.raises(Unauthorized, match="the route \\$connect has no authorizer"):
        identity_in(later_event(context))
    with pytest.raises(Unauthorized):
        identity_in({"requestContext": {}})


def test_a_policy_without_statements_allows_nothing():
    assert not allows({"policyDocument": {"Statement": []}})
