"""API Gateway's management API without a network: the answers of ``@connections``, status by status."""

import io
from collections.abc import Callable
from typing import Any, NamedTuple, cast
from urllib.parse import unquote, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse  # type: ignore[import-untyped]
from botocore.exceptions import ConnectionClosedError  # type: ignore[import-untyped]
from urllib3 import HTTPResponse

from backend.gateway.aws import management_client

STAGE = "/prod"


class Request(NamedTuple):
    """A request. ``path`` is as it stood in the URL, ``connection_id`` decoded."""

    method: str
    path: str
    connection_id: str
    data: bytes
    signed: bool


class Answer(NamedTuple):
    """A status, and the class of the error if the answer names one."""

    status: int
    error: str | None = None


class Management:
    """A client whose requests are answered by ``answer``; None breaks the connection."""

    def __init__(self, answer: Callable[[Request], Answer | None]) -> None:
        self.requests: list[Request] = []
        self.client = cast(Any, management_client(f"https://api.example.org{STAGE}"))
        self.client.meta.events.register("before-send.apigatewaymanagementapi", self._send)
        self._answer = answer

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        path = urlsplit(request.url).path
        signed = b"AWS4-HMAC-SHA256 " in request.headers.get("Authorization", b"")
        connection_id = unquote(path.removeprefix(f"{STAGE}/@connections/"))
        made = Request(request.method, path, connection_id, request.body or b"", signed)
        self.requests.append(made)
        answer = self._answer(made)
        if answer is None:
            raise ConnectionClosedError(endpoint_url=request.url)
        headers = {} if answer.error is None else {"x-amzn-errortype": answer.error}
        empty = HTTPResponse(io.BytesIO(), preload_content=False)
        return AWSResponse(request.url, answer.status, headers, empty)
