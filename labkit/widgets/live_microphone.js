// The live panel: sends what the microphone hears to Python in small blocks, and shows what Python recognised.
// Each block says at which sample it starts. Python answers each one; while answers are missing, sound waits here and
// goes out as one larger block, and what waits too long is left out, so that nothing piles up.

const BLOCK = 0.08; // seconds of a block
const AHEAD = 1; // seconds that may be on their way without an answer
const PATIENCE = 5; // seconds without an answer, after which the reader is told
const SHOWN = 10; // seconds of the timeline
const NAME = "● Start";

export default {
  render({ model, el }) {
    const { button, meter, words, show, idle } = instruments(el);
    const log = { role: "log", "aria-live": "polite", "aria-label": "recognised words, the newest first" };
    const heard = element("ol", "labkit-heard", log);
    const canvas = element("canvas", "labkit-timeline", { role: "img" });
    el.append(heard, canvas);
    const history = { steps: [], levels: [], now: 0 };
    let session = null;
    let last = -1; // number of the newest word on the page
    idle(NAME, "");

    // Tell Python something about this session; where Python is gone, the session is over.
    const send = (kind, more, buffers) => {
      const sent = post(model, { kind, session: session.id, rate: session.context.sampleRate, ...more }, buffers);
      if (!sent) end(GONE);
      return sent;
    };

    const flush = (everything = false) => {
      const rate = session.context.sampleRate;
      while (session.waiting > model.get("waiting") * rate) {
        const old = session.chunks.shift();
        session.at += old.length;
        session.waiting -= old.length;
      }
      const early = session.waiting < BLOCK * rate || session.sent - session.answered > AHEAD * rate;
      if (!session.waiting || (early && !everything)) return;
      const samples = Int16Array.from(joined(session.chunks, session.waiting), int16);
      if (session.sent === session.answered) session.since = performance.now();
      if (!send("block", { start: session.at }, [samples.buffer])) return;
      const next = session.at + samples.length;
      Object.assign(session, { at: next, sent: next, chunks: [], waiting: 0 });
    };

    const listen = (mine, chunk) => {
      if (mine.over) return;
      mine.chunks.push(chunk);
      mine.waiting += chunk.length;
      mine.top = Math.max(mine.top, level(chunk));
      mine.count += chunk.length;
      if (mine.count < 0.02 * mine.context.sampleRate) return; // the meter need not move 375 times a second
      mine.count = 0;
      meter.value = mine.top;
      mine.top = -60;
      flush();
    };

    const end = (text) => {
      const mine = session;
      session = null;
      release(mine);
      clearInterval(mine.clock);
      mine.context.onstatechange = null;
      mine.context.close();
      idle(NAME, text);
    };

    const stop = () => {
      flush(true);
      if (session && send("stop")) end("");
    };

    const tick = () => {
      const late = session.sent > session.answered && performance.now() - session.since > 1000 * PATIENCE;
      words.textContent = late
        ? `Python does not answer: it may be busy with another cell. The last ${model.get("waiting")} s wait here.`
        : "listening ...";
    };

    const start = async () => {
      button.disabled = true;
      words.textContent = "asking for the microphone ...";
      let opened = null;
      try {
        opened = await openMicrophone();
        const id = Math.random().toString(36).slice(2);
        session = Object.assign(opened, { id, chunks: [], waiting: 0, at: 0, sent: 0, answered: 0, since: 0, top: -60, count: 0 });
        const mine = session;
        if (!send("start")) return;
        await tap(mine, (chunk) => listen(mine, chunk));
        if (mine !== session) return; // over before it began
        mine.stream.getTracks()[0].onended = () => mine === session && lost("Ended");
        mine.context.onstatechange = () => {
          if (mine !== session) return;
          if (mine.context.state === "running") send("resumed");
          else {
            send("problem", { name: "Suspended", message: mine.context.state });
            mine.context.resume();
          }
        };
        mine.clock = setInterval(tick, 1000);
        words.textContent = "listening ...";
        show("■ Stop", true);
      } catch (error) {
        if (opened) release(opened);
        session = null;
        idle(NAME, post(model, problem(error)) ? "" : GONE);
      } finally {
        button.disabled = false;
      }
    };

    const lost = (name) => {
      if (send("stop") && send("problem", { name, message: "" })) end("");
    };

    const visibility = () => {
      if (session) send(document.hidden ? "hidden" : "visible");
    };

    const write = () => {
      const list = model.get("heard");
      if (!list.length) {
        heard.replaceChildren();
        last = -1;
      }
      for (const word of list.filter(({ number }) => number > last)) {
        const item = document.createElement("li");
        const name = document.createElement("strong");
        name.textContent = word.word;
        item.append(name, ` ${word.time.toFixed(1)} s, ${Math.round(100 * word.confidence)}%`);
        heard.prepend(item);
        last = word.number;
      }
      while (heard.children.length > list.length) heard.lastChild.remove();
    };

    const draw = () => timeline(canvas, history, model.get("heard"), model.get("threshold"));

    const answered = (content) => {
      if (content.kind === "clear") {
        Object.assign(history, { steps: [], levels: [], now: 0 });
      } else if (content.kind === "heard") {
        if (session && content.session === session.id) {
          session.answered = content.upto;
          session.since = performance.now();
          flush();
        }
        history.now = content.seconds;
        history.steps.push(...content.steps);
        history.levels.push([content.seconds, content.level]);
        const old = ([time]) => time < history.now - SHOWN - 1;
        for (const list of [history.steps, history.levels]) list.splice(0, list.findLastIndex(old) + 1);
      } else if (content.kind === "end" && session && content.session === session.id) {
        end("");
      }
      if (!document.hidden) draw();
    };

    button.addEventListener("click", () => (session ? stop() : start()));
    document.addEventListener("visibilitychange", visibility);
    model.on("msg:custom", answered);
    model.on("change:heard", write);
    model.on("change:threshold", draw);
    write();
    const sized = new ResizeObserver(draw);
    sized.observe(canvas);
    return () => {
      if (session) end("");
      sized.disconnect();
      document.removeEventListener("visibilitychange", visibility);
      model.off("msg:custom", answered);
      model.off("change:heard", write);
      model.off("change:threshold", draw);
    };
  },
};

