"""The public files, with their headers."""

import os
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from backend.auth.origins import origin_of
from backend.local.content_policy import Policy
from backend.local.static_files import Pages, is_public

SECRETS = [
    ".git/config",
    ".env",
    "backend/messaging/handlers.py",
    "data/kizuna.sqlite3",
    "pyproject.toml",
    "Makefile",
    "app/notes.txt",
    "app/.hidden.py",
    "app/__pycache__/main.cpython-311.pyc",
    "static/.secret",
    "static/.well-known/x.txt",
    "app.py",
    "static.txt",
]
PUBLIC = {
    "index.html": "text/html; charset=utf-8",
    "pyscript.toml": "application/toml",
    "service-worker.js": "text/javascript; charset=utf-8",
    "app/main.py": "text/x-python; charset=utf-8",
    "app/kizuna/core/links.py": "text/x-python; charset=utf-8",
    "static/css/a.css": "text/css; charset=utf-8",
    "static/boot/boot.js": "text/javascript; charset=utf-8",
    "static/vendor/pyodide.mjs": "text/javascript; charset=utf-8",
    "static/vendor/pyodide.asm.wasm": "application/wasm",
    "static/vendor/python_stdlib.zip": "application/zip",
    "static/vendor/lock.json": "application/json",
    "static/icons/k.svg": "image/svg+xml",
    "static/icons/k.png": "image/png",
    "static/k.webmanifest": "application/manifest+json",
    "static/what.ever": "application/octet-stream",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    house = tmp_path / "house"
    for name in [*SECRETS, *PUBLIC]:
        path = house / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"this is {name}")
    (tmp_path / "outside.txt").write_text("outside")
    return house


@pytest.fixture
def get(root):
    app = Starlette(routes=[Mount("/", Pages(root))])

    async def request(path, method="GET", **headers):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://house") as client:
            request = client.build_request(method, "http://house", headers=headers)
            # As it is, without httpx tidying the dots away.
            request.url = httpx.URL("http://house").copy_with(raw_path=path.encode())
            return await client.send(request)

    return request


@pytest.mark.parametrize(("name", "media_type"), PUBLIC.items())
async def test_what_the_page_needs_is_served_with_its_media_type(get, name, media_type):
    answer = await get("/" + name)
    assert (answer.status_code, answer.text) == (200, f"this is {name}")
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "no-cache"


async def test_the_root_is_the_page(get):
    assert (await get("/")).text == "this is index.html"
    assert (await get("/?lang=ja")).text == "this is index.html"


@pytest.mark.parametrize("name", SECRETS)
async def test_nothing_else_leaves_the_house(get, name):
    assert (await get("/" + name)).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/static/../backend/messaging/handlers.py",
        "/static/%2e%2e/backend/messaging/handlers.py",
        "/static/..%2fbackend/handlers.py",
        "/../outside.txt",
        "/%2e%2e/outside.txt",
        "/static/../../outside.txt",
        "/static/..%5c..%5coutside.txt",
        "//etc/passwd",
        "/static//etc/passwd",
        "/%2fetc/passwd",
        "/static/%00",
        "/index.html%00.png",
        "/app/../data/kizuna.sqlite3",
        "/static/css/",
        "/static",
        "/app/kizuna",
        "/.",
        "/..",
        "/index.html/",
        "/STATIC/css/a.css",
        "/" + "a" * 5000,
    ],
)
async def test_no_path_leads_around_the_list(get, path):
    answer = await get(path)
    assert answer.status_code == 404 or answer.text in ("this is index.html", "this is static/css/a.css")
    assert path in ("/.", "/..", "/index.html/") or answer.status_code == 404


async def test_a_link_is_served_only_if_it_leads_to_something_public(get, root):
    (root / "static" / "good.css").symlink_to(root / "static" / "css" / "a.css")
    (root / "static" / "bad.css").symlink_to(root / "backend" / "handlers.py")
    (root / "static" / "worse.css").symlink_to(root.parent / "outside.txt")
    (root / "static" / "folder").symlink_to(root / "data")
    assert (await get("/static/good.css")).status_code == 200
    for name in ("bad.css", "worse.css", "folder/kizuna.sqlite3"):
        assert (await get(f"/static/{name}")).status_code == 404


