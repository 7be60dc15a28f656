// Fetches a file of the build in a compressed form, whatever its host does. Some hosts compress nothing, others not all
// types (docs/hosting.md): from them the file's .gz is fetched as data, and unpacked here. tools/build_worker.py puts
// this into the service worker, too.

// In bytes. Below it a second question costs more than it saves.
const WORTH_ASKING = 100_000;

// Whoever replaces it later wants to come here first.
export const ask = globalThis.fetch.bind(globalThis);

// The answer; `address`, where it is from; `length`, the bytes that travel for it, if the host says so.
export async function askCompressed(url, options) {
  const plain = await ask(url, options);
  if (!isBare(plain)) return { response: plain, address: url, length: lengthOf(plain) };
  const address = `${url}.gz`;
  const packed = await ask(address, options).catch(() => {});
  if (!packed?.ok) return { response: plain, address: url, length: lengthOf(plain) };
  plain.body.cancel().catch(() => {});
  // Hosts that know .gz as an encoding, and not as a type, let the browser unpack it.
  const body = packed.headers.has("Content-Encoding") ? packed.body : packed.body.pipeThrough(new DecompressionStream("gzip"));
  const headers = { "Content-Type": plain.headers.get("Content-Type") ?? "" };
  return { response: new Response(body, { headers }), address, length: lengthOf(packed) };
}

function isBare({ ok, headers }) {
  return ok && !headers.has("Content-Encoding") && Number(headers.get("Content-Length")) >= WORTH_ASKING;
}

function lengthOf({ headers }) {
  return Number(headers.get("Content-Length")) || undefined;
}
