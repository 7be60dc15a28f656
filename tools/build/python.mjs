// Runs a Python program in Pyodide under Node, for tools/build/python.py. Standard input:
// {"pyodide": folder, "library": its standard library if not its own, "files": {path: text}, "program": text,
//  "take": {path inside: path outside}, "snapshot": where to write the state afterwards, or null}.
// Standard output: {"version": Pyodide's, "result": what the program gives}.
import { readFile, writeFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const order = JSON.parse(await text(process.stdin));
const { info } = JSON.parse(await readFile(`${order.pyodide}/pyodide-lock.json`, "utf8"));
const { loadPyodide } = await import(pathToFileURL(`${order.pyodide}/pyodide.mjs`));

// A snapshot holds the time, the chance and the place of its making; here they are the same for every build. What the
// page draws of chance, it draws from the browser: main.start() seeds `random` anew.
const MOMENT = Date.UTC(2000, 0);
Date.now = () => MOMENT;
performance.now = () => 0;
crypto.getRandomValues = (view) => view.fill(0);

const pyodide = await loadPyodide({
  indexURL: order.pyodide,
  stdLibURL: order.library ?? undefined,
  lockFileContents: { info, packages: {} },
  env: { PYTHONHASHSEED: "0" }, // a snapshot freezes the seed in any case: let every build freeze the same one
  _sysExecutable: "./this.program", // what a browser has; in Node it would be the path of this file
  _makeSnapshot: order.snapshot !== null,
});
for (const [path, content] of Object.entries(order.files)) {
  pyodide.FS.mkdirTree(path.slice(0, path.lastIndexOf("/")));
  pyodide.FS.writeFile(path, content);
}
let result;
try {
  result = pyodide.runPython(order.program);
} catch (error) {
  process.stderr.write(error.message); // the uncaught error would be shown with all of Pyodide's source around it
  process.exit(1);
}
for (const [inside, outside] of Object.entries(order.take)) await writeFile(outside, pyodide.FS.readFile(inside));
if (order.snapshot !== null) await writeFile(order.snapshot, pyodide.makeMemorySnapshot());
process.stdout.write(JSON.stringify({ version: pyodide.version, result }));
