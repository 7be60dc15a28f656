// Shows the room and its last messages as they were when the page was last open, until Python shows the current state.
// They are stored in localStorage, the only storage that answers before the first paint, and deleted when the person
// leaves. A classic script at the end of the body runs once, between parsing and the first paint.
(() => {
  // The prefix is that of kizuna/browser/storage.py.
  const folder = new URL(".", document.baseURI).pathname;
  const own = (name) => (folder === "/" ? name : folder + name);
  const KEY = own("kizuna.glimpse");
  const MAX_MESSAGES = 20; // more than a tall screen shows
  const MAX_CHARACTERS = 1000; // of a message
  const HIDE_AFTER = 3000; // milliseconds after the page is live, if it still shows neither messages nor an empty room
  const root = document.documentElement;
  const part = (id) => document.getElementById(id);
  const view = part("cached-view");
  const rows = view.querySelector(".rows");

  // Both keys are written by chat/identity.py: the name joined in this tab, and that this name left in any tab.
  const remembered = () => sessionStorage.getItem(own("kizuna.name")) ?? localStorage.getItem(own("kizuna.name"));
  const hasLeft = (name) => localStorage.getItem(own(`kizuna.left.${name}`)) !== null;
  // The room in the page's address; the default is that of ui/rooms/address.py.
  const here = () => (/^#\/./.test(location.hash) ? location.hash : "#/general");
  const piece = (element, name) => element.querySelector(`[data-part="${name}"]`);

  function snapshot(message) {
    const text = (name) => piece(message, name).textContent.slice(0, MAX_CHARACTERS);
    const { hue, own, continues } = message.dataset;
    const texts = Object.fromEntries(["avatar", "sender", "content", "time"].map((name) => [name, text(name)]));
    return { texts, hue, own: own !== undefined, continues: continues !== undefined };
  }

  function save() {
    if (root.dataset.page !== "live") return;
    const name = part("own-name").textContent;
    if (root.dataset.joined === undefined || hasLeft(name)) return localStorage.removeItem(KEY);
    const messages = [...part("rows").querySelectorAll(".message:is([data-state=sent], [data-state=received])")];
    const view = { name, address: here(), room: part("room-name").textContent, messages: messages.slice(-MAX_MESSAGES).map(snapshot) };
    localStorage.setItem(KEY, JSON.stringify(view));
  }

  function show({ name, address, room, messages }) {
    if (name !== remembered() || hasLeft(name) || address !== here() || !messages.length) return;
    const template = part("template-message").content;
    for (const { texts, hue, own, continues } of messages) {
      const row = template.cloneNode(true).firstElementChild;
      for (const [name, text] of Object.entries(texts)) piece(row, name).textContent = text;
      piece(row, "delivery-icon").setAttribute("href", "#icon-sent");
      row.dataset.state = own ? "sent" : "received";
      if (hue) row.dataset.hue = hue;
      row.toggleAttribute("data-own", own);
      row.toggleAttribute("data-continues", continues);
      rows.append(row);
    }
    part("room-name").textContent = room;
    root.dataset.cachedView = "";
    view.scrollTop = view.scrollHeight;
    const watcher = new MutationObserver(() => {
      if (isOver()) end();
      else if (root.dataset.page === "live") setTimeout(end, HIDE_AFTER);
    });
    const end = () => {
      watcher.disconnect();
      delete root.dataset.cachedView;
      rows.replaceChildren();
    };
    watcher.observe(root, { attributes: true, subtree: true, attributeFilter: ["data-page", "data-joined", "data-count", "hidden"] });
  }

  function isOver() {
    const shows = () => part("messages").dataset.count !== "0" || !part("empty").hidden || root.dataset.joined === undefined;
    return root.dataset.page === "failed" || (root.dataset.page === "live" && shows());
  }

  // Storage may be forbidden, full, or hold invalid data.
  const attempt = (action) => {
    if (root.dataset.demo !== undefined) return; // the demo neither shows nor replaces the view of the chat
    try {
      action();
    } catch (error) {
      console.info(`The last view of the room is not available: ${error}`);
    }
  };
  // The name of the room, before the messages.
  attempt(() => {
    const room = decodeURIComponent(here().slice(2));
    part("room-name").textContent = room;
    part("place").hidden = root.dataset.opens !== "room";
    for (const place of part("join-lead").querySelectorAll("bdi")) place.textContent = room;
  });
  attempt(() => {
    const stored = localStorage.getItem(KEY);
    try {
      if (stored) show(JSON.parse(stored));
    } finally {
      if (root.dataset.cachedView === undefined) rows.replaceChildren(); // it failed half-way
    }
  });
  addEventListener("pagehide", () => attempt(save));
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && attempt(save));
  new MutationObserver(() => root.dataset.joined === undefined && attempt(save)).observe(root, { attributeFilter: ["data-joined"] });
})();
