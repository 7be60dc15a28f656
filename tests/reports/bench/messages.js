// Runs before a page's own scripts, and measures what a flood of messages does to it. `window.known` is how many messages
// the page knows: pages that tell set it, of the others an attribute is read. Times are milliseconds of the page's clock.
// Like measure.js without eval and without polling; one callback in each frame of the screen looks for the last row.
window.bench ??= (() => {
  const FRAME = 1000 / 60;
  const memories = new Set();
  let run; // what is measured now
  let isLooking = false;

  // Calls back once the frame that is being made has been painted.
  const afterFrame = (() => {
    const { port1, port2 } = new MessageChannel();
    let waiting = [];
    port1.onmessage = () => {
      const due = waiting;
      waiting = [];
      due.forEach((callback) => callback());
    };
    return (callback) => {
      waiting.push(callback);
      port2.postMessage(0);
    };
  })();
  const nextPaint = () => new Promise((resolve) => requestAnimationFrame(() => afterFrame(resolve)));

  for (const name of ["instantiate", "instantiateStreaming"]) {
    const original = WebAssembly[name];
    WebAssembly[name] = async (...given) => {
      const made = await original.apply(WebAssembly, given);
      const { memory } = (made.instance ?? made).exports ?? {};
      if (memory) memories.add(memory);
      return made;
    };
  }
  WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
    construct(target, given) {
      const memory = Reflect.construct(target, given);
      memories.add(memory);
      return memory;
    },
  });

  function noteKnown(count) {
    if (run && count >= run.count) run.known ??= performance.now() - run.began;
    settle();
  }
  let known = 0;
  Object.defineProperty(window, "known", {
    get: () => known,
    set(count) {
      known = count;
      noteKnown(count);
    },
  });

  function settle() {
    if (run?.known !== undefined && run.painted !== undefined) run.finish();
  }

  function summary() {
    const { began, known: knownAt, painted, longest, lost, gap, keys, enters, element } = run;
    const count = element ? Number(element.dataset.count) : known;
    return { began, known: knownAt, painted, longest, lost, gap, keys, enters, count };
  }

  const lastText = () => document.querySelector(run.rows)?.lastElementChild?.textContent ?? "";

  // A frame that came late has cost the screen those that it should have shown meanwhile.
  function frame(now) {
    requestAnimationFrame(frame);
    if (run.lastFrame !== undefined) {
      const gap = now - run.lastFrame;
      run.gap = Math.max(run.gap, gap);
      run.lost += Math.max(0, Math.round(gap / FRAME) - 1);
    }
    run.lastFrame = now;
    if (!run.isShown && lastText().includes(run.last)) {
      run.isShown = true;
      const current = run;
      afterFrame(() => {
        current.painted = performance.now() - current.began;
        settle();
      });
    }
    if (run.entered && lastText().includes(run.entered.text)) {
      const { began } = run.entered;
      const current = run;
      run.entered = undefined;
      afterFrame(() => current.enters.push(performance.now() - began));
    }
  }

  let pressedAt;
  addEventListener("keydown", (event) => {
    pressedAt = event.timeStamp;
    if (run && event.key === "Enter") run.entered = { began: event.timeStamp, text: event.target.value };
  }, true);
  addEventListener("input", () => {
    const [began, current] = [pressedAt, run];
    if (began !== undefined && current) nextPaint().then(() => current.keys.push(performance.now() - began));
    pressedAt = undefined;
  }, true);

  new PerformanceObserver((list) => {
    for (const { duration, startTime } of list.getEntries()) {
      if (run && startTime + duration > run.began) run.longest = Math.max(run.longest, duration);
    }
  }).observe({ type: "longtask" });

  return {
    // Begins to measure until `count` messages are known, and the row with the text `last` is painted. `rows`: the
    // selector of the rows' parent; `counted`: of the element whose data-count is the number of known messages.
    begin({ count, last, rows, counted }) {
      let finish;
      const done = new Promise((resolve) => { finish = resolve; });
      const element = counted && document.querySelector(counted);
      run = { count, last, rows, element, done, finish, began: performance.now(), longest: 0, lost: 0, gap: 0, keys: [], enters: [] };
      if (element) {
        new MutationObserver(() => noteKnown(Number(element.dataset.count)))
          .observe(element, { attributes: true, attributeFilter: ["data-count"] });
      }
      if (!isLooking) requestAnimationFrame(frame);
      isLooking = true;
    },
    // The long task in which a measurement ends is reported a little later.
    done: () => run.done.then(nextPaint).then(nextPaint).then(summary),
    summary,
    nextPaint,
    wasm: () => [...memories].reduce((sum, { buffer }) => sum + buffer.byteLength, 0),
  };
})();
