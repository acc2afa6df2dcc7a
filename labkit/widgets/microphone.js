// The microphone: a button that starts and stops it, its level, and a few words beside it. What it hears goes to Python
// in small blocks; each says at which sample it starts, and Python answers each one. While answers are missing, sound
// waits here and goes out as one larger block, and what waits too long is left out, so that nothing piles up.
// With `seconds` it is a recorder, which stops by itself; without, it goes on and shows the words that Python reports.

const BLOCK = 0.08; // seconds of a block
const AHEAD = 1; // seconds that may be on their way without an answer
const PATIENCE = 5; // seconds without an answer, after which the reader is told
const PLAIN = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const WORKLET = `registerProcessor("labkit-tap", class extends AudioWorkletProcessor {
  process(inputs) {
    if (inputs[0].length) this.port.postMessage(inputs[0][0].slice());
    return true;
  }
});`;

export default {
  render({ model, el }) {
    const live = model.get("seconds") === null;
    const button = element("button", { class: "labkit-record", type: "button" });
    const scale = { min: -60, max: 0, low: -40, high: -3, optimum: -20 };
    const meter = element("meter", { ...scale, "aria-label": "level of the microphone in decibels" });
    const words = element("span", { class: "labkit-words", role: "status" });
    el.classList.add("labkit-recorder");
    el.append(button, meter, words);
    if (live) showWords(model, el);
    let session = null;

    const show = (running, text) => {
      button.textContent = running ? "■ Stop" : live ? "● Start" : "● Record";
      button.setAttribute("aria-pressed", String(running));
      meter.value = -60;
      words.textContent = text;
    };

    const end = (text) => {
      const mine = session;
      session = null;
      if (mine) {
        mine.context.onstatechange = null;
        mine.stream.getTracks().forEach((track) => track.stop());
        clearInterval(mine.clock);
        mine.context.close();
      }
      show(false, text);
    };

    // Tell Python something; where Python is gone, the session is over.
    const send = (kind, more, buffers) => {
      try {
        model.send({ kind, session: session?.id, sample_rate: session?.context.sampleRate, ...more }, undefined, buffers);
        return true;
      } catch {
        end("Python is gone: the kernel was restarted or shut down. Run this cell again.");
        return false;
      }
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
      const samples = Int16Array.from(session.chunks.flatMap((chunk) => Array.from(chunk)), int16);
      if (session.sent === session.answered) session.since = performance.now();
      if (!send("block", { start: session.at }, [samples.buffer])) return;
      const next = session.at + samples.length;
      Object.assign(session, { at: next, sent: next, chunks: [], waiting: 0 });
    };

    const heard = () => `${((session.at + session.waiting) / session.context.sampleRate).toFixed(1)} s`;

    const stop = () => {
      flush(true);
      if (session && send("stop")) end(live ? "" : `${heard()} recorded`);
    };

    const listen = (block) => {
      const chunk = block.subarray(0, session.left);
      session.chunks.push(chunk);
      session.waiting += chunk.length;
      session.left -= chunk.length;
      const fall = (60 * block.length) / session.context.sampleRate; // 60 dB in a second
      meter.value = Math.max(level(block), meter.value - fall);
      if (session.left) flush();
      else stop();
    };

    // The microphone failed or could not be opened.
    const fail = ({ name = "Error", message = "" }) => {
      if (session && !send("stop")) return;
      if (send("problem", { name, message })) end("");
    };

    const tick = () => {
      const late = session.sent > session.answered && performance.now() - session.since > 1000 * PATIENCE;
      const waits = `The last ${model.get("waiting")} s wait here.`;
      if (late) words.textContent = `Python does not answer: it may be busy with another cell. ${waits}`;
      else words.textContent = live ? "listening ..." : heard();
    };

    const start = async () => {
      button.ariaDisabled = "true"; // `disabled` would take the focus from who presses keys
      words.textContent = "asking for the microphone ...";
      try {
        if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("", "Unsupported");
        const stream = await navigator.mediaDevices.getUserMedia({ audio: PLAIN });
        const context = new AudioContext();
        const left = Math.round((model.get("seconds") ?? Infinity) * context.sampleRate); // samples until it stops
        const id = Math.random().toString(36).slice(2);
        const mine = { id, stream, context, left, chunks: [], waiting: 0, at: 0, sent: 0, answered: 0, since: 0 };
        session = mine;
        if (!send("start")) return;
        await tap(mine, (block) => mine === session && listen(block));
        if (mine !== session) return; // over before it began
        stream.getTracks()[0].onended = () => fail({ name: "Ended" });
        context.onstatechange = () => {
          if (context.state === "running") send(document.hidden ? "hidden" : "resumed");
          else {
            send("problem", { name: "Suspended", message: context.state });
            context.resume();
          }
        };
        mine.clock = setInterval(tick, live ? 1000 : 100);
        show(true, "listening ...");
      } catch (error) {
        fail(error);
      } finally {
        button.ariaDisabled = "false";
      }
    };

    const visibility = () => {
      if (session) send(document.hidden ? "hidden" : "visible");
    };

    const answered = ({ kind, session: id, upto }) => {
      if (!session || id !== session.id) return;
      if (kind === "end") end("");
      else if (kind === "heard") {
        Object.assign(session, { answered: upto, since: performance.now() });
        flush();
      }
    };

    show(false, "");
    button.addEventListener("click", () => button.ariaDisabled !== "true" && (session ? stop() : start()));
    document.addEventListener("visibilitychange", visibility);
    model.on("msg:custom", answered);
    return () => {
      end("");
      document.removeEventListener("visibilitychange", visibility);
    };
  },
};

// Hand each block of samples to `receive`; an older way where the page may not load the newer one.
async function tap({ context, stream }, receive) {
  const source = context.createMediaStreamSource(stream);
  await context.resume();
  try {
    const address = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
    await context.audioWorklet.addModule(address);
    URL.revokeObjectURL(address);
    const one = { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" };
    const node = new AudioWorkletNode(context, "labkit-tap", one);
    node.port.onmessage = (event) => receive(event.data);
    source.connect(node);
  } catch {
    const node = context.createScriptProcessor(2048, 1, 1);
    node.onaudioprocess = (event) => receive(event.inputBuffer.getChannelData(0).slice());
    source.connect(node);
    node.connect(context.destination); // it runs only when connected; its output is silence
  }
}

function level(block) {
  const top = block.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1e-6);
  return Math.max(-60, 20 * Math.log10(top));
}

// Samples of 16 bits, as Python reads them.
function int16(sample) {
  return Math.max(-32768, Math.min(32767, Math.round(32768 * sample)));
}
