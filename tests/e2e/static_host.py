"""A static host for the page: the files of the house and a config.json of its own, and nothing else that is dynamic."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.e2e.server import LOOPBACK, ROOT

#: What the page asks for at a path of its own, beside the folders app/ and static/.
ALONE = ("/index.html", "/pyscript.toml")
CONFIG = "/static/config.json"


class StaticHost:
    """Responsible for serving the source tree on ``port``, as any host of files does.

    ``config`` is what its static/config.json says; ``connect_to`` are origins without TLS that the page may talk to,
    which a stand-in on loopback needs and the Content-Security-Policy of index.html does not allow.
    """

    def __init__(self, port: int, config: Mapping[str, Any], *connect_to: str) -> None:
        index = (ROOT / "index.html").read_text(encoding="utf-8")
        self._answers = {
            "/": index.replace("connect-src 'self'", " ".join(["connect-src 'self'", *connect_to])),
            CONFIG: json.dumps(config),
        }
        self.url = f"http://{LOOPBACK}:{port}"
        self._server = ThreadingHTTPServer((LOOPBACK, port), partial(_Handler, self._answers))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def __init__(self, answers: Mapping[str, str], *given: Any) -> None:
        self._answers = answers
        super().__init__(*given, directory=str(ROOT))

    def do_GET(self) -> None:
        """A file of the page, or what stands in for one."""
        path = self.path.partition("?")[0]
        if path in self._answers:
            body = self._answers[path].encode()
            self.send_response(HTTPStatus.OK)
            self.send_header(
                "Content-Type", "text/html; charset=utf-8" if path == "/" else "application/json"
            )
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        elif path in ALONE or path.startswith(("/app/", "/static/")):
            super().do_GET()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *arguments: object) -> None:
        """Tests are quiet."""
