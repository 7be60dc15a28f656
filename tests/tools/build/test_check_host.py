"""What tools.build.check_host says of hosts that do what they like."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.tools.build import small_site
from tools.build.check_host import Finding, check, main


class _Host(SimpleHTTPRequestHandler):
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".js": "text/javascript"}  # noqa: RUF012

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def served(folder: Path, page_encoding: str = "", **types: str) -> Iterator[str]:
    """Where a plain host serves this, with other media types for some endings, and the page in an encoding."""

    class Host(_Host):
        extensions_map = {**_Host.extensions_map, **{f".{end}": kind for end, kind in types.items()}}  # noqa: RUF012

        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def end_headers(self) -> None:
            if page_encoding and self.path == "/":
                self.send_header("Content-Encoding", page_encoding)
            super().end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return small_site.make(tmp_path / "site")


def fatal(findings: list[Finding]) -> list[str]:
    return [str(finding) for finding in findings if finding.is_fatal]


def test_a_host_without_any_headers_works_with_advice(site: Path, capsys: pytest.CaptureFixture[str]):
    with served(site, mjs="text/javascript", wasm="application/wasm") as url:
        findings = check(url)
        assert main([url.removesuffix("/")]) == 0
    assert fatal(findings) == []
    told = {str(finding) for finding in findings}
    assert "advice  assets/start.1.snapshot: is sent uncompressed, 120,000 bytes" in told
    instead = f"browsers request this instead, {(site / 'assets/start.1.snapshot.gz').stat().st_size:,} bytes"
    assert f"advice  assets/start.1.snapshot.gz: {instead}" in told
    assert "advice  assets/kizuna.1.svg: may be cached for ever, and has Cache-Control: none" in told
    assert "advice  service-worker.js: must be revalidated each time, and has Cache-Control: none" in told
    assert not any(
        name in line for line in told for name in ("boot.1.js.gz", "program.1.zip.gz")
    )  # a script; smaller
    assert any(line.startswith("advice  the page: no X-Content-Type-Options") for line in told)
    assert not any("kizuna.1.svg: is sent" in line for line in told)  # too small to matter
    assert capsys.readouterr().out.endswith(f": 0 wrong, {len(findings)} to advise\n")


def test_a_host_without_compressed_files_is_told_what_browsers_miss(site: Path):
    packed = site / "assets" / "start.1.snapshot.gz"
    packed.write_text("<!doctype html>Not Found")
    with served(site) as url:
        told = {str(finding) for finding in check(url)}
    missed = "browsers would request it instead"
    assert f"advice  assets/start.1.snapshot.gz: is something else: {missed}" in told
    packed.unlink()
    with served(site) as url:
        told = {str(finding) for finding in check(url)}
    assert f"advice  assets/start.1.snapshot.gz: HTTP 404: {missed}" in told


def test_modules_of_another_type_and_files_that_are_missing_are_wrong(site: Path):
    (site / "assets" / "program.1.zip").unlink()
    (site / "service-worker.js").unlink()
    with served(site, mjs="text/plain", wasm="application/octet-stream") as url:
        assert fatal(check(url)) == [
            "WRONG   assets/pyodide-1/pyodide.mjs: is sent as text/plain, not as text/javascript",
            "WRONG   assets/pyodide-1/pyodide.asm.wasm: is sent as application/octet-stream, not as application/wasm",
            "WRONG   assets/program.1.zip: HTTP 404",
        ]
        assert main([url]) == 1


def test_an_always_compressed_page_is_reported_as_such(site: Path):
    with served(site, page_encoding="br") as url:
        assert fatal(check(url)) == [
            "WRONG   the page: is sent as br without being asked for: upload it uncompressed, and check again"
        ]


def test_where_there_is_no_built_page_that_is_all_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "index.html").write_text("another page")
    with served(tmp_path) as url:
        assert [str(finding) for finding in check(url)] == ["WRONG   the page: this page was not built"]
        assert [str(finding) for finding in check(f"{url}none/")] == ["WRONG   the page: HTTP 404"]
    for address in (url, "file:///etc/", "pages.example.org"):
        assert main([address]) == 1
        assert f"{address} cannot be checked" in capsys.readouterr().err
