// Kizuna's ticks: the timers of a worker are not held back when the page is hidden. {id, delay} arms one (delay in
// milliseconds), {id} disarms it; when it is due, its id is posted. The same text as in app/kizuna/browser/ticks.py.
const armed = new Map();
onmessage = ({ data: { id, delay } }) => {
  clearTimeout(armed.get(id));
  armed.delete(id);
  if (delay !== undefined) armed.set(id, setTimeout(() => { armed.delete(id); postMessage(id); }, delay));
};
