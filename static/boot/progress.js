// Tells the page how many bytes of the start have arrived: the event "python:bytes" with { arrived, total }, as they
// travel. boot.js shows them.
//
// Pyodide fetches its own files, so what it asks for is counted on the way: a second reader of the same answer. The answer
// itself goes on untouched, with its address and type, which WebAssembly insists on.

// `sizes`: address -> bytes, uncompressed. Counts what `work` fetches of these until it is done; `expected`: the
// addresses that it surely asks for, before whose answers the total is not known.
export async function counted(sizes, expected, work) {
  if (comesFromCache(import.meta.url)) return work(); // then so does the rest, and there is nothing to wait for
  const answers = new Map(); // address -> { arrived, total }
  const original = globalThis.fetch;
  globalThis.fetch = async (resource, options) => {
    const response = await original(resource, options);
    const size = sizes[response.url];
    if (response.ok && size) void count(response, size, answers, expected);
    return response;
  };
  try {
    return await work();
  } finally {
    globalThis.fetch = original;
  }
}

async function count(response, size, answers, expected) {
  // What travels is what Content-Length says, compressed or not; what is read is not compressed.
  const total = Number(response.headers.get("Content-Length")) || size;
  const answer = { arrived: 0, total };
  answers.set(response.url, answer);
  let read = 0;
  for await (const chunk of chunksOf(response.clone())) {
    read += chunk.length;
    answer.arrived = total * Math.min(1, read / size);
    if (expected.every((address) => answers.has(address))) tell([...answers.values()]);
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

function tell(answers) {
  const sum = (key) => Math.round(answers.reduce((all, answer) => all + answer[key], 0));
  dispatchEvent(new CustomEvent("python:bytes", { detail: { arrived: sum("arrived"), total: sum("total") } }));
}

function comesFromCache(address) {
  const [entry] = performance.getEntriesByName(address, "resource");
  return entry?.transferSize === 0;
}
