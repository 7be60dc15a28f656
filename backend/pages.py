"""The page's files, and the headers that keep a browser to them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePath

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from backend.origins import is_host, origin_of

# Browsers insist on these; the machine's own table (mimetypes) knows .mjs, .wasm and .toml on some systems only.
MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".py": "text/x-python",
    ".svg": "image/svg+xml",
    ".toml": "application/toml",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".zip": "application/zip",
}
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# 'wasm-unsafe-eval' lets WebAssembly compile, and nothing else be evaluated.
_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; "
    "connect-src {connect}; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'"
)
_ALONE = frozenset({"index.html", "pyscript.toml"})


class Pages(StaticFiles):
    """Responsible for serving index.html, pyscript.toml, app/**/*.py and static/**, and nothing else of ``root``.

    Every answer has an ETag and must be asked about again (``no-cache``): a new version shows at the next load.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(directory=root, check_dir=False)
        self._root = root.resolve()

    def get_path(self, scope: Scope) -> str:
        """The file that a URL means; ``/`` is index.html."""
        path = super().get_path(scope)
        return "index.html" if path == "." else path

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """The file behind a path, links followed; (…, None) unless it is public where it really lies."""
        if "\0" in path:
            raise HTTPException(404)
        full_path, stat_result = super().lookup_path(path)
        if stat_result is None or not is_public(Path(full_path), self._root):
            return "", None
        return full_path, stat_result

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """The file, or 304, with its media type and how long it may be kept."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        if "content-type" in response.headers:
            media_type = MEDIA_TYPES.get(PurePath(full_path).suffix, "application/octet-stream")
            charset = "; charset=utf-8" if media_type.startswith("text/") else ""
            response.headers["Content-Type"] = media_type + charset
        return response


def is_public(path: Path, root: Path) -> bool:
    """Whether a file may leave the house. Hidden files and folders never do."""
    if not path.is_relative_to(root):
        return False
    relative = path.relative_to(root)
    if not relative.parts or any(part.startswith(".") for part in relative.parts):
        return False
    if str(relative) in _ALONE:
        return True
    return relative.parts[0] == "static" or (relative.parts[0] == "app" and relative.suffix == ".py")


class Policy:
    """Responsible for letting the page talk to its own host and to what static/config.json names, and nobody else."""

    def __init__(self, root: Path) -> None:
        self._config = root / "static" / "config.json"
        self._stamp: tuple[int, int] | None = None
        self._origins: tuple[str, ...] = ()

    def headers(self, host: str | None) -> dict[str, str]:
        """All security headers of one answer. ``host`` is the request's; one that is no host name is left out."""
        connect = ["'self'"]
        if host and is_host(host):
            # Older WebKit does not count ws: of the same host as 'self'.
            connect += [f"ws://{host}", f"wss://{host}"]
        connect += self._configured()
        return {"Content-Security-Policy": _POLICY.format(connect=" ".join(connect)), **SECURITY_HEADERS}

    def _configured(self) -> tuple[str, ...]:
        """The origins in config.json, read again when the file changes. A broken one is the page's to report."""
        try:
            status = self._config.stat()
        except OSError:
            return ()
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._origins = _origins_in(self._config)
            self._stamp = stamp
        return self._origins


def _origins_in(path: Path) -> tuple[str, ...]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ()
    if not isinstance(config, Mapping):
        return ()
    urls = (config.get(key) for key in ("webSocketUrl", "tokenUrl", "ticketUrl"))
    origins = (origin_of(url, ("ws", "wss", "http", "https")) for url in urls if isinstance(url, str))
    return tuple(dict.fromkeys(origin for origin in origins if origin))
