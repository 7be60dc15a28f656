// Keeps the built page up to date and able to start without a network, through the service worker (service_worker.js).
// boot.js loads this when the page is live or has failed, so that it does not slow the start down.
const root = document.documentElement;
const files = JSON.parse(document.getElementById("start-files")?.textContent ?? "null");
const workers = navigator.serviceWorker; // undefined on http (but for localhost) and in some private windows
const here = new URL("./", document.baseURI).href;
const script = `${here}service-worker.js`;
// The Content-Security-Policy requires Trusted Types; this is one of the two addresses that may be loaded as a script.
const trusted = globalThis.trustedTypes?.createPolicy("kizuna-updates", { createScriptURL: (url) => url });
const ANSWER_TIMEOUT = 10_000; // milliseconds; the worker that only unregisters itself does not answer
const CHECK_INTERVAL = 3_600_000; // milliseconds. The browser checks at each visit, but a chat stays open for days

const isLive = () => root.dataset.page === "live";

// The server does not support this version of the page.
document.getElementById("banner-reload")?.addEventListener("click", ({ currentTarget }) => {
  currentTarget.disabled = true;
  reloadNewest().catch(() => location.reload());
});

if (workers) {
  const work = !files ? unregister() : isLive() ? register() : repair();
  work.catch(report);
  // The page became live after a failure had been reported.
  if (files && !isLive())
    new MutationObserver((_, self) => {
      if (!isLive()) return;
      self.disconnect();
      register().catch(report);
    }).observe(root, { attributeFilter: ["data-page"] });
}

function report(error) {
  console.info(`The page is not stored for visits without a network: ${error}`);
}

// The page of the source tree has no service worker, so that a developer always sees the newest files.
async function unregister() {
  const registration = await workers.getRegistration(here);
  if (registration?.scope === here) await purge(registration);
}

// Register the service worker of a live page, and offer a reload when there is a newer version.
async function register() {
  const controller = workers.controller?.scriptURL === script ? workers.controller : null; // not one of a parent folder
  workers.addEventListener("message", ({ data, ports }) => {
    if (data?.type === "version") ports[0].postMessage(files.version);
  });
  const registration = await workers.register(trusted?.createScriptURL(script) ?? script);
  if (controller) isGone().then((gone) => gone && purge(registration).then(() => location.reload()), () => {});
  const watch = (worker) => onInstalled(worker, () => offer(registration));
  registration.addEventListener("updatefound", () => watch(registration.installing));
  for (const worker of [registration.installing, registration.waiting, controller]) watch(worker);
  // The configuration is the host's newest, but the Content-Security-Policy is this version's: if it blocks a new server,
  // only the next version can connect. A connected page has no reason to reload.
  const blocked = ({ effectiveDirective }) => {
    if (effectiveDirective !== "connect-src" || root.dataset.status === "connected" || !registration.waiting) return;
    removeEventListener("securitypolicyviolation", blocked);
    activate(registration);
  };
  addEventListener("securitypolicyviolation", blocked);
  setInterval(() => registration.update().catch(() => {}), CHECK_INTERVAL);
  const { active } = await workers.ready;
  active.postMessage({ type: "keep", way: root.dataset.start });
  if (root.dataset.demo !== undefined) active.postMessage({ type: "keep", way: "demo" });
  // This visit took the small download; store the snapshot, so that the next visit starts quicker.
  if (root.dataset.startSaves !== undefined && !navigator.connection?.saveData) active.postMessage({ type: "keep", way: "snapshot" });
}

// Call `then` once the worker is installed and has another version than this page, else `otherwise`.
function onInstalled(worker, then, otherwise = () => {}) {
  const check = async () => {
    const version = worker.state === "redundant" ? undefined : await versionOf(worker);
    if (version !== undefined && version !== files.version) then();
    else otherwise();
  };
  if (worker?.state === "installing") worker.addEventListener("statechange", check, { once: true });
  else if (worker) void check();
}

// Offer a reload. It loses nothing: unsent messages are in the browser's database, the text of the field is a stored draft.
function offer(registration) {
  const button = document.getElementById("update-reload");
  document.getElementById("update").hidden = false;
  root.dataset.update = "ready";
  button.onclick = () => {
    button.disabled = true;
    activate(registration);
  };
  document.getElementById("update-later").onclick = () => { document.getElementById("update").hidden = true; };
}

// Activate the new version and reload. Other tabs keep their version, and find its files, until they are reloaded.
function activate(registration) {
  const { waiting } = registration;
  if (!waiting) return location.reload();
  waiting.addEventListener("statechange", () => { // redundant: replaced by an even newer one
    if (["activated", "redundant"].includes(waiting.state)) location.reload();
  });
  waiting.postMessage({ type: "activate" });
}

// After a failed start, load a newer version if there is one. Else, if the host can be reached, the stored files must be
// damaged: delete them, so that Reload gets everything from the host.
async function repair() {
  const registration = await workers.getRegistration(here);
  if (registration?.scope !== here || !registration.active || !["network", "error", "config"].includes(root.dataset.cause)) return;
  const isForGood = await isGone(401, 403);
  if (isLive()) return;
  if (isForGood) {
    await purge(registration);
    return location.reload();
  }
  await upgrade(registration, async () => root.dataset.cause !== "config" && !isLive() && purge(registration));
}

// Reload from the host: the service worker would answer a plain reload with the stored version.
async function reloadNewest() {
  const registration = await workers?.getRegistration(here);
  if (registration?.scope !== here) return location.reload();
  await upgrade(registration, () => location.reload());
}

// Load the newer version if the host has one, else call `otherwise`. Fails without a network.
async function upgrade(registration, otherwise) {
  await registration.update();
  const newer = registration.installing ?? registration.waiting;
  if (newer) onInstalled(newer, () => activate(registration), otherwise);
  else await otherwise();
}

// Whether the host no longer has the service worker: it answers 404, or with something else than a script, since another
// site has taken its address (as on localhost). `refusals`: further status codes that mean the same.
async function isGone(...refusals) {
  for (const method of ["HEAD", "GET"]) { // some hosts support GET only
    const { ok, status, headers } = await fetch(script, { method, cache: "no-store" });
    const type = headers.get("Content-Type");
    const isOther = ok && type !== null && !type.includes("javascript");
    if (!isOther && ![404, 410, ...refusals].includes(status)) return false;
  }
  return true;
}

// Unregister the service worker and delete everything that it has stored.
async function purge(registration) {
  await registration.unregister();
  for (const name of await caches.keys()) if (name.startsWith(`kizuna ${here} `)) await caches.delete(name);
}

function versionOf(worker) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
    setTimeout(resolve, ANSWER_TIMEOUT);
    worker.postMessage({ type: "version" }, [port2]);
  });
}
