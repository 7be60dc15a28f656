// Fetches a file of the build in a compressed form, whatever its host does. Some hosts compress nothing, others not all
// types (docs/hosting.md): from them the file's .gz is fetched as data, and unpacked here. tools/build/worker.py puts
// this into the service worker, too.

// In bytes. Below it a second question costs more than it saves.
const WORTH_ASKING = 100_000;

// Whoever replaces it later wants to come here first.
export const ask = globalThis.fetch.bind(globalThis);

// The answer; `address`, where it is from; `length`, the bytes that travel for it, if the host says so.
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
  return ok && !headers.has("Content-Encoding") && lengthOf({ headers }) >= WORTH_ASKING;
}

// The content of a .gz. Some hosts send it as a file, some as an encoding, so that the browser has unpacked it, or not:
// what it begins with tells. Nothing, if it is something else: some hosts say the same to every address.
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