// The last seconds: how loud it was (bars), how sure Python was of the likeliest word (line), and the words.
function timeline(canvas, { steps, levels, now }, heard, threshold) {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  Object.assign(canvas, { width: width * scale, height: height * scale });
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const ink = getComputedStyle(canvas).color;
  const first = Math.max(0, now - SHOWN);
  const [left, right] = [42, width - 16];
  const x = (time) => left + ((right - left) * (time - first)) / SHOWN;
  const [top, middle, bottom] = [22, height - 46, height - 18];
  const y = (share) => middle - (middle - top) * share;
  pen.font = "12px sans-serif";
  pen.fillStyle = pen.strokeStyle = ink;
  pen.globalAlpha = 0.35;
  for (const [time, decibels] of levels.filter(([time]) => time - 0.08 >= first)) {
    const tall = Math.max(0, (decibels + 60) / 60) * (bottom - middle - 6);
    pen.fillRect(x(time - 0.08), bottom - tall, Math.max(1, x(0.07) - x(0)), tall);
  }
  pen.globalAlpha = 1;
  for (const { word, start, end } of heard) {
    if (end < first) continue;
    const [from, to] = [Math.max(x(start), left), x(end)];
    pen.globalAlpha = 0.25;
    pen.fillStyle = "#d55e00";
    pen.fillRect(from, top, to - from, middle - top);
    pen.globalAlpha = 1;
    pen.fillStyle = ink;
    pen.textAlign = "center";
    pen.fillText(word, (from + to) / 2, top - 7);
  }
  pen.textAlign = "right";
  for (const share of [0, 0.5, 1]) pen.fillText(`${100 * share}%`, left - 4, y(share) + 4);
  pen.setLineDash([4, 4]);
  stroke(pen, [[left, y(threshold)], [right, y(threshold)]]);
  pen.setLineDash([]);
  pen.lineWidth = 2;
  pen.strokeStyle = "#1f8fcf";
  stroke(pen, steps.filter(([time]) => time >= first).map(([time, share]) => [x(time), y(share)]));
  pen.textAlign = "center";
  for (let second = Math.ceil(first / 2) * 2; second <= first + SHOWN; second += 2) pen.fillText(`${second} s`, x(second), height - 4);
  canvas.setAttribute(
    "aria-label",
    `Seconds ${first.toFixed(0)} to ${(first + SHOWN).toFixed(0)}: level, probability of the likeliest word, threshold ` +
      `${Math.round(100 * threshold)}%, ${heard.filter(({ end }) => end >= first).length} words recognised`,
  );
}

function stroke(pen, points) {
  pen.beginPath();
  points.forEach(([x, y], number) => (number ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.stroke();
}
