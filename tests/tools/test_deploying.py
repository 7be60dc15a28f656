"""What docs/deploying.md hands to an operator works: nginx, Caddy and the units are the files that it names."""

from __future__ import annotations

import configparser
import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from backend.local.settings import read_options
from tests.support.process import LOOPBACK, PATIENCE, ROOT, Process
from tests.support.server import KizunaServer, free_port, secret_of
from tests.tools.build import small_site
from tests.tools.proxies import (
    Site,
    caddy_program,
    make_certificate,
    nginx_program,
    put,
    running_caddy,
    running_nginx,
)

FOLDER = ROOT / "docs" / "deploying"
DOCUMENT = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
SERVER = "127.0.0.1:8000"
HOST_LINE = r"^ *proxy_set_header Host .*\n"

#: A proxy with TLS in front of what is on a port of loopback.
Proxy = Callable[[int], AbstractContextManager[Site]]


def documented_file(name: str) -> str:
    """A file that the document tells people to copy."""
    return (FOLDER / name).read_text(encoding="utf-8")


def test_the_document_names_every_file_and_no_other():
    named = set(re.findall(r"\]\(deploying/([\w.-]+)\)", DOCUMENT))
    assert named == {path.name for path in FOLDER.iterdir()}


# --- nginx and Caddy ---


