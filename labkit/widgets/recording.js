// The recorder: takes a few seconds and sends them to Python as a WAV file (mono, 16 bits, at the rate asked for).
// What goes wrong is sent as the browser's name for it; the words are Python's.

export default {
  render({ model, el }) {
    const { button, meter, words, show, idle } = instruments(el);
    const NAME = "● Record";
    let take = null;
    idle(NAME, "");

    const stop = async () => {
      const mine = take;
      if (!mine || mine.over) return;
      release(mine);
      const rate = mine.context.sampleRate;
      await mine.context.close();
      take = null;
      const samples = joined(mine.chunks, Math.round(model.get("seconds") * rate));
      if (!samples.length) {
        idle(NAME, post(model, { kind: "problem", name: "Empty", message: "" }) ? "" : GONE);
        return;
      }
      const target = model.get("rate");
      const resampled = await resample(samples, rate, target);
      const sent = post(model, { kind: "wav" }, [wav(resampled, target)]);
      idle(NAME, sent ? `${(resampled.length / target).toFixed(1)} s recorded` : GONE);
    };

    const start = async () => {
      button.disabled = true;
      words.textContent = "asking for the microphone ...";
      try {
        take = Object.assign(await openMicrophone(), { chunks: [], got: 0 });
        const mine = take;
        const wanted = Math.round(model.get("seconds") * mine.context.sampleRate);
        await tap(mine.context, mine.stream, (chunk) => {
          if (mine.over) return;
          mine.chunks.push(chunk);
          mine.got += chunk.length;
          meter.value = level(chunk);
          words.textContent = `${(mine.got / mine.context.sampleRate).toFixed(1)} s`;
          if (mine.got >= wanted) stop();
        });
        show("■ Stop", true);
      } catch (error) {
        if (take) release(take);
        take = null;
        idle(NAME, post(model, problem(error)) ? "" : GONE);
      } finally {
        button.disabled = false;
      }
    };

    button.addEventListener("click", () => (take ? stop() : start()));
    return () => {
      if (take) release(take);
    };
  },
};

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
  samples.forEach((sample, i) => view.setInt16(44 + 2 * i, int16(sample), true));
  return view.buffer;
}
