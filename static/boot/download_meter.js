// Counts the bytes that are downloaded while Python starts, for the progress bar.
//
// Pyodide fetches its own files, so `fetch` is wrapped and a clone of each response is counted. The response itself stays
// unchanged: WebAssembly needs its Content-Type.
import { ask, askCompressed } from "./compressed.js";

// The usual ratio of compressed to plain size of the build's files, for hosts that compress and send no Content-Length.
const COMPRESSED = 0.3;

export class DownloadMeter {
  #sizes;
  #expected = [];
  #early = new Map(); // address -> promise of the response
  #sources = new Map(); // address -> { address: the one fetched, type: its Content-Type }
  #answers = new Map(); // address -> { arrived, total }, in transferred bytes
  // If this file comes from the cache, so do the others, and there is no download to show.
  #isCounted = !comesFromCache(import.meta.url);

  // `sizes`: address -> uncompressed bytes, for each file to count.
  constructor(sizes) {
    this.#sizes = sizes;
  }

  // Fetch now what will be requested later.
  begin(url) {
    const answer = this.#get(url);
    answer.catch(() => {}); // reported to the one who requests it
    this.#early.set(url, answer);
  }

  // Run `work` and count what it fetches. `expected`: addresses that it is known to fetch; the total is unknown until all
  // of them have responded.
  async during(expected, work) {
    this.#expected = expected;
    globalThis.fetch = (resource, options) => this.#fetch(resource, options);
    try {
      return await work();
    } finally {
      globalThis.fetch = ask;
    }
  }

  // Whether a file is downloaded completely, by the browser's performance timeline.
  hasBrought(url) {
    return performance.getEntriesByName(this.#sources.get(url)?.address ?? url, "resource").length > 0;
  }

  // The Content-Type with which a file was sent.
  typeOf(url) {
    return this.#sources.get(url)?.type;
  }

  #fetch(resource, options) {
    const url = String(resource.url ?? resource);
    if (!(url in this.#sizes)) return ask(resource, options);
    const early = this.#early.get(url);
    this.#early.delete(url); // a response can be read only once
    return early ?? this.#get(url, options);
  }

  async #get(url, options) {
    const { response, address, length } = await askCompressed(url, options);
    this.#sources.set(url, { address, type: response.headers.get("Content-Type") });
    if (response.ok && this.#isCounted) void this.#count(url, response.clone(), length);
    return response;
  }

  // Content-Length counts transferred bytes, the chunks read are uncompressed.
  async #count(url, copy, length) {
    const size = this.#sizes[url];
    const share = copy.headers.has("Content-Encoding") ? COMPRESSED : 1;
    const answer = { arrived: 0, total: length ?? share * size };
    this.#answers.set(url, answer);
    let read = 0;
    for await (const chunk of chunksOf(copy)) {
      read += chunk.length;
      answer.arrived = answer.total * Math.min(1, read / size);
      if (this.#expected.length && this.#expected.every((address) => this.#answers.has(address))) this.#report();
    }
  }

  // boot.js shows the progress.
  #report() {
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
    // The reader of the response itself gets the same error and reports it.
  }
}

function comesFromCache(address) {
  const [entry] = performance.getEntriesByName(address, "resource");
  return entry?.transferSize === 0;
}
