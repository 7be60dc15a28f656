"""The smallest pages that use the library, for each version: Pyodide or PyScript, in the page or in a worker.

They have nothing but the built wheel, which they load as a user's page does. What PyScript loads from its public
address is answered from npm's package.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route

from tools.setup import compat
from tools.setup.compat import Cell
from tools.setup.jupyterlite import JupyterLite

#: Sends back what comes. {"busy": SECONDS} makes it compute so long; {"end": true} ends it.
PROGRAM = """\
import sys, time
import pyodide
from kizuna import connect

async with connect("{url}") as connection:
    connection.send({{"pyodide": pyodide.__version__, "python": sys.version.split()[0]}})
    async for frame in connection:
        if "end" in frame:
            break
        elif "busy" in frame:
            end = time.monotonic() + frame["busy"]
            while time.monotonic() < end:
                pass
            connection.send({{"busy": 0}})
        else:
            connection.send(frame)
"""

_HEAD = '<!doctype html><html lang="en"><title>Kizuna</title><link rel="icon" href="data:,">\n'

#: Loads the wheel and runs the program, in a page or in a worker.
_START = """\
import {{ loadPyodide }} from "./pyodide/pyodide.mjs";

const pyodide = await loadPyodide();
await pyodide.loadPackage(new URL("{wheel}", import.meta.url).href);
const program = await fetch(new URL("main.py", import.meta.url));
await pyodide.runPythonAsync(await program.text());
"""

_PYODIDE = {
    "page": '<script type="module" src="start.mjs"></script>\n',
    "worker": '<script>new Worker("start.mjs", { type: "module" });</script>\n',
}

_PYSCRIPT = """\
<link rel="stylesheet" href="pyscript/core.css">
<script type="module" src="pyscript/core.js"></script>
<script type="{type}" {where} src="main.py" config="pyscript.json"></script>
"""

#: Where PyScript loads its interpreters from.
_INTERPRETERS = "https://cdn.jsdelivr.net/"
_MEDIA_TYPES = {".wasm": "application/wasm", ".mjs": "text/javascript", ".js": "text/javascript"}


def lay(folder: Path, cell: Cell, wheel: Path, url: str) -> Path:
    """Lay the files of the page of ``cell`` into a folder, and return it. The program connects to ``url``."""
    if cell.core is None:
        (folder / "pyodide").symlink_to(compat.find(f"pyodide@{cell.pyodide}"))
        (folder / "start.mjs").write_text(_START.format(wheel=wheel.name), encoding="utf-8")
        body = _PYODIDE[cell.context]
    else:
        where = {"page": "async", "worker": "worker async"}[cell.context]
        body = lay_pyscript(folder, f"@pyscript/core@{cell.core}", wheel, kind="py", where=where)
    return lay_program(folder, body, PROGRAM.format(url=url), wheel)


def lay_pyscript(
    folder: Path,
    core: str,
    wheel: Path,
    *,
    kind: str,
    where: str = "",
    config: Mapping[str, Any] | None = None,
) -> str:
    """Lay PyScript and its configuration into a folder, and return the body of the page.

    Without ``config``, PyScript unpacks the wheel.
    """
    (folder / "pyscript").symlink_to(compat.find(core))
    written = {"files": {f"./{wheel.name}": "./*"}} if config is None else config
    (folder / "pyscript.json").write_text(json.dumps(written), encoding="utf-8")
    return _PYSCRIPT.format(type=kind, where=where)


def lay_program(folder: Path, body: str, program: str, wheel: Path) -> Path:
    """Lay page, program and wheel into a folder, and return it."""
    (folder / "index.html").write_text(_HEAD + body, encoding="utf-8")
    (folder / "main.py").write_text(program, encoding="utf-8")
    shutil.copy2(wheel, folder)
    return folder


def lay_pyodide(version: str, installed: JupyterLite, folder: Path) -> Path:
    """Lay Pyodide into a folder, with the wheel that installs others, and return it.

    The wheels of Pyodide's own list are not those of PyPI, and are not in npm's package.
    """
    package = compat.find(f"pyodide@{version}")
    (wheel,) = installed.wheels.glob("micropip-*.whl")
    lock = json.loads((package / "pyodide-lock.json").read_text(encoding="utf-8"))
    micropip = lock["packages"]["micropip"]
    assert micropip["file_name"] == wheel.name
    micropip["sha256"] = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock["packages"] = {"micropip": micropip}
    folder.mkdir()
    for path in (*package.iterdir(), wheel):
        (folder / path.name).symlink_to(path)
    (folder / "pyodide-lock.json").unlink()
    (folder / "pyodide-lock.json").write_text(json.dumps(lock), encoding="utf-8")
    return folder


def answer_for_the_network(page: Page, path: str, folder: Path) -> None:
    """Answer what a page loads from this path of PyScript's public address by the files of a folder, and nothing else
    of it."""
    headers = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}

    def answer(route: Route) -> None:
        file = folder / route.request.url.removeprefix(f"{_INTERPRETERS}{path}")
        if file.parent != folder or not file.is_file():
            route.abort()
            return
        content_type = _MEDIA_TYPES.get(file.suffix, "application/octet-stream")
        route.fulfill(path=file, content_type=content_type, headers=headers)

    page.context.route(f"{_INTERPRETERS}**", answer)


class Told(list[str]):
    """What a page and its workers wrote to the console, and which requests of theirs failed."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        page.on("console", lambda message: self.append(message.text))
        page.on("pageerror", lambda error: self.append(f"uncaught error: {error}"))
        page.on("requestfailed", lambda request: self.append(f"not loaded: {request.url}"))

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Add it to the error of a failed assertion."""
        try:
            yield
        except AssertionError as error:
            error.add_note("\n".join(self))
            raise
