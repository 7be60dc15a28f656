// Fetches a file of the build compressed. Some hosts compress nothing, or not all types (docs/hosting.md): from them the
// file's .gz is fetched as data and unpacked here. tools/build/worker.py also copies this into the service worker.

// In bytes. For smaller files a second request costs more than it saves.
const MIN_BYTES = 100_000;

// The original fetch, before download_meter.js wraps it.
export const ask = globalThis.fetch.bind(globalThis);

// Returns the response, the `address` that it was fetched from, and `length`, the transferred bytes (undefined: unknown).
export async function askCompressed(url, options) {
  const plain = await ask(url, options);
  if (isBare(plain)) {
    const address = `${url}.gz`;
    const packed = await ask(address, options).catch(() => {});
    const body = packed?.ok && (await unpacked(packed));
    if (body) {
      plain.body.cancel().catch(() => {});
      const headers = { "Content-Type": plain.headers.get("Content-Type") ?? "" };
      return { response: new Response(body, { headers }), address, length: lengthOf(packed) };
    }
  }
  return { response: plain, address: url, length: lengthOf(plain) };
}

function isBare({ ok, headers }) {
  return ok && !headers.has("Content-Encoding") && lengthOf({ headers }) >= MIN_BYTES;
}

// The content of a .gz. Some hosts send it as a file, some with Content-Encoding, so that the browser has unpacked it
// already: the first bytes show which. Returns undefined for anything else, such as an HTML page sent for every address.
async function unpacked({ body, headers }) {
  const reader = body.getReader();
  const first = await reader.read().catch(() => ({ done: true }));
  const rest = new ReadableStream({
    start: (controller) => (first.done ? controller.close() : controller.enqueue(first.value)),
    pull: async (controller) => {
      const { done, value } = await reader.read();
      return done ? controller.close() : controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  if (first.value?.[0] === 0x1f && first.value[1] === 0x8b) return rest.pipeThrough(new DecompressionStream("gzip"));
  if (!first.done && headers.has("Content-Encoding") && !headers.get("Content-Type")?.includes("html")) return rest;
  rest.cancel().catch(() => {});
}

function lengthOf({ headers }) {
  return Number(headers.get("Content-Length")) || undefined;
}
