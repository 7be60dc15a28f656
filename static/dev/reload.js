// Only under `make dev`, whose server puts this script into index.html: loads the page again when its files have
// changed, or only the stylesheets when nothing else has. The script's element says of which versions the page is.
const shown = { ...document.getElementById("dev-reload").dataset };
const changes = new URL("../../dev/changes", import.meta.url);
let stream = null;

// A hidden page does not listen, and learns of changes when it shows: a browser has six connections for a host, and each
// page that listens holds one.
function listen() {
  stream?.close();
  stream = document.hidden ? null : new EventSource(changes);
  stream?.addEventListener("message", ({ data }) => show(JSON.parse(data)));
}

function show({ styles, rest }) {
  if (rest !== shown.rest) {
    stream.close();
    location.reload();
  } else if (styles !== shown.styles) {
    shown.styles = styles;
    document.querySelectorAll('link[rel="stylesheet"]').forEach(renew);
  }
}

// The old stylesheet goes when the new one is there, so that the page is never seen without. The new address keeps a
// browser from taking what it has already.
function renew(link) {
  const next = link.cloneNode();
  const address = new URL(link.href);
  address.searchParams.set("version", shown.styles);
  next.href = address.href;
  next.addEventListener("load", () => link.remove());
  next.addEventListener("error", () => link.remove());
  link.after(next);
}

document.addEventListener("visibilitychange", listen);
listen();
