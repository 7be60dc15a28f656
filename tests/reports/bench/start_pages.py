"""The pages that start.py sets side by side, and the networks on which it does: who serves what, how."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.fault_proxy import FaultProxy
from tests.support.server import ROOT, KizunaServer
from tools.build import Order, build
from tools.build_assets import BEST, QUICK, compress

REACT = Path(__file__).with_name("react")
#: Beside dist/site, whose compressed files are kept there for the next build; git ignores all of dist/.
DIST = ROOT / "dist"


@dataclass(frozen=True)
class PageKind:
    """One of the pages. `host` is the folder that it is served from."""

    key: str
    name: str
    host: str
    way: str = ""  #: how Python has to start, whatever the page would choose by itself
    is_chat: bool = True  #: it becomes live and connects


PAGES = {
    page.key: page
    for page in (
        PageKind("own", "built", "site"),
        PageKind("fast", "built, fast way", "site", "snapshot"),
        PageKind("small", "built, small way", "site", "ordinary"),
        PageKind("stock", "stock PyScript", "stock"),
        PageKind("react", "React", "react", is_chat=False),
    )
}
STOCK = "stock"


@dataclass(frozen=True)
class Network:
    """Bytes per second that all connections share each way, and seconds of a round trip; no rate: loopback itself."""

    key: str
    name: str
    rate: float | None = None
    round_trip: float = 0.0


NETWORKS = {
    network.key: network
    for network in (
        Network("localhost", "localhost"),
        Network("50mbps", "50 Mbps/30 ms", 50e6 / 8, 0.030),
        Network("9mbps", "9 Mbps/150 ms", 9e6 / 8, 0.150),
    )
}


def stock_page(folder: Path) -> None:
    """The source tree's page. Only the program moves, into static/, where the server also looks for compressed files:
    any host can compress, so the ratio must not tell of that."""
    folder.mkdir(parents=True)
    shutil.copy2(ROOT / "index.html", folder)
    shutil.copytree(ROOT / "static", folder / "static", ignore=shutil.ignore_patterns("__pycache__", "*.map"))
    shutil.copytree(ROOT / "app", folder / "static" / "app", ignore=shutil.ignore_patterns("__pycache__"))
    config = (ROOT / "pyscript.toml").read_text(encoding="utf-8")
    (folder / "pyscript.toml").write_text(config.replace('"app/', '"static/app/'), encoding="utf-8")


def react_page(folder: Path) -> None:
    """The article's page, built by esbuild. Raises SystemExit without it."""
    folder.mkdir(parents=True)
    node = Path(sys.executable).parent / "node"
    done = subprocess.run(
        [node, REACT / "build.cjs", folder], env=os.environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(
            f"esbuild did not build the React page; make bench-start fetches it:\n{done.stderr[-800:]}"
        )


def lay_out(folder: Path, quick: bool) -> dict[str, Path]:
    """Build every page, compressed equally well; returns host -> its folder."""
    quality = QUICK if quick else BEST
    site = DIST / "bench-site"
    build(Order(root=ROOT, site=site, config=ROOT / "static" / "config.json", quality=quality))
    hosts = {"stock": folder / "stock", "react": folder / "react"}
    stock_page(hosts["stock"])
    react_page(hosts["react"])
    node = Path(sys.executable).parent / "node"
    compress(folder, node, quality, DIST / f".compressed-bench-{quality}")
    return {"site": site, **hosts}


class Hosts:
    """Responsible for one server for each folder, and for a line of its own to it on each network."""

    def __init__(self, folders: dict[str, Path], data: Path, networks: Iterable[Network]) -> None:
        self._folders = folders
        self._data = data
        self._networks = tuple(networks)
        self._stack = ExitStack()
        self._servers: dict[str, KizunaServer] = {}
        self._lines: dict[tuple[str, str], FaultProxy] = {}

    def __enter__(self) -> Self:
        try:
            for host, folder in self._folders.items():
                server = KizunaServer(self._data / f"{host}.sqlite3", ROOT=str(folder), RATE_LIMIT="0")
                self._servers[host] = self._stack.enter_context(server)
                for network in self._networks:
                    if network.rate is not None:
                        line = self._stack.enter_context(FaultProxy(self._servers[host].port))
                        self._stack.enter_context(line.link(network.rate, network.round_trip / 2))
                        self._lines[host, network.key] = line
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def line(self, page: PageKind, network: Network) -> FaultProxy | None:
        """What carries a page's bytes and counts them; None on localhost, where nothing stands between."""
        return self._lines.get((page.host, network.key))

    def url(self, page: PageKind, network: Network) -> str:
        """Where a page is on a network, in English."""
        line = self.line(page, network)
        start = f"&start={page.way}" if page.way else ""
        return f"{line.url if line else self._servers[page.host].url}/?lang=en{start}"

    @property
    def elsewhere(self) -> str:
        """An address of none of the pages that says next to nothing."""
        return f"{self._servers['react'].url}/health"


def versions() -> str:
    """What the pages were made of."""
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    pinned = package["dependencies"] | package["devDependencies"]
    names = {
        "@pyscript/core": "PyScript",
        "pyodide": "Pyodide",
        "react": "React",
        "zustand": "Zustand",
        "esbuild": "esbuild",
    }
    return ", ".join(f"{name} {pinned[key]}" for key, name in names.items())
