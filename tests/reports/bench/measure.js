// Runs before a page's own scripts, or soon after its first ones. Notes when what happens, in milliseconds since the
// navigation began, and joins as soon as the page lets it, without the time that a person takes to type a name.
// `window.measured` is a promise of all that was noted, once the page has painted and, if it is a chat, is connected.
// Without eval and without polling: the page's rules forbid the one, and the other would cost the page time.
window.measured ??= new Promise((resolve, reject) => {
  const root = () => document.documentElement;
  const seen = {};
  const note = (name) => { seen[name] ??= performance.now(); };

  function join() {
    const form = document.getElementById("join-form");
    if (!form?.offsetParent || seen.joined) return;
    note("joined");
    const name = form.querySelector("input[name=name]");
    name.value = "Ada";
    name.dispatchEvent(new Event("input", { bubbles: true }));
    form.requestSubmit();
  }

  const painted = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
  const isChat = () => "page" in root().dataset;
  const watcher = new MutationObserver(look);
  const painting = new PerformanceObserver(look);
  const tellsOfPaint = PerformanceObserver.supportedEntryTypes.includes("paint");

  function look() {
    if (!root()) return;
    const { page, status } = root().dataset;
    if (page === "failed") return reject(new Error(document.getElementById("splash")?.innerText));
    if (page === "live") {
      note("live");
      join();
    }
    if (status === "connected") note("connected");
    if ((tellsOfPaint && painted() === undefined) || document.readyState === "loading") return;
    if (isChat() && !seen.connected) return;
    watcher.disconnect();
    painting.disconnect();
    resolve(summary());
  }

  function summary() {
    return {
      seen: { ...seen, painted: painted() },
      way: root().dataset.start ?? "",
      controlled: Boolean(navigator.serviceWorker?.controller),
    };
  }

  watcher.observe(document, { attributes: true, subtree: true, attributeFilter: ["data-page", "data-status", "hidden"] });
  if (tellsOfPaint) painting.observe({ type: "paint", buffered: true });
  addEventListener("DOMContentLoaded", look);
  setTimeout(() => reject(new Error(`not connected: ${JSON.stringify(seen)}`)), 150_000);
  look();
});

// A visit lasts two more seconds: what browsers keep, they keep a little later. A page that has registered a service
// worker waits until it is in charge and has all that the next start needs.
window.stay ??= async () => {
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  await pause(2000);
  if (!(await navigator.serviceWorker?.getRegistration())) return;
  await navigator.serviceWorker.ready;
  const { dataset } = document.documentElement;
  const files = JSON.parse(document.getElementById("start-files").textContent);
  const last = dataset.start === "snapshot" || dataset.startSaves !== undefined ? files.nothing : files.program;
  const address = new URL(last, document.baseURI).href;
  while (!(await caches.match(address, { ignoreVary: true }))) await pause(50);
};
