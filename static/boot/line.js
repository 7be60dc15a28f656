// The line to the host while Python starts: what is fetched over it is counted, which tells how far the start is.
//
// Pyodide fetches its own files, so what it asks for is counted on the way: a second reader of the same answer. The answer
// itself goes on untouched, with its type, which WebAssembly insists on.
import { ask, askCompressed } from "./compressed.js";

// What the build's files come to by brotli or gzip, where a host that compresses them does not say.
const COMPRESSED = 0.3;

export class Line {
  #sizes;
  #expected = [];
  #early = new Map(); // address -> promise of the answer
  #sources = new Map(); // address -> { address: where it is from, type: the host's Content-Type }
  #answers = new Map(); // address -> { arrived, total }, in bytes that travel
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
