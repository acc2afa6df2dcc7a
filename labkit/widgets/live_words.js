// The words that Python reported, and the last seconds as a picture: how loud it was (bars), how sure Python was of the
// likeliest word (line), and the words.

const SHOWN = 10; // seconds of the picture

function showWords(model, el) {
  const log = { role: "log", "aria-live": "polite", "aria-label": "recognised words, the newest first" };
  const heard = element("ol", { class: "labkit-heard", ...log });
  const canvas = element("canvas", { class: "labkit-timeline", role: "img" });
  el.append(heard, canvas);
  let history = { steps: [], levels: [], now: 0 };
  let last = -1; // number of the newest word on the page

  const write = () => {
    const list = model.get("heard");
    if (!list.length) last = -1;
    for (const { number, word, reported, confidence } of list.filter(({ number }) => number > last)) {
      const about = ` ${reported.toFixed(1)} s, ${Math.round(100 * confidence)}%`;
      heard.prepend(element("li", {}, element("strong", {}, word), about));
      last = number;
    }
    while (heard.children.length > list.length) heard.lastChild.remove();
  };

  const draw = () => timeline(canvas, history, model.get("heard"), model.get("threshold"));

  const answered = ({ kind, seconds, steps, level }) => {
    if (kind === "clear") history = { steps: [], levels: [], now: 0 };
    if (kind === "heard") {
      const late = ([time]) => time >= seconds - SHOWN - 1;
      const levels = [...history.levels, [seconds, level]].filter(late);
      history = { steps: [...history.steps, ...steps].filter(late), levels, now: seconds };
    }
    if (!document.hidden) draw();
  };

  write();
  model.on("msg:custom", answered);
  model.on("change:heard", write);
  model.on("change:threshold", draw);
  new ResizeObserver(draw).observe(canvas);
}

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
  const recent = heard.filter(({ end }) => end >= first);
  for (const { word, start, end } of recent) {
    const [from, to] = [Math.max(x(start), left), x(end)];
    Object.assign(pen, { globalAlpha: 0.25, fillStyle: "#d55e00" });
    pen.fillRect(from, top, to - from, middle - top);
    Object.assign(pen, { globalAlpha: 1, fillStyle: ink, textAlign: "center" });
    pen.fillText(word, (from + to) / 2, top - 7);
  }
  Object.assign(pen, { globalAlpha: 1, textAlign: "right" });
  for (const share of [0, 0.5, 1]) pen.fillText(`${100 * share}%`, left - 4, y(share) + 4);
  pen.setLineDash([4, 4]);
  stroke(pen, [[left, y(threshold)], [right, y(threshold)]]);
  pen.setLineDash([]);
  Object.assign(pen, { lineWidth: 2, strokeStyle: "#1f8fcf", textAlign: "center" });
  stroke(pen, steps.filter(([time]) => time >= first).map(([time, share]) => [x(time), y(share)]));
  for (let second = Math.ceil(first / 2) * 2; second <= first + SHOWN; second += 2) {
    pen.fillText(`${second} s`, x(second), height - 4);
  }
  const about = `level, probability of the likeliest word, threshold ${Math.round(100 * threshold)}%`;
  const when = `Seconds ${first.toFixed(0)} to ${(first + SHOWN).toFixed(0)}`;
  canvas.setAttribute("aria-label", `${when}: ${about}, ${recent.length} words recognised`);
}

function stroke(pen, points) {
  pen.beginPath();
  points.forEach(([x, y], number) => (number ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.stroke();
}
