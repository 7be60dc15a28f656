// The line to the host while Python starts: what is fetched over it is counted, which tells how far the start is, and
// how fast the line.
//
// Pyodide fetches its own files, so what it asks for is counted on the way: a second reader of the same answer. The answer
// itself goes on untouched, with its type, which WebAssembly insists on.
import { ask, askCompressed } from "./compressed.js";

// In bytes, of what travels. The first come slowly on any line, as TCP tries how much it takes: they count only where
// they tell enough by themselves.
const FIRST = 96 * 1024;
const MEASURED = 192 * 1024;
const TELLING = 64 * 1024;
// In milliseconds. For less long whatever else the page does at the same time would be measured.
const SPAN = 150;
// In milliseconds. From the first byte on: so much longer takes a line of 2.4 Mbit/s or less. And until the first byte.
const PATIENCE = 1000;
const PATIENCE_AT_FIRST = 3000;

// What the build's files come to by brotli or gzip, where a host that compresses them does not say.
const COMPRESSED = 0.3;

export class Line {
  #sizes;
  #expected = [];
  #early = new Map(); // address -> promise of the answer
  #sources = new Map(); // address -> { address: where it is from, type: the host's Content-Type }
  #answers = new Map(); // address -> { arrived, total }, in bytes that travel
  #arrived; // called with the sum of it
  // Whoever has this file has the others, and nothing to wait for; but for a new build where no service worker is.
  #isCounted = !comesFromCache(import.meta.url);

  // `sizes`: address -> bytes, uncompressed, of all files that are to be counted.
  constructor(sizes) {
    this.#sizes = sizes;
  }

  // Fetch now what somebody will ask for later.
  begin(url) {
    const answer = this.#get(url);
    answer.catch(() => {}); // whoever asks learns of it
    this.#early.set(url, answer);
  }

  // The Mbit/s at which files arrive. To be asked once, while the first one does. `plenty`: who finds that need not look
  // any longer.
  speed(plenty) {
    if (!this.#isCounted) return Promise.resolve(Infinity);
    return new Promise((resolve) => {
      let first, later;
      const moment = (bytes) => ({ bytes, at: performance.now() });
      const since = (start, bytes) => ((bytes - start.bytes) * 8) / 1000 / Math.max(performance.now() - start.at, 1);
      const tell = (speed) => {
        this.#arrived = undefined;
        clearTimeout(timer);
        resolve(speed);
      };
      let timer = setTimeout(tell, PATIENCE_AT_FIRST, 0);
      this.#arrived = (bytes) => {
        if (!first) {
          first = moment(bytes);
          clearTimeout(timer);
          timer = setTimeout(() => tell(since(first, this.#sum("arrived"))), PATIENCE);
        }
        if (bytes >= FIRST) later ??= moment(bytes);
        if (bytes - first.bytes >= TELLING && since(first, bytes) >= plenty) tell(since(first, bytes));
        else if (later && bytes - later.bytes >= MEASURED && performance.now() - later.at >= SPAN) tell(since(later, bytes));
      };
    });
  }

  // Do `work`, and count what it fetches. `expected`: the addresses that it surely asks for, before whose answers the
  // total is not known.
  async during(expected, work) {
    this.#expected = expected;
    globalThis.fetch = (resource, options) => this.#fetch(resource, options);
    try {
      return await work();
    } finally {
      globalThis.fetch = ask;
    }
  }

  // Whether all of a file is here, as the browser's timeline has it.
  hasBrought(url) {
    return performance.getEntriesByName(this.#sources.get(url)?.address ?? url, "resource").length > 0;
  }

  // What the host said that a file is.
  typeOf(url) {
    return this.#sources.get(url)?.type;
  }

  #fetch(resource, options) {
    const url = String(resource.url ?? resource);
    if (!(url in this.#sizes)) return ask(resource, options);
    const early = this.#early.get(url);
    this.#early.delete(url); // an answer is read once
    return early ?? this.#get(url, options);
  }

  async #get(url, options) {
    const { response, address, length } = await askCompressed(url, options);
    this.#sources.set(url, { address, type: response.headers.get("Content-Type") });
    if (response.ok && this.#isCounted) void this.#count(url, response.clone(), length);
    return response;
  }

  // What travels is what the host says, compressed or not; what is read is not compressed.
  async #count(url, copy, length) {
    const size = this.#sizes[url];
    const share = copy.headers.has("Content-Encoding") ? COMPRESSED : 1;
    const answer = { arrived: 0, total: length ?? share * size };
    this.#answers.set(url, answer);
    let read = 0;
    for await (const chunk of chunksOf(copy)) {
      read += chunk.length;
      answer.arrived = answer.total * Math.min(1, read / size);
      this.#arrived?.(this.#sum("arrived"));
      if (this.#expected.length && this.#expected.every((address) => this.#answers.has(address))) this.#tell();
    }
  }

  // boot.js shows it.
  #tell() {
    const [arrived, total] = [this.#sum("arrived"), this.#sum("total")];
    dispatchEvent(new CustomEvent("python:bytes", { detail: { arrived, total } }));
  }

  #sum(key) {
    return Math.round([...this.#answers.values()].reduce((all, answer) => all + answer[key], 0));
  }
}

async function* chunksOf(response) {
  const reader = response.body.getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } catch {
    // Whoever reads the answer itself has the same trouble, and tells it.
  }
}

function comesFromCache(address) {
  const [entry] = performance.getEntriesByName(address, "resource");
  return entry?.transferSize === 0;
}
