"""A check of a host that serves the built site: its headers, types and compression.

python -m tools.build.check_host https://chat.example.org/some/path/

Exit code 1 if the page cannot work there; 0 if it can, with or without advice.
"""

from __future__ import annotations

import argparse
import http.client
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import PurePosixPath
from urllib.parse import urljoin

from backend.auth.origins import origin_of
from backend.local.content_policy import SECURITY_HEADERS
from backend.local.static_files import MEDIA_TYPES
from tools.build.assets import ASSETS, MIN_SIZE
from tools.build.errors import BuildError
from tools.build.page import start_files_of

#: Browsers refuse scripts, styles and WebAssembly of another type.
STRICT = (".css", ".html", ".js", ".mjs", ".wasm")
#: Files outside assets/; the service worker is optional.
OTHERS = ("static/config.json", "static/boot/ticks.js")
MAYBE = ("service-worker.js",)
#: Seconds. Files that are cached for less are requested again by weekly visitors.
A_MONTH = 30 * 24 * 3600
TIMEOUT_SECONDS = 60.0
#: Bytes from which static/boot/compressed.js requests a .gz file.
MIN_REQUESTED_SIZE = 100_000
#: The first bytes of every .gz file.
GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class HostAnswer:
    """A host's answer. ``travelled``: bytes of the body as it was sent."""

    path: str
    status: int
    headers: Message
    travelled: int
    body: bytes

    @property
    def media_type(self) -> str:
        """The media type without parameters."""
        return self.headers.get_content_type() if "Content-Type" in self.headers else "nothing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem. ``is_fatal``: the page does not work."""

    path: str
    text: str
    is_fatal: bool = False

    def __str__(self) -> str:
        return f"{'WRONG ' if self.is_fatal else 'advice'}  {self.path or 'the page'}: {self.text}"


def check(base: str) -> list[Finding]:
    """Return all findings about the site at ``base``.

    Raises OSError if the host cannot be reached, ValueError if ``base`` is no http(s) address.
    """
    if origin_of(base) is None:
        raise ValueError("an address begins with https:// or http:// and names a host")
    page = fetch(base, "", encodings="identity")
    if page.status != 200:
        return [Finding("", f"HTTP {page.status}", is_fatal=True)]
    if encoding := page.headers.get("Content-Encoding"):
        return [
            Finding(
                "",
                f"is sent as {encoding} without being asked for: upload it uncompressed, and check again",
                is_fatal=True,
            )
        ]
    text = page.body.decode("utf-8", "replace")
    try:
        start = start_files_of(text)
    except BuildError as error:
        return [Finding("", str(error), is_fatal=True)]
    paths = dict.fromkeys(re.findall(rf'(?:src|href)="({ASSETS}/[^"]+)"', text))
    paths |= dict.fromkeys(start["sizes"])
    findings = [*_findings(fetch(base, "")), *_missing_headers(page)]
    for path in (*paths, *OTHERS, *MAYBE):
        sent = fetch(base, path)
        if sent.status == 200 or path not in MAYBE:
            findings += _findings(sent)
        if path in start["sizes"] and _is_asked_otherwise(sent):
            findings.append(_instead(fetch(base, f"{path}.gz")))
    return findings


def fetch(base: str, path: str, encodings: str = "br, gzip") -> HostAnswer:
    """Request one file, without decoding its body."""
    request = urllib.request.Request(urljoin(base, path), headers={"Accept-Encoding": encodings})  # noqa: S310 - check() has seen that it is http
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            body = answer.read()
            return HostAnswer(path, answer.status, answer.headers, len(body), body)
    except urllib.error.HTTPError as error:
        with error:
            return HostAnswer(path, error.code, error.headers, 0, b"")


def _findings(sent: HostAnswer) -> Iterator[Finding]:
    if sent.status != 200:
        yield Finding(sent.path, f"HTTP {sent.status}", is_fatal=True)
        return
    end = PurePosixPath(sent.path or "index.html").suffix
    expected = MEDIA_TYPES.get(end, "application/octet-stream")
    if end in STRICT and sent.media_type != expected:
        yield Finding(sent.path, f"is sent as {sent.media_type}, not as {expected}", is_fatal=True)
    if _is_bare(sent):
        yield Finding(sent.path, f"is sent uncompressed, {sent.travelled:,} bytes")
    cached = sent.headers.get("Cache-Control", "")
    if sent.path.startswith(f"{ASSETS}/"):
        if _max_age(cached) < A_MONTH:
            yield Finding(sent.path, f"may be cached for ever, and has Cache-Control: {cached or 'none'}")
    elif not re.search(r"no-cache|no-store|max-age=0\b", cached):
        yield Finding(sent.path, f"must be revalidated each time, and has Cache-Control: {cached or 'none'}")


def _is_bare(sent: HostAnswer) -> bool:
    return sent.status == 200 and "Content-Encoding" not in sent.headers and sent.travelled >= 100 * MIN_SIZE


def _is_asked_otherwise(sent: HostAnswer) -> bool:
    """Return whether static/boot/compressed.js requests the .gz of this file."""
    return _is_bare(sent) and int(sent.headers.get("Content-Length", "0")) >= MIN_REQUESTED_SIZE


def _instead(packed: HostAnswer) -> Finding:
    if packed.body.startswith(GZIP) or "Content-Encoding" in packed.headers:
        return Finding(packed.path, f"browsers request this instead, {packed.travelled:,} bytes")
    what = f"HTTP {packed.status}" if packed.status != 200 else "is something else"
    return Finding(packed.path, f"{what}: browsers would request it instead")


def _max_age(cache_control: str) -> int:
    found = re.search(r"max-age=(\d+)", cache_control)
    return int(found[1]) if found else 0


def _missing_headers(page: HostAnswer) -> Iterator[Finding]:
    if "frame-ancestors" not in page.headers.get("Content-Security-Policy", ""):
        yield Finding("", "no Content-Security-Policy with frame-ancestors: other sites may frame it")
    for name, value in SECURITY_HEADERS.items():
        if name not in page.headers:
            yield Finding("", f"no {name}: {value}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.build.check_host", description="Check a host.")
    parser.add_argument("url", help="where the page is, such as https://chat.example.org/")
    base = parser.parse_args(arguments).url
    try:
        findings = check(base if base.endswith("/") else f"{base}/")
    except (OSError, ValueError, http.client.HTTPException) as error:
        print(f"{base} cannot be checked: {error}", file=sys.stderr)
        return 1
    for finding in findings:
        print(finding)
    fatal = sum(finding.is_fatal for finding in findings)
    print(f"{base}: {fatal} wrong, {len(findings) - fatal} to advise")
    return 1 if fatal else 0


if __name__ == "__main__":
    sys.exit(main())
