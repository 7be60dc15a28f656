// Stores the page for visits without a network, all files of one version together. tools/build/worker.py makes the
// site's service-worker.js of this, with the list of files and compressed.js. Requests for anything else (tokens, tickets,
// the WebSocket, other origins) go to the network unchanged.
//
// Each version has its own cache. It is filled while the previous version is in use, each file is checked against the
// build's SHA-256, and it takes over when a page asks for it or no page of the previous version is open. A cache is deleted
// when no page uses its version. Pages and workers of different versions exchange the messages "version", "activate",
// "keep" and "intercepted": they must not change.
const BUILD = null;

const SCOPE = new URL("./", location).href;
const FAMILY = `kizuna ${SCOPE} `; // caches belong to the origin, which may have several copies of the page
const MINE = FAMILY + BUILD.version;
const SETTINGS = `${FAMILY}settings`; // outlives the versions
// In milliseconds. How long to wait for the host's configuration before the stored one is used.
const CONFIG_TIMEOUT = 3000;
// In milliseconds, and in attempts. After so long, and so many incomplete versions, the stored version is given up.
const REFUSAL_PERIOD = 86_400_000;
const MAX_REFUSALS = 3;
// In milliseconds. A page that does not say its version within this may use any.
const ANSWER_TIMEOUT = 10_000;

const address = (path) => new URL(path, SCOPE).href;
const isHashed = (url) => url.startsWith(address("assets/")); // the name contains a hash of the content
const digests = new Map(
  Object.entries({ ...BUILD.files, ...BUILD.ways.snapshot, ...BUILD.ways.ordinary, ...BUILD.ways.demo }).map(([path, digest]) => [address(path), digest]),
);
const pages = [SCOPE, address("index.html")];
const config = address(BUILD.config);
const intercepted = address("?intercepted"); // in SETTINGS: the next visit asks the host for the page
const refused = address("?refused"); // in SETTINGS: since when the host's versions were incomplete, and how often

// The host answered, but not with a file of this version.
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

// --- storing ---

// If it fails, the previous version stays in use, and the browser tries again at a later visit.
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
  // If the previous version could start without a network, so can this one.
  const way = ["snapshot", "ordinary"].find(await wasKept());
  if (way) await putAll(cache, Object.keys(BUILD.ways[way]).map(address));
  await putConfig();
}

// Give up after repeated refusals; else the old version would be shown for ever, for example if the host modifies files.
async function noteRefusal() {
  const settings = await caches.open(SETTINGS);
  const { since, count } = (await (await settings.match(refused))?.json()) ?? { since: Date.now(), count: 0 };
  await settings.put(refused, Response.json({ since, count: count + 1 }));
  if (count + 1 < MAX_REFUSALS || Date.now() - since < REFUSAL_PERIOD) return;
  for (const name of [...(await others()), MINE, SETTINGS]) await caches.delete(name);
  void registration.unregister(); // takes effect at the end of this installation
}

// Store what one way of starting needs ("snapshot" or "ordinary"), or the demo, and everything that is missing: the browser, or a page
// that unregistered this worker, may have deleted it.
async function keep(way) {
  const cache = await caches.open(MINE);
  await putAll(cache, Object.keys({ ...BUILD.files, ...BUILD.ways[way] }).map(address));
  if (await cache.match(SCOPE, { ignoreVary: true })) return;
  await putPage(cache).catch(() => {}); // the host may have the next version by now
  await putConfig();
}

// Whether a way of starting was stored for an earlier version, whose file names differ only in the hash.
async function wasKept() {
  const stem = (url) => url.replace(/\.[0-9a-f]{10}\./, ".");
  const stems = new Set();
  for (const name of await others())
    for (const { url } of await (await caches.open(name)).keys()) stems.add(stem(url));
  return (way) => Object.keys(BUILD.ways[way]).every((path) => stems.has(stem(address(path))));
}

// One after the other, so that the chat's own traffic is not delayed.
async function putAll(cache, urls) {
  for (const url of urls)
    if (!(await cache.match(url, { ignoreVary: true }))) await cache.put(url, (isHashed(url) && (await found(url))) || (await checked(url)));
}

