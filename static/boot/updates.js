// Keeps the built page up to date and able to start without a network, by the service worker (service_worker.js).
// boot.js loads this when the page is live, or has failed: until then every byte and every moment belongs to the start.
const root = document.documentElement;
const files = JSON.parse(document.getElementById("start-files")?.textContent ?? "null");
const workers = navigator.serviceWorker; // none on http, but for one's own machine; none in some private windows
const here = new URL("./", document.baseURI).href;
const script = `${here}service-worker.js`;
// The rules for content ask for Trusted Types; this is one of the two addresses that may become a script.
const trusted = globalThis.trustedTypes?.createPolicy("kizuna-updates", { createScriptURL: (url) => url });
const ANSWER_PATIENCE = 10_000; // milliseconds; the worker that ends all others gives no answer
const BETWEEN_CHECKS = 3_600_000; // milliseconds. At each visit the browser looks by itself; a chat stays open for days

const isLive = () => root.dataset.page === "live";

// The server has told this version of the page not to come back.
document.getElementById("banner-reload")?.addEventListener("click", ({ currentTarget }) => {
  currentTarget.disabled = true;
  renew().catch(() => location.reload());
});

if (workers) {
  const work = !files ? withdraw() : isLive() ? attend() : recover();
  work.catch(told);
  // What was taken for a failure was none, or is over: the page is kept like any other.
  if (files && !isLive())
    new MutationObserver((_, self) => {
      if (!isLive()) return;
      self.disconnect();
      attend().catch(told);
    }).observe(root, { attributeFilter: ["data-page"] });
}

function told(error) {
  console.info(`The page is not kept for visits without a network: ${error}`);
}

// The page of the source tree: whoever changes it wants to see what they changed.
async function withdraw() {
  const registration = await workers.getRegistration(here);
  if (registration?.scope === here) await forget(registration);
}

// The page is live.
async function attend() {
  const controller = workers.controller?.scriptURL === script ? workers.controller : null; // not that of a folder above
  workers.addEventListener("message", ({ data, ports }) => {
    if (data?.type === "version") ports[0].postMessage(files.version);
  });
  const registration = await workers.register(trusted?.createScriptURL(script) ?? script);
  if (controller) isGone().then((gone) => gone && forget(registration).then(() => location.reload()), () => {});
  const notice = (worker) => follow(worker, () => offer(registration));
  registration.addEventListener("updatefound", () => notice(registration.installing));
  for (const worker of [registration.installing, registration.waiting, controller]) notice(worker);
  // The configuration is the host's newest, the rules for content are this version's: a server that they do not know is
  // reached by the next version alone. A page that is connected needs nobody else, whoever it was that asked.
  const blocked = ({ effectiveDirective }) => {
    if (effectiveDirective !== "connect-src" || root.dataset.status === "connected" || !registration.waiting) return;
    removeEventListener("securitypolicyviolation", blocked);
    activate(registration);
  };
  addEventListener("securitypolicyviolation", blocked);
  setInterval(() => registration.update().catch(() => {}), BETWEEN_CHECKS);
  const { active } = await workers.ready;
  active.postMessage({ type: "keep", way: root.dataset.start });
  // The small download was for this visit; the next one starts quicker.
  if (root.dataset.startSaves !== undefined && !navigator.connection?.saveData) active.postMessage({ type: "keep", way: "snapshot" });
}

// Call `then` when the worker is there, and its version another one; `otherwise` when it comes to nothing.
function follow(worker, then, otherwise = () => {}) {
  const look = async () => {
    const version = worker.state === "redundant" ? undefined : await versionOf(worker);
    if (version !== undefined && version !== files.version) then();
    else otherwise();
  };
  if (worker?.state === "installing") worker.addEventListener("statechange", look, { once: true });
  else if (worker) void look();
}

// What waits to be sent is in the browser's database, and what stands in the field is kept as a draft: loading the page
// again loses neither.
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

// The other tabs stay as they are, and find their files, until they are loaded again themselves.
function activate(registration) {
  const { waiting } = registration;
  if (!waiting) return location.reload();
  waiting.addEventListener("statechange", () => { // redundant: an even newer one has taken its place
    if (["activated", "redundant"].includes(waiting.state)) location.reload();
  });
  waiting.postMessage({ type: "activate" });
}

// The start has failed. If there is a newer version by now, that is tried; else, where the host can be reached, what is
// kept here must have gone bad, and whoever presses Reload gets everything from the host.
async function recover() {
  const registration = await workers.getRegistration(here);
  if (registration?.scope !== here || !registration.active || !["network", "error", "config"].includes(root.dataset.cause)) return;
  const isForGood = await isGone(401, 403);
  if (isLive()) return;
  if (isForGood) { // whatever the host has now is what people should see
    await forget(registration);
    return location.reload();
  }
  await upgrade(registration, async () => root.dataset.cause !== "config" && !isLive() && forget(registration));
}

// A plain reload would be answered with the version that is kept here.
async function renew() {
  const registration = await workers?.getRegistration(here);
  if (registration?.scope !== here) return location.reload();
  await upgrade(registration, () => location.reload());
}

// Load the newer version if the host has one, else do `otherwise`. Fails without a network: what is here is all there is.
async function upgrade(registration, otherwise) {
  await registration.update();
  const newer = registration.installing ?? registration.waiting;
  if (newer) follow(newer, () => activate(registration), otherwise);
  else await otherwise();
}

// The host has no worker any more, or answers for it with something else, as a site does that says the same to every
// address: it has become another site, as hosts on one's own machine do. `refusals`: further answers that mean so.
async function isGone(...refusals) {
  for (const method of ["HEAD", "GET"]) { // there are hosts that know the second one only
    const { ok, status, headers } = await fetch(script, { method, cache: "no-store" });
    const type = headers.get("Content-Type");
    const isOther = ok && type !== null && !type.includes("javascript");
    if (!isOther && ![404, 410, ...refusals].includes(status)) return false;
  }
  return true;
}

async function forget(registration) {
  await registration.unregister();
  for (const name of await caches.keys()) if (name.startsWith(`kizuna ${here} `)) await caches.delete(name);
}

function versionOf(worker) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
    setTimeout(resolve, ANSWER_PATIENCE);
    worker.postMessage({ type: "version" }, [port2]);
  });
}
