// The service worker that ends all others. A browser that kept the page asks the host for its worker at the next visit,
// and gets this one: it deletes what was kept, withdraws, and loads the pages again, from the host. `make build` puts the
// real one in this place; the source tree has none (static/boot/updates.js).
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(withdraw()));

async function withdraw() {
  const family = `kizuna ${new URL("./", location).href} `;
  try {
    for (const name of await caches.keys()) if (name.startsWith(family)) await caches.delete(name);
  } finally {
    await registration.unregister();
  }
  for (const client of await clients.matchAll({ type: "window" })) client.navigate(another(client.url));
}

// For Firefox the same address with a fragment is a place in the page that is there already: an empty query makes it
// another one, of the same meaning.
function another(url) {
  const [page, fragment] = url.split(/#(.*)/s);
  return fragment === undefined ? url : `${page}${page.includes("?") ? "&" : "?"}#${fragment}`;
}
