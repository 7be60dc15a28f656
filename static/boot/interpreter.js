// Starts Python in the built page (tools/build/site.py); the page of the source tree does without it. PyScript takes this
// module for Pyodide's own: it imports `version`, and calls `loadPyodide` when it is ready. The start does not wait for
// that, it begins here.
//
// There are two ways. From a snapshot, which holds the program and its library at work: the quickest start, and the
// larger download. Or the ordinary way, from the library and the program as archives: also when the snapshot is missing,
// cut off or damaged, or does not load in this browser. Which way it was stands in html[data-start], why it was the
// ordinary one in html[data-start-reason]; both are also in the performance timeline as the mark "python".
import { askCompressed } from "./compressed.js";
import { Line } from "./line.js";

const files = JSON.parse(document.getElementById("start-files").textContent);
const address = (path) => new URL(path, document.baseURI).href;

// In milliseconds. With its files here Python takes less than a second to start (docs/benchmarks.md).
const PATIENCE = 4000;

const asked = new URLSearchParams(location.search).get("start"); // for whoever compares the two ways
const line = new Line(Object.fromEntries(Object.entries(files.sizes).map(([path, size]) => [address(path), size])));

// Why this visit should do with the small download; "": the larger one, which starts quicker, is the better one, or is
// here already. This is the one place that decides. `connection`: navigator.connection, where there is one. The line is
// not measured: a page that shares its processor with others finds any line slow, and then needs the quicker start most
// (docs/benchmarks.md).
export async function reasonToSave(connection) {
  if (asked === "ordinary") return "the address asks for it";
  if (asked === "snapshot") return "";
  if (await isKept(files.snapshot)) return "";
  if (connection?.saveData) return "the browser asks to save data";
  if (/2g|3g/.test(connection?.effectiveType)) return `the browser calls the connection ${connection.effectiveType}`;
  return "";
}

// By the service worker, which answers for this page.
async function isKept(path) {
  if (!navigator.serviceWorker?.controller) return false;
  return caches.match(address(path), { ignoreVary: true }).then(Boolean, () => false);
}

let output = { stdout: (line) => console.log(line), stderr: (line) => console.error(line) };
const settings = {
  indexURL: address(files.pyodide),
  stdout: (line) => output.stdout(line),
  stderr: (line) => output.stderr(line),
  lockFileContents: { info: files.lock, packages: {} },
};

// Nothing is awaited here: WebKit lets PyScript go on with this module before it is through, and what it exports below an
// await is then not there (bug 242740).
export const version = files.pyodideVersion;

const starting = start(); // before the runtime is asked for: its files and these arrive together
const runtime = import(`${settings.indexURL}pyodide.mjs`);
for (const promise of [starting, runtime]) promise.catch(() => {}); // whoever calls loadPyodide learns of it

export function loadPyodide({ stdout, stderr }) {
  output = { stdout, stderr };
  return starting;
}

async function start() {
  line.begin(address(files.wasm)); // both ways need it
  const saving = await reasonToSave(navigator.connection);
  if (saving) document.documentElement.dataset.startSaves = ""; // updates.js gets the snapshot for later visits
  const expected = [files.wasm, saving ? files.library : files.snapshot].map(address);
  const work = line.during(expected, async () => {
    if (saving) return ordinary(saving);
    try {
      return await fromSnapshot();
    } catch (error) {
      return ordinary(String(error?.message ?? error));
    }
  });
  return Promise.race([work, troubleOf(work)]);
}

// Pyodide waits for ever for WebAssembly that is cut off, damaged, or sent as something else. So when it has been here for
// a while and Python has not, it is looked at.
async function troubleOf(work) {
  const wasm = address(files.wasm);
  const ended = work.then(() => true, () => true);
  const hasEndedWithin = (milliseconds) => Promise.race([ended, pause(milliseconds)]);
  do {
    if (await hasEndedWithin(PATIENCE)) return work;
  } while (!line.hasBrought(wasm));
  const type = line.typeOf(wasm);
  if (type && !type.startsWith("application/wasm")) throw new Error(`${files.wasm} is sent as ${type}, not as application/wasm`);
  const { response } = await askCompressed(wasm, { cache: "force-cache" }).catch(() => ({}));
  const bytes = await response?.arrayBuffer().catch(() => {});
  if (bytes) ofItsSize(files.wasm, bytes);
  if (bytes && !WebAssembly.validate(bytes)) throw new Error(`${files.wasm} is damaged`);
  return work; // it starts slowly
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// Pyodide asks for the memory before it does anything else. It gets it empty, and makes ready meanwhile: all it has to
// know is the size. Before it looks into it, it waits for `fsInit`.
async function fromSnapshot() {
  const memory = new Uint8Array(files.memory.size);
  const filled = download(files.snapshot).then(intact).then((bytes) => fill(memory, bytes));
  const never = new Promise(() => {}); // nobody wants a Python without its memory
  const fsInit = () => filled.catch(() => never);
  // Every module of the library is in the snapshot, loaded: an empty archive stands for the library.
  const loading = load({ stdLibURL: address(files.nothing), _loadSnapshot: memory, fsInit });
  const [pyodide] = await Promise.all([loading, filled]);
  pyodide.runPython("import kept_files; kept_files.write()");
  tell("snapshot");
  return pyodide;
}

async function ordinary(reason) {
  const program = download(files.program);
  program.catch(() => {}); // it is awaited below, but perhaps fails before
  const pyodide = await load({ stdLibURL: address(files.library) });
  pyodide.unpackArchive(await program, "zip");
  tell("ordinary", reason);
  return pyodide;
}

async function load(options) {
  const { loadPyodide } = await runtime;
  return loadPyodide({ ...settings, ...options });
}

async function download(path) {
  const response = await fetch(address(path));
  if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`);
  return ofItsSize(path, await response.arrayBuffer());
}

function ofItsSize(path, bytes) {
  const size = files.sizes[path];
  if (bytes.byteLength !== size) throw new Error(`${path} has ${bytes.byteLength} bytes instead of ${size}`);
  return bytes;
}

// A snapshot with one wrong byte may well load, and go wrong at any later time. SHA-256 would take a tenth of the start,
// and exists on https alone; this is about accidents.
function intact(bytes) {
  const found = adler32(new Uint8Array(bytes));
  if (found !== files.checksum) throw new Error(`${files.snapshot} is damaged: its Adler-32 is ${found}`);
  return bytes;
}

function adler32(bytes) {
  const block = 3800; // after so many bytes the sums still fit into the integers that JavaScript is quick with
  let [low, high] = [1, 0];
  for (let start = 0; start < bytes.length; start += block) {
    const end = Math.min(start + block, bytes.length);
    for (let at = start; at < end; at += 1) {
      low += bytes[at];
      high += low;
    }
    low %= 65521;
    high %= 65521;
  }
  return high * 65536 + low;
}

// The snapshot has only the stretches of the memory that are not empty.
function fill(memory, bytes) {
  let position = 0;
  for (const [start, length] of files.memory.stretches) {
    memory.set(new Uint8Array(bytes, position, length), start);
    position += length;
  }
}

function tell(way, reason = "") {
  Object.assign(document.documentElement.dataset, { start: way, startReason: reason });
  performance.mark("python", { detail: { way, reason } });
  if (reason) console.info(`Python starts the ordinary way: ${reason}`);
}
