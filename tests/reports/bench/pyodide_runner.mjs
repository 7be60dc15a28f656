// Measures workloads.py in the vendored Pyodide under Node. Argument: this repository's folder. Standard output:
// {"python": version, "pyodide": version, "node": version, "result": what was measured}.
import { pathToFileURL } from "node:url";

const [root] = process.argv.slice(2);
const indexURL = `${root}/static/vendor/pyodide`;
const { loadPyodide } = await import(pathToFileURL(`${indexURL}/pyodide.mjs`));
const pyodide = await loadPyodide({ indexURL });
pyodide.FS.mkdirTree("/mnt/kizuna");
pyodide.mountNodeFS("/mnt/kizuna", root);
pyodide.runPython("import sys; sys.dont_write_bytecode = True; sys.path[:0] = ['/mnt/kizuna', '/mnt/kizuna/app']");
const python = pyodide.runPython("import platform; platform.python_version()");
const result = await pyodide.runPythonAsync("from tests.reports.bench import workloads; await workloads.summary()");
process.stdout.write(JSON.stringify({ python, pyodide: pyodide.version, node: process.version, result }));
