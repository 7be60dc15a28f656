"""A config.json for a page on another host than its server, made from two environment variables.

KIZUNA_BACKEND=https://chat.example.org python -m tools.build.page_config --to page.json
KIZUNA_CONFIG='{"webSocketUrl": ...}' python -m tools.build.page_config --to page.json

Without either the page is a demo, which needs no server. .github/workflows/pages.yml calls this module. It needs the
standard library and app/ alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from backend.auth.origins import origin_of
from chat.config import parse_config
from kizuna.errors import ConfigurationError

#: A placeholder for the page's own address.
ELSEWHERE = "https://page.example/"


class UnusableConfig(Exception):
    """The variables give no usable configuration; the text is for the user."""


def page_config(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration; that of a demo if neither variable is set.

    Raises UnusableConfig if both are set, or one to an unusable value.
    """
    backend, given = (environment.get(name, "").strip() for name in ("KIZUNA_BACKEND", "KIZUNA_CONFIG"))
    if not backend and not given:
        return {"demo": True}
    if backend and given:
        raise UnusableConfig("KIZUNA_BACKEND and KIZUNA_CONFIG are both set: remove one of them")
    config = _of_backend(backend) if backend else _of_json(given)
    try:
        parsed = parse_config(config, ELSEWHERE)
    except ConfigurationError as error:
        raise UnusableConfig(f"KIZUNA_CONFIG: {error}") from None
    if parsed.demo:
        return config
    urls = (parsed.web_socket_url, parsed.token_url, parsed.ticket_url or "https:")
    if not all(url.startswith(("wss:", "https:")) for url in urls):
        raise UnusableConfig("a page on https reaches wss:// and https:// only")
    for key, url in (("webSocketUrl", parsed.web_socket_url), ("tokenUrl", parsed.token_url)):
        if urlsplit(url).netloc == urlsplit(ELSEWHERE).netloc:
            raise UnusableConfig(f"KIZUNA_CONFIG names no {key}: the page's own host has no server")
    return config


def _of_backend(url: str) -> dict[str, Any]:
    base = url.rstrip("/")
    parts = urlsplit(base)
    if origin_of(base, ("https",)) is None or parts.query or parts.fragment or parts.username is not None:
        raise UnusableConfig(
            f"KIZUNA_BACKEND must be an address such as https://chat.example.org, not {url!r}"
        )
    return {
        "webSocketUrl": f"wss{base.removeprefix('https')}/ws",
        "tokenUrl": f"{base}/token",
        "ticketUrl": f"{base}/ticket",
    }


def _of_json(text: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except ValueError as error:
        raise UnusableConfig(f"KIZUNA_CONFIG is no JSON: {error}") from None
    if not isinstance(config, dict):
        raise UnusableConfig("KIZUNA_CONFIG must be a JSON object")
    return config


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Run the command line, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.build.page_config", description=__doc__)
    parser.add_argument("--to", type=Path, required=True, help="the file to write")
    args = parser.parse_args(arguments)
    try:
        config = page_config(environment)
    except UnusableConfig as error:
        # GitHub shows lines with this prefix at the top of the run.
        mark = "::error::" if environment.get("GITHUB_ACTIONS") else ""
        print(f"{mark}The page cannot be built: {error}", file=sys.stderr)
        return 1
    if config.get("demo"):
        print("Neither KIZUNA_BACKEND nor KIZUNA_CONFIG names a server: the page is a demo (docs/hosting.md)")
    args.to.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