class ProxyConfiguration:
    """Responsible for the ports and files of one proxy, in place of those that its configuration names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.http_port = free_port(), free_port()
        self.certificate, self.key = make_certificate(folder)
        self.log = folder / "kizuna.log"
        self.site = Site(self.port, self.certificate)

    def nginx(self, server: int) -> str:
        """nginx.conf for this place, in front of a port."""
        text = put(documented_file("nginx.conf"), SERVER, f"{LOOPBACK}:{server}")
        text = put(text, "listen 80;", f"listen {LOOPBACK}:{self.http_port};")
        text = put(text, "listen 443 ", f"listen {LOOPBACK}:{self.port} ")
        text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
        folder = "/etc/letsencrypt/live/chat.example.org"
        text = put(text, f"{folder}/fullchain.pem", str(self.certificate))
        text = put(text, f"{folder}/privkey.pem", str(self.key))
        return put(text, "/var/log/nginx/kizuna.log", str(self.log))

    def caddy(self, server: int) -> str:
        """Caddyfile for this place, in front of a port."""
        text = put(documented_file("Caddyfile"), SERVER, f"{LOOPBACK}:{server}")
        text = put(text, "\n{\n", f"\n{{\nadmin off\nhttp_port {self.http_port}\ndefault_bind {LOOPBACK}\n")
        return put(
            text,
            "\nchat.example.org {\n",
            f"\n{self.site.origin} {{\ntls {self.certificate} {self.key}\n",
        )


@pytest.fixture
def setup(tmp_path: Path) -> ProxyConfiguration:
    folder = tmp_path / "proxy"
    folder.mkdir()
    return ProxyConfiguration(folder)


@pytest.fixture(params=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest, setup: ProxyConfiguration) -> Proxy:
    """nginx or Caddy as it is handed out."""

    @contextlib.contextmanager
    def start(server: int) -> Iterator[Site]:
        if request.param == "nginx":
            running = running_nginx(setup.nginx(server), setup.folder, setup.port)
        else:
            running = running_caddy(setup.caddy(server), setup.folder, setup.port)
        with running:
            yield setup.site

    return start


def enters(site: Site, path: str = "/") -> str:
    """What the server says first to its own page; or the code of its refusal."""
    applicant = json.dumps({"name": "Ann", "clientSecret": secret_of("Ann")}).encode()
    status, _, text = site.ask("POST", f"{path}token", applicant, Content_Type="application/json")
    answer = json.loads(text)
    if status != 200:
        return str(answer["code"])
    body = json.dumps({"token": answer["token"]}).encode()
    _, _, text = site.ask("POST", f"{path}ticket", body, Content_Type="application/json")
    hello = '{"action": "hello", "v": 1, "rooms": []}'
    answer = site.say(f"{path}ws?token={json.loads(text)['ticket']}", hello)
    return str(json.loads(answer)["type"])


def test_a_page_comes_in_by_tls_and_opens_its_web_socket(
    proxy: Proxy, setup: ProxyConfiguration, tmp_path: Path
):
    origin = setup.site.origin
    server = KizunaServer(tmp_path / "k.sqlite3", ALLOWED_ORIGINS=origin, PROXIES=LOOPBACK)
    with server, proxy(server.port) as site:
        status, headers, page = site.ask("GET", "/")
        assert (status, b"<html" in page) == (200, True)
        assert headers["strict-transport-security"] == "max-age=31536000"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert enters(site) == "ready"


def test_who_comes_by_http_is_sent_to_https(proxy: Proxy, setup: ProxyConfiguration):
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    with proxy(free_port()):
        request = urllib.request.Request(f"http://{LOOPBACK}:{setup.http_port}/#/tea")
        request.add_header("Host", "chat.example.org")
        with pytest.raises(urllib.error.HTTPError) as sent:
            urllib.request.build_opener(Stay).open(request, timeout=PATIENCE)
        with sent.value as answer:
            assert answer.code == 308
            assert answer.headers["Location"].startswith("https://chat.example.org")


class Recorder:
    """Responsible for a server on loopback that keeps the headers of each whole request, and answers nothing."""

    def __init__(self) -> None:
        self.heard: list[dict[str, str]] = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                recorder.heard.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(204)
                self.end_headers()

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                if len(self.rfile.read(length)) == length:
                    self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05])
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    yield made
    made.close()


def test_the_server_gets_the_peers_address_and_no_forged_one(
    proxy: Proxy, recorder: Recorder, setup: ProxyConfiguration
):
    with proxy(recorder.port) as site:
        site.ask("GET", "/health", X_Forwarded_For="203.0.113.7")
    assert recorder.heard[0]["x-forwarded-for"] == LOOPBACK
    assert recorder.heard[0]["host"] == setup.site.host


def test_the_server_hears_that_a_web_socket_is_wanted(proxy: Proxy, recorder: Recorder):
    with proxy(recorder.port) as site:
        site.ask("GET", "/ws", Upgrade="websocket", Connection="Upgrade", Sec_WebSocket_Version="13")
    (heard,) = recorder.heard
    assert (heard["upgrade"].lower(), heard["connection"].lower()) == ("websocket", "upgrade")


def test_a_large_body_ends_at_the_proxy(proxy: Proxy, recorder: Recorder):
    with proxy(recorder.port) as site:
        assert site.ask("POST", "/token", b"x" * 2000)[0] == 204
        status, _, _ = site.ask("POST", "/token", b"x" * 20_000)
    assert status in (413, 502)  # nginx, and Caddy, which finds out while it passes it on
    assert len(recorder.heard) == 1


# --- nginx ---


def test_nginx_that_hides_the_host_needs_allowed_origins(setup: ProxyConfiguration, tmp_path: Path):
    nginx_program()
    with KizunaServer(tmp_path / "k.sqlite3") as server:
        hiding = re.sub(HOST_LINE, "", setup.nginx(server.port), flags=re.MULTILINE)
        with running_nginx(hiding, setup.folder, setup.port):
            assert enters(setup.site) == "forbidden_origin"
            assert "ALLOWED_ORIGINS" in server.output
            server.stop()
            server.start(ALLOWED_ORIGINS=setup.site.origin)
            assert enters(setup.site) == "ready"


def test_nginx_serves_it_under_a_path(setup: ProxyConfiguration, tmp_path: Path):
    nginx_program()
    with KizunaServer(tmp_path / "k.sqlite3", ALLOWED_ORIGINS=setup.site.origin) as server:
        (line,) = re.findall(r"`(location /chat/ \{ [^`]*;)", DOCUMENT)
        head, _, target = line.partition("{")
        text = put(
            setup.nginx(server.port), "location / {\n        proxy_pass", f"{head}{{\n        proxy_pass"
        )
        target = put(target.strip(), f"proxy_pass http://{SERVER}/;", f"http://{LOOPBACK}:{server.port}/;")
        text = put(text, f"http://{LOOPBACK}:{server.port};", target)
        with running_nginx(text, setup.folder, setup.port):
            assert enters(setup.site, "/chat/") == "ready"


def test_nginx_logs_who_asked_for_what_but_no_ticket(setup: ProxyConfiguration, tmp_path: Path):
    nginx_program()
    with KizunaServer(tmp_path / "k.sqlite3", ALLOWED_ORIGINS=setup.site.origin) as server:
        with running_nginx(setup.nginx(server.port), setup.folder, setup.port):
            assert enters(setup.site) == "ready"
        logged = setup.log.read_text()
    assert f"{LOOPBACK} [" in logged
    assert '"GET /ws" 101' in logged
    assert "token=" not in logged


# --- Caddy ---


def test_caddy_serves_it_under_a_path(setup: ProxyConfiguration, tmp_path: Path):
    caddy_program()
    with KizunaServer(tmp_path / "k.sqlite3", ALLOWED_ORIGINS=setup.site.origin) as server:
        target = f"{LOOPBACK}:{server.port}"
        (line,) = re.findall(r"`(handle_path /chat/\* \{[^`]*\})`", DOCUMENT)
        line = put(line, SERVER, target).replace("{ ", "{\n").replace(" }", "\n}")
        text = put(setup.caddy(server.port), f"reverse_proxy {target}", line)
        with running_caddy(text, setup.folder, setup.port):
            assert enters(setup.site, "/chat/") == "ready"


# --- systemd ---

UNITS = ("kizuna.service", "kizuna-backup.service", "kizuna-backup.timer")


def unit(name: str) -> configparser.ConfigParser:
    """A unit; of a key that stands there twice the last value."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(documented_file(name))
    return parser


