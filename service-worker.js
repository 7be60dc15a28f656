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
  for (const client of await clients.matchAll({ type: "window" })) client.navigate(client.url);
}
