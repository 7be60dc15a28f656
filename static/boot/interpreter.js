// Starts Python in the built page (tools/build/site.py); the page of the source tree does not use it. PyScript loads this
// module in place of Pyodide's own: it imports `version`, and calls `loadPyodide` when it is ready. The start does not
// wait for that call.
//
// There are two ways to start. From a snapshot of memory, with the program and its library loaded: the quicker start and
// the larger download. Or the ordinary way, from archives of the library and the program; also when the snapshot is
// missing, truncated or damaged, or does not load in this browser. html[data-start] says which way was taken,
// html[data-start-reason] why it was the ordinary one; both are also in the performance timeline as the mark "python".
import { askCompressed } from "./compressed.js";
import { DownloadMeter } from "./download_meter.js";

const files = JSON.parse(document.getElementById("start-files").textContent);
const address = (path) => new URL(path, document.baseURI).href;

// In milliseconds. Once its files are downloaded, Python takes less than a second to start (docs/benchmarks.md).
const START_TIMEOUT = 4000;

const asked = new URLSearchParams(location.search).get("start"); // to compare the two ways
const meter = new DownloadMeter(Object.fromEntries(Object.entries(files.sizes).map(([path, size]) => [address(path), size])));

// Why this visit should take the small download, or "" for the larger one, which starts quicker or is already stored. This
// is the only place that decides. `connection`: navigator.connection, where the browser has it. The speed of the network
// is not measured: on a busy processor any network seems slow, and there the quicker start matters most
// (docs/benchmarks.md).
export async function reasonToSave(connection) {
  if (asked === "ordinary") return "the address asks for it";
  if (asked === "snapshot") return "";
  if (await isCached(files.snapshot)) return "";
  if (connection?.saveData) return "the browser asks to save data";
  if (/2g|3g/.test(connection?.effectiveType)) return `the browser calls the connection ${connection.effectiveType}`;
  return "";
}

// Whether the service worker that serves this page has stored the file.
async function isCached(path) {
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

// No top-level await: WebKit lets PyScript use this module before it has finished, and exports below an await are then
// missing (bug 242740).
export const version = files.pyodideVersion;

const starting = start(); // before the runtime is requested, so that both download at the same time
const runtime = import(`${settings.indexURL}pyodide.mjs`);
for (const promise of [starting, runtime]) promise.catch(() => {}); // reported to the caller of loadPyodide

export function loadPyodide({ stdout, stderr }) {
  output = { stdout: stdout ?? output.stdout, stderr: stderr ?? output.stderr };
  return starting;
}

async function start() {
  meter.begin(address(files.wasm)); // needed by both ways
  const saving = await reasonToSave(navigator.connection);
  if (saving) document.documentElement.dataset.startSaves = ""; // updates.js downloads the snapshot for later visits
  const expected = [files.wasm, saving ? files.library : files.snapshot].map(address);
  const work = meter.during(expected, async () => {
    if (saving) return ordinary(saving);
    try {
      return await fromSnapshot();
    } catch (error) {
      return ordinary(String(error?.message ?? error));
    }
  });
  return Promise.race([work, checkWasm(work)]);
}

// Pyodide waits for ever for WebAssembly that is truncated, damaged or sent with a wrong type. So the file is checked when
// it has been downloaded for a while and Python has not started.
async function checkWasm(work) {
  const wasm = address(files.wasm);
  const ended = work.then(() => true, () => true);
  const hasEndedWithin = (milliseconds) => Promise.race([ended, pause(milliseconds)]);
  do {
    if (await hasEndedWithin(START_TIMEOUT)) return work;
  } while (!meter.hasBrought(wasm));
  const type = meter.typeOf(wasm);
  if (type && !type.startsWith("application/wasm")) throw new Error(`${files.wasm} is sent as ${type}, not as application/wasm`);
  const { response } = await askCompressed(wasm, { cache: "force-cache" }).catch(() => ({}));
  const bytes = await response?.arrayBuffer().catch(() => {});
  if (bytes) checkSize(files.wasm, bytes);
  if (bytes && !WebAssembly.validate(bytes)) throw new Error(`${files.wasm} is damaged`);
  return work; // the start is only slow
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// Pyodide needs the memory first, but only its size. So it gets empty memory and prepares itself during the download;
// before it reads the memory it waits for `fsInit`.
async function fromSnapshot() {
  const memory = new Uint8Array(files.memory.size);
  const filled = download(files.snapshot).then(checkIntact).then((bytes) => fill(memory, bytes));
  const never = new Promise(() => {}); // Python cannot run without its memory
  const fsInit = () => filled.catch(() => never);
  // Every module of the library is loaded in the snapshot, so an empty archive replaces the library.
  const loading = load({ stdLibURL: address(files.nothing), _loadSnapshot: memory, fsInit });
  const [pyodide] = await Promise.all([loading, filled]);
  pyodide.runPython("import kept_files; kept_files.write()");
  report("snapshot");
  return pyodide;
}

async function ordinary(reason) {
  const program = download(files.program);
  program.catch(() => {}); // awaited below, but it may fail before that
  const pyodide = await load({ stdLibURL: address(files.library) });
  pyodide.unpackArchive(await program, "zip");
  report("ordinary", reason);
  return pyodide;
}

async function load(options) {
  const { loadPyodide } = await runtime;
  return loadPyodide({ ...settings, ...options });
}

async function download(path) {
  const response = await fetch(address(path));
  if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`);
  return checkSize(path, await response.arrayBuffer());
}

function checkSize(path, bytes) {
  const size = files.sizes[path];
  if (bytes.byteLength !== size) throw new Error(`${path} has ${bytes.byteLength} bytes instead of ${size}`);
  return bytes;
}

// A snapshot with one wrong byte may load and fail at any later time. Adler-32 is enough against accidents; SHA-256 would
// take a tenth of the start and exists on https only.
function checkIntact(bytes) {
  const found = adler32(new Uint8Array(bytes));
  if (found !== files.checksum) throw new Error(`${files.snapshot} is damaged: its Adler-32 is ${found}`);
  return bytes;
}

function adler32(bytes) {
  const block = 3800; // bytes after which the sums still fit into JavaScript's fast integers
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

// The snapshot contains only the parts of the memory that are not empty.
function fill(memory, bytes) {
  let position = 0;
  for (const [start, length] of files.memory.stretches) {
    memory.set(new Uint8Array(bytes, position, length), start);
    position += length;
  }
}

function report(way, reason = "") {
  Object.assign(document.documentElement.dataset, { start: way, startReason: reason });
  performance.mark("python", { detail: { way, reason } });
  if (reason) console.info(`Python starts the ordinary way: ${reason}`);
}
