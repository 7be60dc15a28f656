// The first paint of a page that was here before: the room and its last messages, as they looked when the page was left,
// until Python shows what is true now. They are kept in localStorage, which alone answers before the first paint, and go
// as soon as somebody leaves. Classic, at the end of the body: it runs once, between the parser and the first paint.
(() => {
  // kizuna/browser/storage.py sets the pages of one origin apart in the same way.
  const folder = new URL(".", document.baseURI).pathname;
  const own = (name) => (folder === "/" ? name : folder + name);
  const KEY = own("kizuna.glimpse");
  const MOST = 20; // messages; more than a tall screen shows
  const LONGEST = 1000; // characters of a message
  const PATIENCE = 3000; // milliseconds after the page is live, should it show neither messages nor that there are none
  const root = document.documentElement;
  const part = (id) => document.getElementById(id);
  const glimpse = part("glimpse");
  const rows = glimpse.querySelector(".rows");

  // chat/identity.py keeps both: whom this tab knows, and that somebody left, in whatever tab.
  const remembered = () => sessionStorage.getItem(own("kizuna.name")) ?? localStorage.getItem(own("kizuna.name"));
  const hasLeft = (name) => localStorage.getItem(own(`kizuna.left.${name}`)) !== null;
  // The room of this address; ui/rooms/address.py has the same default.
  const here = () => (/^#\/./.test(location.hash) ? location.hash : "#/general");
  const piece = (element, name) => element.querySelector(`[data-part="${name}"]`);

  function look(message) {
    const text = (name) => piece(message, name).textContent.slice(0, LONGEST);
    const { hue, own, continues } = message.dataset;
    const texts = Object.fromEntries(["avatar", "sender", "content", "time"].map((name) => [name, text(name)]));
    return { texts, hue, own: own !== undefined, continues: continues !== undefined };
  }

  function keep() {
    if (root.dataset.page !== "live") return;
    const name = part("own-name").textContent;
    if (root.dataset.joined === undefined || hasLeft(name)) return localStorage.removeItem(KEY);
    const messages = [...part("rows").querySelectorAll(".message:is([data-state=sent], [data-state=received])")];
    const seen = { name, address: here(), room: part("room-name").textContent, messages: messages.slice(-MOST).map(look) };
    localStorage.setItem(KEY, JSON.stringify(seen));
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
    part("place").hidden = false;
    root.dataset.glimpse = "";
    glimpse.scrollTop = glimpse.scrollHeight;
    const watcher = new MutationObserver(() => {
      if (isOver()) end();
      else if (root.dataset.page === "live") setTimeout(end, PATIENCE);
    });
    const end = () => {
      watcher.disconnect();
      delete root.dataset.glimpse;
      rows.replaceChildren();
    };
    watcher.observe(root, { attributes: true, subtree: true, attributeFilter: ["data-page", "data-count", "hidden"] });
  }

  function isOver() {
    const shows = () => part("messages").dataset.count !== "0" || !part("empty").hidden || !part("join").hidden;
    return root.dataset.page === "failed" || (root.dataset.page === "live" && shows());
  }

  // Storage may be forbidden or full, and hold anything.
  const attempt = (action) => {
    try {
      action();
    } catch (error) {
      console.info(`No glimpse of the room before Python: ${error}`);
    }
  };
  attempt(() => {
    const kept = localStorage.getItem(KEY);
    try {
      if (kept) show(JSON.parse(kept));
    } finally {
      if (root.dataset.glimpse === undefined) rows.replaceChildren(); // half a glimpse is none
    }
  });
  addEventListener("pagehide", () => attempt(keep));
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && attempt(keep));
  new MutationObserver(() => root.dataset.joined === undefined && attempt(keep)).observe(root, { attributeFilter: ["data-joined"] });
})();
