// What must work before Python runs: the language of the first texts, the progress, and a clear message when the start
// fails. It is an ordinary script in <head>, so that it runs before the first paint and before anything can fail.
(() => {
  const root = document.documentElement;
  const part = (id) => document.getElementById(id);

  // Some Chromium installations sample their memory and crash on the stacks that WebAssembly switches between for
  // promises (JSPI; docs/starting.md). Pyodide works without it.
  delete globalThis.WebAssembly?.Suspending;

  // What earlier pages have stored, under the names of kizuna/browser/storage.py. Storage may be forbidden.
  const folder = new URL(".", document.baseURI).pathname;
  const own = (name) => (folder === "/" ? name : folder + name);
  function stored(name) {
    try {
      return sessionStorage.getItem(own(name)) ?? localStorage.getItem(own(name));
    } catch {
      return null;
    }
  }

  // The page opens with the room where somebody is remembered who has not left (chat/identity.py), else with the form.
  const name = stored("kizuna.name");
  root.dataset.opens = name && stored(`kizuna.left.${name}`) === null ? "room" : "join";

  // The theme, without a flash of another one: CSS reads data-theme, which the menu changes too (ui/shell/menu_view.py).
  const colours = [...document.querySelectorAll('meta[name="theme-color"]')];
  const showTheme = () => {
    for (const colour of colours) {
      const scheme = colour.content === "#12141b" ? "dark" : "light";
      const chosen = root.dataset.theme;
      colour.media = ["light", "dark"].includes(chosen) ? (chosen === scheme ? "all" : "not all") : `(prefers-color-scheme: ${scheme})`;
    }
  };
  root.dataset.theme = stored("kizuna.theme") ?? "system";
  showTheme();
  new MutationObserver(showTheme).observe(root, { attributeFilter: ["data-theme"] });

  const asked = new URLSearchParams(location.search).get("lang") ?? stored("kizuna.language");
  const spoken = asked ? [asked] : [...(navigator.languages ?? []), navigator.language ?? "en"];
  const known = spoken.map((tag) => tag.toLowerCase().split("-")[0]).find((tag) => tag === "en" || tag === "ja");
  root.lang = known ?? "en";
  root.dataset.boot = "ran"; // if it is missing after ten seconds, shell.css says that this browser cannot run the page
  requestAnimationFrame(() => setTimeout(() => { root.dataset.painted = ""; }));

  const loading = () => root.dataset.page === "loading";
  let timer;

  function fail(cause, detail) {
    if (!loading()) return;
    clearTimeout(timer);
    root.dataset.cause = cause;
    root.dataset.page = "failed";
    const line = String(detail ?? "").trim().split("\n").pop(); // the most useful line of a traceback
    const show = () => { part("splash-detail").textContent = line.slice(0, 500); };
    part("splash-detail") ? show() : addEventListener("DOMContentLoaded", show);
  }

  function showPhase(phase, timeout, then) {
    part("splash")?.querySelector("[data-phase]").setAttribute("data-phase", phase);
    clearTimeout(timer);
    timer = setTimeout(() => loading() && then(), timeout);
  }

  // What is pressed before Python lives counts: ui/shell/screen_view.py joins then.
  addEventListener("submit", (event) => {
    if (!loading() || event.target.id !== "join-form") return;
    event.preventDefault();
    event.target.setAttribute("aria-busy", "true");
  });
  addEventListener("DOMContentLoaded", () => {
    // Not on a touch screen, which would open its keyboard over the page.
    if (loading() && root.dataset.opens === "join" && !matchMedia("(pointer: coarse)").matches) part("join-name").focus();
  });

  // A pause is no failure: on a slow network Python's files take long. After 30 s the text says so.
  const slow = () => showPhase("slow", 60_000, slow);
  const phases = { "Loading files": "files", "Loaded interpreter": "files", "Loaded Pyodide": "run" };
  addEventListener("py:progress", ({ detail }) => showPhase(phases[detail] ?? "download", 30_000, slow));
  addEventListener("python:bytes", ({ detail: { arrived, total } }) => {
    if (!part("splash-amount")) return; // the first bytes may arrive before the rest of the page
    const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
    part("splash-bytes").hidden = false;
    Object.assign(part("splash-bar"), { max: total, value: arrived });
    part("splash-amount").textContent = `${megabytes(arrived)} / ${megabytes(total)} MB`;
  });
  addEventListener("DOMContentLoaded", () => {
    part("splash-reload").addEventListener("click", (event) => { event.preventDefault(); location.reload(); });
    if (loading()) showPhase("start", 30_000, slow);
  });
  // The program's first line has run, but the page is not live: it raised an error or waits for something in vain.
  addEventListener("py:done", () => showPhase("run", 15_000, () => fail("error", "Python ran, but the page did not open")));

  // Errors of this page's own files. Extensions, wallets, antivirus programs and hosts add scripts to pages, whose errors
  // do not count, and browsers report observers' loops as errors.
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
  // PyScript shows errors of Python or of its configuration in a box at the end of the page.
  const boxes = new MutationObserver((changes) => {
    for (const { addedNodes } of changes)
      for (const node of addedNodes) if (node.className === "py-error") fail("error", node.textContent);
  });
  // If a runtime file is missing, Pyodide waits for ever. The performance timeline has the status of each request.
  const requests = new PerformanceObserver((list) => {
    for (const { name, responseStatus } of list.getEntries())
      if (responseStatus >= 400 && isOurs(name) && /\/vendor\/|\.(m?js|wasm|zip|toml|py)(\?|$)/.test(name)) fail("network", `${responseStatus} ${name}`);
  });
  addEventListener("DOMContentLoaded", () => boxes.observe(document.body, { childList: true }));
  requests.observe({ type: "resource", buffered: true });
  new MutationObserver((_, self) => {
    if (loading()) return;
    import("./updates.js").catch(() => {}); // also after a failure: a newer version may work
    if (root.dataset.page !== "live") return;
    for (const watcher of [self, boxes, requests]) watcher.disconnect();
    clearTimeout(timer);
  }).observe(root, { attributeFilter: ["data-page"] });

  // The demo (app/demo) joins by itself. CSS and cached_view.js read data-demo.
  if (new URLSearchParams(location.search).has("demo")) Object.assign(root.dataset, { demo: "", opens: "room" });

  if (typeof WebAssembly !== "object" || !CSS.supports("color", "light-dark(#000, #fff)")) fail("old", navigator.userAgent);
})();