def environment() -> dict[str, str]:
    """What kizuna.env sets."""
    lines = documented_file("kizuna.env").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


class RecordingEnvironment(dict[str, str]):
    """An empty environment that remembers for what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: object = None) -> object:  # type: ignore[override]
        """Nothing."""
        self.names.add(name)
        return default


def test_every_setting_in_files_and_documents_exists():
    requested = RecordingEnvironment()
    read_options([], requested)
    assert environment().keys() <= requested.names
    contract = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
    limits = contract.partition("### Limits")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in limits.splitlines() if line.startswith("| ")]
    named = {name for row in rows for name in re.findall("`([A-Z_]+)`", row[3])}
    assert "ASK_LIMIT" in named
    assert named <= requested.names


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze") or pytest.skip("systemd-analyze is missing (it is systemd's)")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units in a folder, with the checkout that this is in place of the operator's."""
    for name in UNITS:
        (tmp_path / name).write_text(documented_file(name).replace("/opt/kizuna", str(ROOT)))
    return tmp_path


def test_systemd_has_nothing_against_the_units(units: Path):
    checked = systemd_analyze("verify", "--man=no", *(str(units / name) for name in UNITS))
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_systemd_would_have_something_against_a_mistake(units: Path):
    service = units / "kizuna.service"
    service.write_text(put(service.read_text(), "ProtectSystem=strict", "ProtectSytem=strict"))
    assert "ProtectSytem" in systemd_analyze("verify", "--man=no", str(service)).stderr


def test_the_service_may_do_little(units: Path):
    service = str(units / "kizuna.service")
    help_text = systemd_analyze("--help").stdout
    if "--offline" not in help_text:
        pytest.skip("systemd-analyze judges units that are not loaded from version 250 on")
    checked = systemd_analyze("security", "--offline=true", "--threshold=20", service)  # 2.0 of 10
    assert checked.returncode == 0, checked.stdout


def test_the_service_starts_with_its_settings_and_ends_with_0(tmp_path: Path):
    service = unit("kizuna.service")["Service"]
    program, *arguments = shlex.split(service["ExecStart"])
    assert program == f"{service['WorkingDirectory']}/.venv/bin/python"
    assert service["EnvironmentFile"] == "/etc/kizuna.env"
    settings = environment()
    assert settings["DATA"].startswith(f"/var/lib/{service['StateDirectory']}/")
    assert settings["ROOT"] == f"{service['WorkingDirectory']}/dist/site"
    here = {"PORT": str(free_port()), "DATA": str(tmp_path / "k.sqlite3")}
    here["ROOT"] = str(small_site.make(tmp_path / "site"))
    process = Process(sys.executable, *arguments, env={"PATH": os.environ["PATH"], **settings, **here})
    process.wait_for(rf"^Kizuna is at http://{settings['HOST']}:{here['PORT']}$")
    assert process.end() == 0, process.output


def test_the_service_has_time_to_end_by_itself():
    assert int(unit("kizuna.service")["Service"]["TimeoutStopSec"]) > 5  # docs/contract.md


# --- backups ---


def test_a_backup_is_made_and_those_of_a_fortnight_are_kept(tmp_path: Path):
    command = shlex.split(unit("kizuna-backup.service")["Service"]["ExecStart"])
    script = put(command[-1], "/opt/kizuna", str(ROOT))
    with KizunaServer(tmp_path / "k.sqlite3") as server:
        server.token("Ann")
        kept, old = tmp_path / "backups" / "recent.sqlite3", tmp_path / "backups" / "old.sqlite3"
        kept.parent.mkdir()
        for path, days in ((kept, 10), (old, 16)):
            path.touch()
            then = path.stat().st_mtime - days * 24 * 3600
            os.utime(path, (then, then))
        subprocess.run(
            [*command[:-1], script], cwd=ROOT, env={**os.environ, "DATA": str(server.data)}, check=True
        )
        names = {path.name for path in kept.parent.iterdir()}
    (made,) = names - {kept.name}
    assert kept.name in names
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d{6}Z\.sqlite3", made)
    with KizunaServer(kept.parent / made) as restored:
        assert restored.token("Ann")
