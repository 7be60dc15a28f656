// Runs a Python program in the vendored Pyodide under Node. Standard input: {"pyodide": folder, "files": {path: text},
// "program": text}. Standard output: {"python": version, "pyodide": version, "result": what the program gives}.
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const { pyodide: folder, files, program } = JSON.parse(await text(process.stdin));
const { loadPyodide } = await import(pathToFileURL(`${folder}/pyodide.mjs`));
const pyodide = await loadPyodide({ indexURL: folder });
for (const [path, source] of Object.entries(files)) {
  pyodide.FS.mkdirTree(path.slice(0, path.lastIndexOf("/")));
  pyodide.FS.writeFile(path, source);
}
const python = pyodide.runPython("import platform; platform.python_version()");
const result = pyodide.runPython(program);
process.stdout.write(JSON.stringify({ python, pyodide: pyodide.version, node: process.version, result }));