async def test_an_unchanged_file_is_not_sent_again(get, root):
    first = await get("/app/main.py")
    again = await get("/app/main.py", **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"
    (root / "app" / "main.py").write_text("changed")
    os.utime(root / "app" / "main.py", (5, 5))
    changed = await get("/app/main.py", **{"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, changed.text) == (200, "changed")


async def test_only_reading_is_allowed(get):
    assert (await get("/index.html", "HEAD")).status_code == 200
    assert (await get("/index.html", "POST")).status_code == 405
    assert (await get("/static/css/a.css", "DELETE")).status_code == 405


# --- a built site ---

FOR_EVER = "public, max-age=31536000, immutable"
SIZES = {".br": 5, ".gz": 7}


@pytest.fixture
def built(root):
    """Return a built site: assets/, some with a .br and a .gz beside them."""
    (root / "assets" / "pyodide-1").mkdir(parents=True)
    for name, ends in {
        "assets/page.1.css": (".br", ".gz"),
        "assets/pyodide-1/p.wasm": (".br", ".gz"),
        "assets/half.1.js": (".gz",),
        "index.html": (".br",),
        "service-worker.js": (".br",),
    }.items():
        (root / name).write_text(f"this is {name}")
        for end in ends:
            (root / f"{name}{end}").write_bytes(bytes(SIZES[end]))
    return root


@pytest.mark.parametrize(
    ("accepted", "coding", "size"),
    [
        ("gzip, deflate, br", "br", 5),
        ("BR;q=1.0", "br", 5),
        ("gzip", "gzip", 7),
        ("br;q=0, gzip;q=0.5", "gzip", 7),
        ("br; q=0.000, gzip; q = 0", None, len("this is assets/page.1.css")),
        ("identity", None, len("this is assets/page.1.css")),
        ("brotli, xbr", None, len("this is assets/page.1.css")),
        ("", None, len("this is assets/page.1.css")),
    ],
)
async def test_what_lies_there_compressed_is_sent_so_to_who_takes_it(get, built, accepted, coding, size):
    answer = await get("/assets/page.1.css", "HEAD", **{"Accept-Encoding": accepted})
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert int(answer.headers["content-length"]) == size


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/assets/pyodide-1/p.wasm", "application/wasm"),
        ("/", "text/html; charset=utf-8"),
        ("/service-worker.js", "text/javascript; charset=utf-8"),
    ],
)
async def test_a_compressed_file_keeps_its_media_type(get, built, path, media_type):
    answer = await get(path, "HEAD", **{"Accept-Encoding": "br"})
    assert answer.headers["content-type"] == media_type
    assert answer.headers["content-encoding"] == "br"


async def test_who_takes_another_coding_than_lies_there_gets_the_file_itself(get, built):
    answer = await get("/assets/half.1.js", **{"Accept-Encoding": "br"})
    assert (answer.text, answer.headers["vary"]) == ("this is assets/half.1.js", "Accept-Encoding")
    answer = await get("/app/main.py", **{"Accept-Encoding": "br, gzip"})
    assert "vary" not in answer.headers
    assert "content-encoding" not in answer.headers


async def test_what_never_changes_may_be_kept_and_the_rest_is_asked_about(get, built):
    for name in ("assets/page.1.css", "assets/pyodide-1/p.wasm"):
        assert (await get(f"/{name}", "HEAD")).headers["cache-control"] == FOR_EVER
    for name in ("", "index.html", "service-worker.js", "static/css/a.css", "app/main.py"):
        assert (await get(f"/{name}", "HEAD")).headers["cache-control"] == "no-cache"


async def test_the_forms_of_one_file_are_told_apart(get, built):
    tags = {}
    for accepted in ("br", "gzip", "identity"):
        answer = await get("/assets/page.1.css", "HEAD", **{"Accept-Encoding": accepted})
        tags[accepted] = answer.headers["etag"]
        again = await get(
            "/assets/page.1.css", **{"Accept-Encoding": accepted, "If-None-Match": tags[accepted]}
        )
        assert again.status_code == 304
        assert again.headers["vary"] == "Accept-Encoding"
        assert "content-encoding" not in again.headers
    assert len(set(tags.values())) == 3


async def test_a_compressed_form_that_leads_elsewhere_is_not_sent(get, built):
    (built / "assets" / "bad.1.js").write_text("this is bad.1.js")
    (built / "assets" / "bad.1.js.br").symlink_to(built / "backend" / "handlers.py")
    (built / "assets" / "folder.1.js").write_text("this is folder.1.js")
    (built / "assets" / "folder.1.js.br").mkdir()
    for name in ("bad", "folder"):
        answer = await get(f"/assets/{name}.1.js", **{"Accept-Encoding": "br"})
        assert (answer.text, answer.headers.get("content-encoding")) == (f"this is {name}.1.js", None)


async def test_what_a_host_reads_of_a_built_site_is_not_for_browsers(get, built):
    (built / "_headers").write_text("/*")
    assert (await get("/_headers")).status_code == 404


def test_a_path_outside_and_the_root_itself_are_not_public(root):
    assert not is_public(root.parent / "outside.txt", root)
    assert not is_public(root, root)


# --- headers ---


def connect_sources(policy, host):
    (directive,) = [
        part.strip()
        for part in policy.headers(host)["Content-Security-Policy"].split(";")
        if part.strip().startswith("connect-src")
    ]
    return directive.split()[1:]


def test_the_policy_is_strict(tmp_path):
    headers = Policy(tmp_path).headers("chat.example:8000")
    assert headers["Content-Security-Policy"] == (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self' ws://chat.example:8000 wss://chat.example:8000; worker-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; object-src 'none'; "
        "require-trusted-types-for 'script'; trusted-types kizuna-ticks kizuna-updates"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.parametrize(
    "host", [None, "", "a b", "a;script-src *", "a, b", "a\r\nX: y", "a/b", "'none'", "a:b"]
)
def test_a_host_that_is_none_gets_no_place_in_the_policy(tmp_path, host):
    assert connect_sources(Policy(tmp_path), host) == ["'self'"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "chat.example", "[::1]:8000", "xn--nckxa3g7cq2b5304djmxc.example"]
)
def test_hosts_of_every_kind_are_understood(tmp_path, host):
    assert connect_sources(Policy(tmp_path), host) == ["'self'", f"ws://{host}", f"wss://{host}"]


def test_a_host_with_an_underscore_has_no_word_in_the_policy(tmp_path):
    """Browsers ignore such a source and complain; the page's own host is 'self' all the same."""
    assert connect_sources(Policy(tmp_path), "my_chat:8000") == ["'self'"]


def test_policy_follows_the_config_and_its_changes(tmp_path):
    policy = Policy(tmp_path)
    (tmp_path / "static").mkdir()
    config = tmp_path / "static" / "config.json"
    assert connect_sources(policy, None) == ["'self'"]
    config.write_text(
        '{"webSocketUrl": "wss://ws.example/prod", "tokenUrl": "https://id.example:8443/t?x=1",'
        ' "ticketUrl": "https://api.example/ticket"}'
    )
    named = ["wss://ws.example", "https://id.example:8443", "https://api.example"]
    assert connect_sources(policy, None) == ["'self'", *named]
    config.write_text('{"webSocketUrl": "./ws", "tokenUrl": "/a/token", "ticketUrl": "ticket"}')
    assert connect_sources(policy, None) == ["'self'"]


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        '{"webSocketUrl": 5}',
        '{"webSocketUrl": "javascript:alert(1)"}',
        '{"webSocketUrl": "wss://a b; script-src *"}',
        '{"webSocketUrl": "wss://[::1"}',
        '{"webSocketUrl": "wss://a:99999"}',
        '{"webSocketUrl": "//x"}',
        "\ud800",
    ],
)
def test_a_broken_config_changes_nothing(tmp_path, text):
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "config.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert connect_sources(Policy(tmp_path), None) == ["'self'"]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://chat.example", "https://chat.example"),
        ("https://chat.example:443/x", "https://chat.example"),
        ("http://chat.example:80", "http://chat.example"),
        ("http://Chat.Example:8000", "http://chat.example:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://user:password@chat.example", "https://chat.example"),
        ("ftp://chat.example", None),
        ("null", None),
        ("", None),
        ("https://", None),
        ("https://a:x", None),
    ],
)
def test_origins(url, origin):
    assert origin_of(url) == origin
