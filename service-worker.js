// A service worker that removes itself. A browser that stored the built page asks the host for its worker at the next
// visit and gets this one: it deletes the stored files, unregisters, and reloads the pages from the host. `make build`
// replaces it by the real one; the source tree has none (static/boot/updates.js).
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(purge()));

async function purge() {
  const family = `kizuna ${new URL("./", location).href} `;
  try {
    for (const name of await caches.keys()) if (name.startsWith(family)) await caches.delete(name);
  } finally {
    await registration.unregister();
  }
  for (const client of await clients.matchAll({ type: "window" })) client.navigate(another(client.url));
}

// Firefox takes the same address with a fragment for a place in the page that is open. An empty query makes it another
// address with the same meaning.
function another(url) {
  const [page, fragment] = url.split(/#(.*)/s);
  return fragment === undefined ? url : `${page}${page.includes("?") ? "&" : "?"}#${fragment}`;
}
