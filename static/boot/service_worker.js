// Keeps the page for visits without a network, all files of one version together. tools/build/worker.py makes the
// site's service-worker.js of this, with the list of files and compressed.js; what is not in the list is left to the
// browser, whatever it is: tokens, tickets, the WebSocket, other origins.
//
// A version has a cache of its own. It is filled while the one before goes on, file by file checked against the build's
// SHA-256, and takes over when a page says so, or when no page of the one before is open. Old caches go when no page
// uses them any more. The messages between page and worker ("version", "activate", "keep", "intercepted") join different versions of
// both: they stay as they are.
const BUILD = null;

const SCOPE = new URL("./", location).href;
const FAMILY = `kizuna ${SCOPE} `; // caches belong to the origin, and another copy of the page may lie beside this one
const MINE = FAMILY + BUILD.version;
const SETTINGS = `${FAMILY}settings`; // outlives the versions
// In milliseconds. What a host that is there may take for its few bytes of configuration.
const CONFIG_PATIENCE = 3000;
// In milliseconds, and in attempts. A host that has new versions, but for so long none that is whole, is believed at last.
const REFUSAL_PATIENCE = 86_400_000;
const REFUSALS = 3;
// In milliseconds. A page that does not say its version within this may need any.
const ANSWER_PATIENCE = 10_000;

const address = (path) => new URL(path, SCOPE).href;
const isHashed = (url) => url.startsWith(address("assets/")); // the same name is the same content
const digests = new Map(
  Object.entries({ ...BUILD.files, ...BUILD.ways.snapshot, ...BUILD.ways.ordinary }).map(([path, digest]) => [address(path), digest]),
);
const pages = [SCOPE, address("index.html")];
const config = address(BUILD.config);
const intercepted = address("?intercepted"); // among the settings: the next visit asks the host for the page
const refused = address("?refused"); // among the settings: since when the host's versions were not whole, and how often

// The host is there, but what it has is not this version.
class Refusal extends Error {}

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("message", (event) => {
  const { type, way } = event.data ?? {};
  if (type === "version") event.ports[0].postMessage(BUILD.version);
  if (type === "activate") skipWaiting();
  if (type === "intercepted") event.waitUntil(caches.open(SETTINGS).then((settings) => settings.put(intercepted, new Response())));
  if (type === "keep") event.waitUntil(keep(way).then(clean));
});
addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  if (method !== "GET") return;
  if (mode === "navigate") {
    if (pages.includes(url.replace(/[?#].*/s, ""))) event.respondWith(visited(event.request));
  } else if (url === config) event.respondWith(configuration(event));
  else if (isHashed(url) || digests.has(url)) event.respondWith(kept(url, event.request));
});

// --- what is kept ---

// What fails here leaves the version before as it is; the browser tries again at a later visit.
async function install() {
  try {
    await fill();
  } catch (error) {
    if (error instanceof Refusal) await noteRefusal();
    throw error;
  }
  await (await caches.open(SETTINGS)).delete(refused);
}

async function fill() {
  const cache = await caches.open(MINE);
  await putPage(cache);
  await putAll(cache, Object.keys(BUILD.files).map(address));
  // Who could start from the version before can start from this one as well, without a network.
  const way = ["snapshot", "ordinary"].find(await wasKept());
  if (way) await putAll(cache, Object.keys(BUILD.ways[way]).map(address));
  await putConfig();
}

// Else somebody would see the version before for ever: say, because the host now changes what it sends.
async function noteRefusal() {
  const settings = await caches.open(SETTINGS);
  const { since, count } = (await (await settings.match(refused))?.json()) ?? { since: Date.now(), count: 0 };
  await settings.put(refused, Response.json({ since, count: count + 1 }));
  if (count + 1 < REFUSALS || Date.now() - since < REFUSAL_PATIENCE) return;
  for (const name of [...(await others()), MINE, SETTINGS]) await caches.delete(name);
  void registration.unregister(); // which waits for the end of this installation
}

// What one way of starting needs: "snapshot" or "ordinary". And whatever the browser may have dropped, or a page that gave
// this worker up, while another page still had it.
async function keep(way) {
  const cache = await caches.open(MINE);
  await putAll(cache, Object.keys({ ...BUILD.files, ...BUILD.ways[way] }).map(address));
  if (await cache.match(SCOPE, { ignoreVary: true })) return;
  await putPage(cache).catch(() => {}); // the host may have the next version by now
  await putConfig();
}

// Files of another version differ in the ten digits of their names.
async function wasKept() {
  const stem = (url) => url.replace(/\.[0-9a-f]{10}\./, ".");
  const stems = new Set();
  for (const name of await others())
    for (const { url } of await (await caches.open(name)).keys()) stems.add(stem(url));
  return (way) => Object.keys(BUILD.ways[way]).every((path) => stems.has(stem(address(path))));
}

// One after the other: the chat goes first.
async function putAll(cache, urls) {
  for (const url of urls)
    if (!(await cache.match(url, { ignoreVary: true }))) await cache.put(url, (isHashed(url) && (await found(url))) || (await checked(url)));
}

// A file as the build made it. The first visit left most of them in the browser's own cache; what is wrong there is asked
// of the host again.
async function checked(url) {
  let trouble;
  for (const cache of isHashed(url) ? ["default", "reload"] : ["no-cache"]) {
    const { response } = await askCompressed(url, { cache, priority: "low" });
    trouble = new (isIll(response) ? Error : Refusal)(`${url}: HTTP ${response.status}`);
    if (!response.ok) continue;
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await response.clone().arrayBuffer()));
    if (Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === digests.get(url)) return response;
    trouble = new Refusal(`${url} is not the file of version ${BUILD.version}`);
  }
  throw trouble;
}

