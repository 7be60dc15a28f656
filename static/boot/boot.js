// What cannot wait for Python: the language of the first words, honest progress, and a clear message when the start
// fails. It stands in <head> as an ordinary script, so that it runs before the first paint and before anything can fail.
(() => {
  const root = document.documentElement;
  const part = (id) => document.getElementById(id);

  // Some Chromiums, drawn by lot, sample their memory, and then read beyond the stacks that WebAssembly switches between
  // for promises: the page dies (docs/starting.md). Pyodide does without where there is no such thing.
  delete globalThis.WebAssembly?.Suspending;

  const asked = new URLSearchParams(location.search).get("lang");
  const spoken = asked ? [asked] : [...(navigator.languages ?? []), navigator.language ?? "en"];
  const known = spoken.map((tag) => tag.toLowerCase().split("-")[0]).find((tag) => tag === "en" || tag === "ja");
  root.lang = known ?? "en";
  root.dataset.boot = "ran"; // without it, shell.css says after ten seconds that this browser cannot run the page
  requestAnimationFrame(() => setTimeout(() => { root.dataset.painted = ""; }));

  const loading = () => root.dataset.page === "loading";
  let timer;

  function fail(cause, detail) {
    if (!loading()) return;
    clearTimeout(timer);
    root.dataset.cause = cause;
    root.dataset.page = "failed";
    const line = String(detail ?? "").trim().split("\n").pop(); // of a traceback it is the one that says most
    const tell = () => { part("splash-detail").textContent = line.slice(0, 500); };
    part("splash-detail") ? tell() : addEventListener("DOMContentLoaded", tell);
  }

  function words(phase, patience, then) {
    part("splash")?.querySelector("[data-phase]").setAttribute("data-phase", phase);
    clearTimeout(timer);
    timer = setTimeout(() => loading() && then(), patience);
  }

  // Silence is no failure: on a slow network Python's own files take long. After 30 s the words say so.
  const slow = () => words("slow", 60_000, slow);
  const phases = { "Loading files": "files", "Loaded interpreter": "files", "Loaded Pyodide": "run" };
  addEventListener("py:progress", ({ detail }) => words(phases[detail] ?? "download", 30_000, slow));
  addEventListener("python:bytes", ({ detail: { arrived, total } }) => {
    if (!part("splash-amount")) return; // the first bytes may be here before the rest of the page
    const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
    part("splash-bytes").hidden = false;
    Object.assign(part("splash-bar"), { max: total, value: arrived });
    part("splash-amount").textContent = `${megabytes(arrived)} / ${megabytes(total)} MB`;
  });
  addEventListener("DOMContentLoaded", () => {
    part("splash-reload").addEventListener("click", (event) => { event.preventDefault(); location.reload(); });
    if (loading()) words("start", 30_000, slow);
  });
  // Python is done with the first line of the program, yet the page is not alive: it raised, or waits in vain.
  addEventListener("py:done", () => words("run", 15_000, () => fail("error", "Python ran, but the page did not open")));

  // Failures that announce themselves, of this page's own files: extensions, wallets, antivirus and hosts put scripts into
  // pages, which fail on their own account, and browsers tell of observers as if those were errors.
  const here = () => new URL("./", document.baseURI).href;
  const isOurs = (url) => Boolean(url?.startsWith(here()));
  addEventListener("error", ({ target, message, filename, error }) => {
    if (target?.tagName === "SCRIPT") isOurs(target.src) && fail("network", target.src);
    else if (message && error && isOurs(filename)) fail("error", message);
  }, true);
  addEventListener("unhandledrejection", ({ reason }) => {
    if (!String(reason?.stack ?? "").includes(here())) return;
    const text = String(reason?.message ?? reason);
    fail(/fetch|\[\d{3}\]|HTTP \d{3}|import|network|load failed/i.test(text) ? "network" : "error", text);
  });
  // PyScript puts what Python or its configuration raised into a box at the end of the page.
  const boxes = new MutationObserver((changes) => {
    for (const { addedNodes } of changes)
      for (const node of addedNodes) if (node.className === "py-error") fail("error", node.textContent);
  });
  // A runtime file that is missing makes Pyodide wait for ever; the browser knows how its request ended.
  const requests = new PerformanceObserver((list) => {
    for (const { name, responseStatus } of list.getEntries())
      if (responseStatus >= 400 && isOurs(name) && /\/vendor\/|\.(m?js|wasm|zip|toml|py)(\?|$)/.test(name)) fail("network", `${responseStatus} ${name}`);
  });
  addEventListener("DOMContentLoaded", () => boxes.observe(document.body, { childList: true }));
  requests.observe({ type: "resource", buffered: true });
  new MutationObserver((_, self) => {
    if (loading()) return;
    import("./updates.js").catch(() => {}); // also after a failure: there may be a newer version
    if (root.dataset.page !== "live") return;
    for (const watcher of [self, boxes, requests]) watcher.disconnect();
    clearTimeout(timer);
  }).observe(root, { attributeFilter: ["data-page"] });

  if (typeof WebAssembly !== "object" || !CSS.supports("color", "light-dark(#000, #fff)")) fail("old", navigator.userAgent);
})();
