// The microphone: records a few seconds and sends them to Python as a WAV file (mono, 16 bits, at the rate asked for).
// What goes wrong is sent as the browser's name for it; the words are Python's.

const WORKLET = `registerProcessor("labkit-tap", class extends AudioWorkletProcessor {
  process(inputs) {
    if (inputs[0].length) this.port.postMessage(inputs[0][0].slice());
    return true;
  }
});`;
const PLAIN = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };

export default {
  render({ model, el }) {
    el.classList.add("labkit-recorder");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "labkit-record";
    const meter = document.createElement("meter");
    Object.assign(meter, { min: -60, max: 0, low: -40, high: -3, optimum: -20, value: -60 });
    meter.setAttribute("aria-label", "level of the microphone in decibels");
    const words = document.createElement("span");
    words.className = "labkit-words";
    words.setAttribute("role", "status");
    el.append(button, meter, words);

    let take = null;
    const idle = (text) => {
      button.textContent = "● Record";
      button.setAttribute("aria-pressed", "false");
      meter.value = -60;
      words.textContent = text;
    };
    idle("");

    const stop = async () => {
      const mine = take;
      if (!mine || mine.over) return;
      mine.over = true;
      mine.stream.getTracks().forEach((track) => track.stop());
      const rate = mine.context.sampleRate;
      await mine.context.close();
      take = null;
      const samples = joined(mine.chunks, Math.round(model.get("seconds") * rate));
      if (!samples.length) {
        idle("");
        model.send({ kind: "problem", name: "Empty", message: "" });
        return;
      }
      const target = model.get("rate");
      const resampled = await resample(samples, rate, target);
      idle(`${(resampled.length / target).toFixed(1)} s recorded`);
      model.send({ kind: "wav" }, undefined, [wav(resampled, target)]);
    };

    const start = async () => {
      button.disabled = true;
      words.textContent = "asking for the microphone ...";
      try {
        if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) {
          throw Object.assign(new Error(window.isSecureContext ? "" : "no secure context"), { name: "Unsupported" });
        }
        const stream = await navigator.mediaDevices.getUserMedia({ audio: PLAIN });
        take = { stream, context: new AudioContext(), chunks: [], got: 0, over: false };
        const wanted = Math.round(model.get("seconds") * take.context.sampleRate);
        const mine = take;
        await tap(mine.context, mine.stream, (chunk) => {
          if (mine.over) return;
          mine.chunks.push(chunk);
          mine.got += chunk.length;
          meter.value = level(chunk);
          words.textContent = `${(mine.got / mine.context.sampleRate).toFixed(1)} s`;
          if (mine.got >= wanted) stop();
        });
        button.textContent = "■ Stop";
        button.setAttribute("aria-pressed", "true");
      } catch (error) {
        if (take) take.stream.getTracks().forEach((track) => track.stop());
        take = null;
        idle("");
        model.send({ kind: "problem", name: error.name || "Error", message: error.message || "" });
      } finally {
        button.disabled = false;
      }
    };

    button.addEventListener("click", () => (take ? stop() : start()));
    return () => {
      if (take) take.stream.getTracks().forEach((track) => track.stop());
    };
  },
};

// Hand each block of samples to `receive`; an older way where the page may not load the newer one.
async function tap(context, stream, receive) {
  const source = context.createMediaStreamSource(stream);
  await context.resume();
  try {
    const address = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
    await context.audioWorklet.addModule(address);
    URL.revokeObjectURL(address);
    const node = new AudioWorkletNode(context, "labkit-tap", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    node.port.onmessage = (event) => receive(event.data);
    source.connect(node);
  } catch {
    const node = context.createScriptProcessor(2048, 1, 1);
    node.onaudioprocess = (event) => receive(event.inputBuffer.getChannelData(0).slice());
    source.connect(node);
    node.connect(context.destination); // it runs only when connected; its output is silence
  }
}

function joined(chunks, most) {
  const length = Math.min(most, chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  const samples = new Float32Array(length);
  let at = 0;
  for (const chunk of chunks) {
    if (at >= length) break;
    samples.set(chunk.subarray(0, length - at), at);
    at += chunk.length;
  }
  return samples;
}

async function resample(samples, rate, target) {
  if (rate === target) return samples;
  const context = new OfflineAudioContext(1, Math.max(1, Math.round((samples.length * target) / rate)), target);
  const buffer = context.createBuffer(1, samples.length, rate);
  buffer.copyToChannel(samples, 0);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  source.start();
  return (await context.startRendering()).getChannelData(0);
}

function level(chunk) {
  const top = chunk.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1e-6);
  return Math.max(-60, 20 * Math.log10(top));
}

// A RIFF file of 16-bit samples.
function wav(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, letters) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, i) => view.setInt16(44 + 2 * i, Math.max(-32768, Math.min(32767, Math.round(32768 * sample))), true));
  return view.buffer;
}