// Fetch a file and check its SHA-256. The first visit left most files in the browser's cache; a wrong one there is fetched
// from the host again.
async function checked(url) {
  let trouble;
  for (const cache of isHashed(url) ? ["default", "reload"] : ["no-cache"]) {
    const { response } = await askCompressed(url, { cache, priority: "low" });
    trouble = new (isServerError(response) ? Error : Refusal)(`${url}: HTTP ${response.status}`);
    if (!response.ok) continue;
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await response.clone().arrayBuffer()));
    if (Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === digests.get(url)) return response;
    trouble = new Refusal(`${url} is not the file of version ${BUILD.version}`);
  }
  throw trouble;
}

// The host is in trouble, which says nothing about its version.
function isServerError({ status }) {
  return status >= 500 || status === 429;
}

// Some hosts add to pages, so the page is recognised by its version and not by a hash.
async function putPage(cache) {
  const response = await fetch(SCOPE, { cache: "no-cache" });
  const text = await response.clone().text();
  if (isServerError(response)) throw new Error(`${SCOPE}: HTTP ${response.status}`);
  if (!response.ok || response.redirected || !text.includes(`"version":"${BUILD.version}"`) || !text.includes("</html>"))
    throw new Refusal(`${SCOPE} is not the page of version ${BUILD.version}`);
  await cache.put(SCOPE, response);
}

// On a phone the page's notifications are given by this worker.
addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(clients.matchAll({ type: "window" }).then(([page]) => page?.focus()));
});

// --- answering ---

// Behind a sign-in gate, only a request to the host leads to the gate's form.
async function visited(request) {
  const isIntercepted = await forgetInterception().catch(() => false);
  return (isIntercepted && (await fetch(request).catch(() => null))) || kept(SCOPE, request);
}

async function forgetInterception() {
  return (await caches.has(SETTINGS)) && (await caches.open(SETTINGS)).delete(intercepted);
}

async function kept(url, request) {
  return (await found(url).catch(() => {})) ?? fetch(request); // the browser may have deleted the file
}

// Look in this version's cache; a page of another version, open until it is reloaded, finds its files in its own cache.
async function found(url) {
  const names = isHashed(url) ? [MINE, ...(await others())] : [MINE];
  for (const cacheName of names) {
    const response = await caches.match(url, { cacheName, ignoreVary: true });
    if (response) return response;
  }
}

// The host's configuration, or the stored one if the host cannot be reached.
async function configuration(event) {
  const answer = fetch(event.request);
  const isMeant = answer.then(remembered);
  event.waitUntil(isMeant.catch(() => {})); // a late one is used at the next visit
  const last = await caches.match(config, { cacheName: SETTINGS, ignoreVary: true }).catch(() => {});
  if (!last) return answer;
  const late = new Promise((resolve) => setTimeout(resolve, CONFIG_TIMEOUT, last));
  return Promise.race([isMeant.then((meant) => (meant ? answer : last), () => last), late]);
}

async function putConfig() {
  if (!(await caches.match(config, { cacheName: SETTINGS, ignoreVary: true }))) await remembered(await fetch(config, { cache: "no-cache" }));
}

// Whether the answer is the host's own: a configuration, which is stored, or that there is none.
async function remembered(response) {
  const copy = response.clone(); // before it is read
  const isGood = response.ok && (await response.clone().json().then(() => true, () => false));
  if (isGood) await caches.open(SETTINGS).then((cache) => cache.put(config, copy)).catch(() => {}); // the disk may be full
  return isGood || [404, 410].includes(response.status);
}

// --- deleting ---

async function others() {
  const names = await caches.keys();
  return names.filter((name) => name.startsWith(FAMILY) && name !== MINE && name !== SETTINGS);
}

// A page that does not answer may still be starting from files of any version, or be closing.
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
  if (isNextComing()) return true; // meanwhile
  for (const name of old) if (!versions.includes(name.slice(FAMILY.length))) await caches.delete(name);
  return true;
}

function versionOf(client) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
    setTimeout(resolve, ANSWER_TIMEOUT);
    client.postMessage({ type: "version" }, [port2]);
  });
}
