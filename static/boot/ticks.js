// Kizuna's ticks: the timers of a worker are not held back when the page is hidden, nor by a page that computes.
// {id, delay} arms one (delay in milliseconds), {id} disarms it; when it is due, its id is posted. Once a second the
// clocks are compared with the last time: where one has jumped, the machine slept, and {slept} is posted (in
// milliseconds). The same text as in app/kizuna/browser/ticks.py.
const armed = new Map();
onmessage = ({ data: { id, delay } }) => {
  clearTimeout(armed.get(id));
  armed.delete(id);
  if (delay !== undefined) armed.set(id, setTimeout(() => { armed.delete(id); postMessage(id); }, delay));
};
const SECOND = 1000, GAP = 3000;
const read = () => [Date.now(), performance.now()]; // which of them goes on in sleep differs from browser to browser
let last = read();
setInterval(() => {
  const now = read();
  const slept = Math.max(now[0] - last[0], now[1] - last[1]) - SECOND;
  last = now;
  if (slept > GAP) postMessage({ slept });
}, SECOND);