// That says nothing of the version.
function isIll({ status }) {
  return status >= 500 || status === 429;
}

// Hosts add to pages, so this one is known by the version that it names.
async function putPage(cache) {
  const response = await fetch(SCOPE, { cache: "no-cache" });
  const text = await response.clone().text();
  if (isIll(response)) throw new Error(`${SCOPE}: HTTP ${response.status}`);
  if (!response.ok || response.redirected || !text.includes(`"version":"${BUILD.version}"`) || !text.includes("</html>"))
    throw new Refusal(`${SCOPE} is not the page of version ${BUILD.version}`);
  await cache.put(SCOPE, response);
}

// --- what is given ---

// Where a sign-in gate stands before the host, only a page that the gate sees asked for brings anybody to its form.
async function visited(request) {
  const isIntercepted = await forgetInterception().catch(() => false);
  return (isIntercepted && (await fetch(request).catch(() => null))) || kept(SCOPE, request);
}

async function forgetInterception() {
  return (await caches.has(SETTINGS)) && (await caches.open(SETTINGS)).delete(intercepted);
}

async function kept(url, request) {
  return (await found(url).catch(() => {})) ?? fetch(request); // a browser may have lost what it keeps
}

// In this version's cache. A page of another version, which runs until it is loaded again, finds its files in its own.
async function found(url) {
  const names = isHashed(url) ? [MINE, ...(await others())] : [MINE];
  for (const cacheName of names) {
    const response = await caches.match(url, { cacheName, ignoreVary: true });
    if (response) return response;
  }
}

// As the host has it now; where it cannot be reached, as it was last time.
async function configuration(event) {
  const answer = fetch(event.request);
  const isMeant = answer.then(remembered);
  event.waitUntil(isMeant.catch(() => {})); // one that comes too late counts for the next visit
  const last = await caches.match(config, { cacheName: SETTINGS, ignoreVary: true }).catch(() => {});
  if (!last) return answer;
  const late = new Promise((resolve) => setTimeout(resolve, CONFIG_PATIENCE, last));
  return Promise.race([isMeant.then((meant) => (meant ? answer : last), () => last), late]);
}

async function putConfig() {
  if (!(await caches.match(config, { cacheName: SETTINGS, ignoreVary: true }))) await remembered(await fetch(config, { cache: "no-cache" }));
}

// Whether the host means what it answers: a configuration, which is kept, or that there is none.
async function remembered(response) {
  const copy = response.clone(); // before anybody reads it
  const isGood = response.ok && (await response.clone().json().then(() => true, () => false));
  if (isGood) await caches.open(SETTINGS).then((cache) => cache.put(config, copy)).catch(() => {}); // perhaps there is no room
  return isGood || [404, 410].includes(response.status);
}

// --- what goes ---

async function others() {
  const names = await caches.keys();
  return names.filter((name) => name.startsWith(FAMILY) && name !== MINE && name !== SETTINGS);
}

// A page that gives no answer may still be starting, from files of any version, or be on its way out.
async function clean() {
  for (let attempts = 3; attempts; attempts -= 1) if (await isClean()) return;
}

async function isClean() {
  const isNextComing = () => registration.installing || registration.waiting;
  const old = await others();
  if (!old.length || isNextComing()) return true;
  const open = await clients.matchAll({ type: "window", includeUncontrolled: true });
  const versions = await Promise.all(open.filter(({ url }) => pages.includes(url.replace(/[?#].*/s, ""))).map(versionOf));
  if (versions.includes(undefined)) return false;
  if (isNextComing()) return true; // by now
  for (const name of old) if (!versions.includes(name.slice(FAMILY.length))) await caches.delete(name);
  return true;
}

function versionOf(client) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
    setTimeout(resolve, ANSWER_PATIENCE);
    client.postMessage({ type: "version" }, [port2]);
  });
}
