"""What docs/hosting.md tells people to type does what it says: each block is taken from the document itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.validate import ParamValidator  # type: ignore[import-untyped]

from backend.local.content_policy import SECURITY_HEADERS
from backend.local.static_files import ASK_AGAIN, FOR_EVER, MEDIA_TYPES
from tests.support.process import LOOPBACK, free_port
from tests.tools.build import small_site
from tests.tools.proxies import nginx_program, put, running_nginx
from tools.build.check_host import check, fetch

DOCUMENT = (Path(__file__).parents[2] / "docs" / "hosting.md").read_text(encoding="utf-8")
BROTLI = "brotli_static"


def block(section: str, language: str, number: int = 0) -> str:
    """A block of code of one section."""
    text = DOCUMENT.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return blocks[number]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return small_site.make(tmp_path / "site")


def test_every_header_that_the_server_sends_is_in_the_list():
    rows = DOCUMENT.partition("## What the host should send")[2].partition("\n## ")[0]
    for name, value in {**SECURITY_HEADERS, "Content-Security-Policy": "frame-ancestors 'none'"}.items():
        assert f"| `{name}` | all | `{value}` |" in rows
    assert f"| `assets/**` | `{FOR_EVER}` |" in rows
    assert f"| all else | `{ASK_AGAIN}` |" in rows


# --- nginx ---


def has_brotli(nginx: str) -> bool:
    modules = Path("/etc/nginx/modules-enabled")
    built_in = subprocess.run([nginx, "-V"], capture_output=True, text=True, check=True).stderr
    return "brotli" in built_in or any("brotli" in path.name for path in modules.glob("*.conf"))


@pytest.fixture
def nginx(site: Path, tmp_path: Path) -> Iterator[str]:
    """Where nginx serves the small site, configured as the document has it."""
    server = block("nginx", "nginx")
    server = put(server, "root /srv/kizuna;", f"root {site};")
    if not has_brotli(nginx_program()):
        server = re.sub(rf"^ *{BROTLI} .*\n", "", server, flags=re.MULTILINE)
    port = free_port()
    server = re.sub(r"^ *(listen|ssl_certificate\w*) .*\n", "", server, flags=re.MULTILINE)
    server = put(server, "server {", f"server {{\n    listen {LOOPBACK}:{port};")
    with running_nginx(server, tmp_path, port):
        yield f"http://{LOOPBACK}:{port}/"


def test_nginx_sends_everything_as_it_should_be(nginx: str):
    assert [str(finding) for finding in check(nginx)] == []


@pytest.mark.parametrize(
    ("accepted", "sent"), [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("identity", None)]
)
def test_nginx_sends_the_compressed_file_that_a_browser_takes(
    nginx: str, site: Path, accepted: str, sent: str | None
):
    if sent == "br" and not has_brotli(str(shutil.which("nginx"))):
        sent = "gzip"
    answer = fetch(nginx, "assets/start.1.snapshot", accepted)
    assert answer.headers["Content-Encoding"] == sent
    assert answer.headers["Vary"] == "Accept-Encoding"
    end = {"br": ".br", "gzip": ".gz", None: ""}[sent]
    assert answer.body == (site / f"assets/start.1.snapshot{end}").read_bytes()


def test_nginx_lets_nobody_keep_that_a_file_was_missing(nginx: str):
    missing = fetch(nginx, "assets/none.1.js")
    assert missing.status == 404
    assert "Cache-Control" not in missing.headers
    assert missing.headers["X-Content-Type-Options"] == "nosniff"


# --- S3 and CloudFront ---

FAKE_AWS = """#!/bin/sh
for word; do printf '%s\\n' "$word" >>"$UPLOADS"; done
printf '\\n' >>"$UPLOADS"
"""


def test_the_commands_for_s3_upload_every_file_once_with_its_headers(site: Path, tmp_path: Path):
    program, uploads = tmp_path / "bin" / "aws", tmp_path / "uploads"
    program.parent.mkdir()
    program.write_text(FAKE_AWS)
    program.chmod(0o755)
    script = block("S3 and CloudFront", "sh").replace("cd dist/site\n", "")
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "UPLOADS": str(uploads)}
    subprocess.run(["sh", "-eu", "-c", script], cwd=site, env=environment, check=True)
    calls = [text.split("\n") for text in uploads.read_text().strip("\n").split("\n\n")]
    uploaded = {}
    for copy, source, target, *flags in ((call[1], *call[2:]) for call in calls):
        assert copy == "cp"
        options = dict(zip(flags[::2], flags[1::2], strict=True))
        uploaded[target.removeprefix("s3://my-bucket/")] = (source, options)
    assert len(uploaded) == len(calls)
    assert uploaded.keys() == {*small_site.FILES, "index.html", "static/config.json"}
    assert list(uploaded)[-1] == "index.html"
    for name, (source, options) in uploaded.items():
        compressed = (site / f"{name}.br").exists() and name != "index.html"
        assert source == (f"{name}.br" if compressed else name)
        assert options.get("--content-encoding") == ("br" if compressed else None)
        assert options["--cache-control"] == (FOR_EVER if name.startswith("assets/") else ASK_AGAIN)
        expected = MEDIA_TYPES.get(Path(name).suffix, "application/octet-stream")
        assert options["--content-type"].partition(";")[0] == expected


def test_cloudfront_understands_the_policy_and_it_holds_every_header():
    policy = json.loads(block("S3 and CloudFront", "json"))
    client = boto3.client("cloudfront", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    shape = client.meta.service_model.operation_model("CreateResponseHeadersPolicy").input_shape
    report = ParamValidator().validate({"ResponseHeadersPolicyConfig": policy}, shape)
    assert report.generate_report() == ""
    custom = policy["CustomHeadersConfig"]
    assert custom["Quantity"] == len(custom["Items"])
    sent = {item["Header"]: item["Value"] for item in custom["Items"]}
    security = policy["SecurityHeadersConfig"]
    sent["Referrer-Policy"] = security["ReferrerPolicy"]["ReferrerPolicy"]
    sent["X-Content-Type-Options"] = "nosniff" if "ContentTypeOptions" in security else ""
    assert sent == SECURITY_HEADERS
    assert security["ContentSecurityPolicy"]["ContentSecurityPolicy"] == "frame-ancestors 'none'"
