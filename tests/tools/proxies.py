"""nginx and Caddy as processes of their own, on loopback, with the configurations that the documents give people."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin

from tests.support.process import LOOPBACK, PATIENCE, Process
from tests.support.waiting import eventually


def nginx_program() -> str:
    """Where nginx is; skips the test if it is nowhere."""
    return shutil.which("nginx") or pytest.skip(
        "nginx is missing (on Debian: apt install nginx-light libnginx-mod-http-brotli-static)"
    )


def caddy_program() -> str:
    """Where Caddy is; skips the test if it is nowhere."""
    return shutil.which("caddy") or pytest.skip("Caddy is missing (on Debian: apt install caddy)")


def put(text: str, old: str, new: str) -> str:
    """``text`` with ``new`` for each ``old``, of which there must be one."""
    assert old in text, f"{old!r} is not there"
    return text.replace(old, new)


@contextlib.contextmanager
def running_nginx(http: str, folder: Path, port: int) -> Iterator[Process]:
    """nginx with this in its http block, from when it listens on ``port``. Its files lie in ``folder``."""
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\n"
        "include /etc/nginx/modules-enabled/*.conf;\nevents {}\n"
        f"http {{\naccess_log off;\nclient_body_temp_path {folder}/body;\nproxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/fastcgi;\nuwsgi_temp_path {folder}/uwsgi;\nscgi_temp_path {folder}/scgi;\n"
        f"{http}}}\n"
    )
    process = Process(nginx_program(), "-c", str(configuration), env=os.environ)
    with _listening(process, port):
        yield process
    # From 1.25.1 on it wants http2 on a line of its own, which Debian's 1.22 does not know.
    warnings = [line for line in process.output.splitlines() if "[warn]" in line and "http2" not in line]
    assert warnings == []


@contextlib.contextmanager
def running_caddy(caddyfile: str, folder: Path, port: int) -> Iterator[Process]:
    """Caddy with this Caddyfile, from when it listens on ``port``. Its files lie in ``folder``."""
    configuration = folder / "Caddyfile"
    configuration.write_text(caddyfile)
    homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    process = Process(
        *(caddy_program(), "run", "--adapter", "caddyfile", "--config", str(configuration)),
        env={**os.environ, **homes},
    )
    with _listening(process, port):
        yield process


@contextlib.contextmanager
def _listening(process: Process, port: int) -> Iterator[None]:
    try:
        eventually(lambda: not process.is_running or _answers(port), PATIENCE, what="the proxy listens")
        assert process.is_running, process.output
        yield
    finally:
        process.end()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


class Site:
    """Responsible for asking https://chat.example.org, which is on a port of loopback, as a browser would."""

    def __init__(self, port: int, certificate: Path) -> None:
        self.host = f"chat.example.org:{port}"
        self.origin = f"https://{self.host}"
        self._port = port
        self._trusting = ssl.create_default_context(cafile=certificate)

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """The status, the headers by their names in small letters, and the body of an answer."""
        connection = HTTPSConnection(self.host, context=self._trusting, timeout=PATIENCE)
        connection.sock = self._trusting.wrap_socket(self._reach(), server_hostname="chat.example.org")
        with contextlib.closing(connection):
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {"Origin": self.origin, **names})
            answer = connection.getresponse()
            return (
                answer.status,
                {name.lower(): value for name, value in answer.getheaders()},
                answer.read(),
            )

    def say(self, path: str, frame: str) -> str:
        """The first frame that a page hears on a WebSocket after it said this one."""

        async def said() -> str:
            url, origin = f"wss://{self.host}{path}", Origin(self.origin)
            options: dict[str, Any] = {"sock": self._reach(), "ssl": self._trusting, "proxy": None}
            # Without threads: websockets' other client reads and writes a TLS socket in two, and now and then hangs.
            async with connect(url, origin=origin, open_timeout=PATIENCE, **options) as link:
                await link.send(frame)
                return str(await asyncio.wait_for(link.recv(), PATIENCE))

        return asyncio.run(said())

    def _reach(self) -> socket.socket:
        return socket.create_connection((LOOPBACK, self._port), PATIENCE)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate that chat.example.org signed for itself, good for an hour, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "chat.example.org")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("chat.example.org")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths
