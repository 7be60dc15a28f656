"""The pages that start.py compares, their servers, and the networks."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.support.fault_proxy import FaultProxy
from tests.support.server import ROOT, KizunaServer
from tools.build.assets import BEST, QUICK, compress
from tools.build.site import BuildOptions, build

REACT = Path(__file__).with_name("react")
NODE = Path(sys.executable).parent / "node"
#: Beside dist/site, whose compressed files are kept there for the next build; git ignores all of dist/.
DIST = ROOT / "dist"


class PageKind(NamedTuple):
    """One of the pages. `host` is the folder that it is served from."""

    name: str
    host: str
    way: str = ""  #: how Python has to start, instead of the page's choice


class Network(NamedTuple):
    """Bytes per second that all connections share each way, and seconds of a round trip; no rate: loopback itself."""

    name: str
    rate: float = 0.0
    round_trip: float = 0.0


PAGES = {
    "own": PageKind("built", "site"),
    "fast": PageKind("built, fast way", "site", "snapshot"),
    "small": PageKind("built, small way", "site", "ordinary"),
    "stock": PageKind("stock PyScript", "stock"),
    "react": PageKind("React", "react"),
    "before": PageKind("another build", "before"),
}
NETWORKS = {
    "localhost": Network("localhost"),
    "50mbps": Network("50 Mbps/30 ms", 50e6 / 8, 0.030),
    "9mbps": Network("9 Mbps/150 ms", 9e6 / 8, 0.150),
}

#: Host and network -> what a browser asks there: on localhost the server itself, elsewhere the line to it.
Hosts = Mapping[tuple[str, str], KizunaServer | FaultProxy]


def lay_out(folder: Path, *, quick: bool, before: Path | None = None) -> dict[str, Path]:
    """Build every page with the same compression, and return host -> its folder. ``before``: another built site."""
    quality = QUICK if quick else BEST
    site, stock, react = DIST / "bench-site", folder / "stock", folder / "react"
    build(BuildOptions(root=ROOT, site=site, config=ROOT / "static" / "config.json", quality=quality))
    stock_page(stock)
    react.mkdir()
    done = subprocess.run([NODE, REACT / "build.cjs", react], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"esbuild is missing (make bench-start fetches it) or failed:\n{done.stderr[-800:]}")
    compress(folder, NODE, quality, DIST / f".compressed-bench-{quality}")
    return {"site": site, "stock": stock, "react": react, **({"before": before} if before else {})}


def stock_page(folder: Path) -> None:
    """The source tree's page. Only the program moves, into static/, where the server also looks for compressed files:
    any host can compress, so the ratio must not tell of that."""
    no_waste = shutil.ignore_patterns("__pycache__", "*.map")
    shutil.copytree(ROOT / "static", folder / "static", ignore=no_waste)
    shutil.copytree(ROOT / "app", folder / "static" / "app", ignore=no_waste)
    shutil.copy2(ROOT / "index.html", folder)
    config = (ROOT / "pyscript.toml").read_text(encoding="utf-8")
    (folder / "pyscript.toml").write_text(config.replace('"app/', '"static/app/'), encoding="utf-8")


@contextmanager
def serving(folders: Mapping[str, Path], data: Path, networks: Iterable[str]) -> Iterator[Hosts]:
    """Serve each folder, over a proxy for each network."""
    hosts: dict[tuple[str, str], KizunaServer | FaultProxy] = {}
    with ExitStack() as stack:
        for host, folder in folders.items():
            server = KizunaServer(data / f"{host}.sqlite3", ROOT=str(folder), RATE_LIMIT="0")
            hosts[host, "localhost"] = stack.enter_context(server)
            for network in networks:
                _, rate, round_trip = NETWORKS[network]
                if rate:
                    hosts[host, network] = line = stack.enter_context(FaultProxy(server.port))
                    stack.enter_context(line.link(rate, round_trip / 2))
        yield hosts


def machine(loads: Sequence[float]) -> str:
    """Return what this machine is, and its load (of one minute), which was noted from time to time."""
    told = f"{platform.system()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    return f"{told}; its load meanwhile {median(loads):.1f} ({min(loads):.1f} to {max(loads):.1f})"


def versions() -> str:
    """Return the versions of the packages."""
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    pinned = package["dependencies"] | package["devDependencies"]
    return ", ".join(f"{name} {version}" for name, version in pinned.items())
