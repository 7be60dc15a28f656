"""Plain Pyodide with the library alone, without PyScript: in a page, or in a web worker of one."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page

from tests.support.server import ROOT

Context = Literal["page", "worker"]

#: Runs Python in whatever context imports it.
PYTHON = """
import { loadPyodide } from "./pyodide/pyodide.mjs";

const starting = (async () => {
  const pyodide = await loadPyodide();
  const archive = await fetch(new URL("kizuna.zip", import.meta.url));
  pyodide.unpackArchive(await archive.arrayBuffer(), "zip");
  return pyodide;
})();
export const run = async (source) => (await starting).runPythonAsync(source);
"""
WORKER = """
import { run } from "./python.mjs";

onmessage = async ({ data: [number, source] }) => {
  const answer = await run(source).then((value) => ({ value }), (error) => ({ error: String(error) }));
  postMessage({ number, ...answer });
};
postMessage({ number: 0 });
"""
INDEX = """<!doctype html><html lang="en"><title>Kizuna</title><link rel="icon" href="data:,">
<script type="module">
  if (location.search === "?page") {
    window.run = (await import("./python.mjs")).run;
  } else {
    const worker = new Worker("worker.mjs", { type: "module" });
    const waiting = new Map();
    const answer = (number) => new Promise((resolve, reject) => waiting.set(number, { resolve, reject }));
    worker.onerror = (event) => { throw new Error(`the worker failed: ${event.message}`); };
    worker.onmessage = ({ data: { number, value, error } }) =>
      error ? waiting.get(number).reject(new Error(error)) : waiting.get(number).resolve(value);
    await answer(0);
    let last = 0;
    window.run = (source) => { worker.postMessage([++last, source]); return answer(last); };
  }
  document.documentElement.dataset.ready = "";
</script></html>
"""


def make_site(folder: Path, pyodide: Path = ROOT / "static" / "vendor" / "pyodide") -> Path:
    """Lay the files for a static host into a folder, and return it."""
    files = {"index.html": INDEX, "python.mjs": PYTHON, "worker.mjs": WORKER}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "pyodide").symlink_to(pyodide)
    with zipfile.ZipFile(folder / "kizuna.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((ROOT / "app" / "kizuna").rglob("*.py")):
            archive.write(path, path.relative_to(ROOT / "app"))
    return folder


class PyodidePage:
    """One such page, with Python in it or in its worker. Names stay defined from one call to the next."""

    def __init__(self, page: Page, url: str, context: Context) -> None:
        self._page = page
        page.goto(f"{url}?{context}", wait_until="commit")
        page.wait_for_selector("html[data-ready]", state="attached")

    def run(self, source: str) -> Any:
        """Return the value of the last expression of ``source``, through JSON. ``await`` is allowed."""
        body, _, value = source.strip().rpartition("\n")
        return json.loads(
            self._page.evaluate("source => run(source)", f"{body}\n__import__('json').dumps({value})")
        )
