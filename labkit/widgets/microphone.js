// What the recorder and the live panel share: a microphone, its samples block by block, and how loud they are.
// (Python puts this file in front of recording.js or live_microphone.js, since a widget is one file.)

const WORKLET = `registerProcessor("labkit-tap", class extends AudioWorkletProcessor {
  process(inputs) {
    if (inputs[0].length) this.port.postMessage(inputs[0][0].slice());
    return true;
  }
});`;
const PLAIN = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };

function element(tag, className, attributes) {
  const made = Object.assign(document.createElement(tag), { className });
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// The button that starts and stops, the level, and a few words beside it.
function instruments(el) {
  el.classList.add("labkit-recorder");
  const button = element("button", "labkit-record", { type: "button" });
  const meter = element("meter", "", { "aria-label": "level of the microphone in decibels" });
  Object.assign(meter, { min: -60, max: 0, low: -40, high: -3, optimum: -20, value: -60 });
  const words = element("span", "labkit-words", { role: "status" });
  el.append(button, meter, words);
  const show = (name, pressed) => {
    button.textContent = name;
    button.setAttribute("aria-pressed", String(pressed));
  };
  const idle = (name, text) => {
    show(name, false);
    meter.value = -60;
    words.textContent = text;
  };
  return { button, meter, words, show, idle };
}

// Ask for the microphone; what goes wrong is an Error with the browser's name for it.
async function openMicrophone() {
  if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) {
    throw Object.assign(new Error(window.isSecureContext ? "" : "no secure context"), { name: "Unsupported" });
  }
  const stream = await navigator.mediaDevices.getUserMedia({ audio: PLAIN });
  return { stream, context: new AudioContext(), over: false };
}

function release(microphone) {
  microphone.over = true;
  microphone.stream.getTracks().forEach((track) => track.stop());
}

function problem(error) {
  return { kind: "problem", name: error.name || "Error", message: error.message || "" };
}

const GONE = "Python is gone: the kernel was restarted or shut down. Run this cell again.";

// Send to Python; false if there is none any more.
function post(model, content, buffers) {
  try {
    model.send(content, undefined, buffers);
    return true;
  } catch {
    return false;
  }
}

// Hand each block of samples to `receive`; an older way where the page may not load the newer one.
async function tap({ context, stream }, receive) {
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

function level(chunk) {
  const top = chunk.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1e-6);
  return Math.max(-60, 20 * Math.log10(top));
}

// Samples of 16 bits, as Python reads them.
function int16(sample) {
  return Math.max(-32768, Math.min(32767, Math.round(32768 * sample)));
}
