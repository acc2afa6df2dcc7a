// The recorder: takes a few seconds and sends them to Python (mono, 16 bits, at the microphone's own rate).
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
      const samples = Int16Array.from(joined(mine.chunks, Math.round(model.get("seconds") * rate)), int16);
      const sent = samples.length
        ? post(model, { kind: "samples", rate }, [samples.buffer])
        : post(model, { kind: "problem", name: "Empty", message: "" });
      idle(NAME, !sent ? GONE : samples.length ? `${(samples.length / rate).toFixed(1)} s recorded` : "");
    };

    const start = async () => {
      button.disabled = true;
      words.textContent = "asking for the microphone ...";
      try {
        take = Object.assign(await openMicrophone(), { chunks: [], got: 0 });
        const mine = take;
        const wanted = Math.round(model.get("seconds") * mine.context.sampleRate);
        await tap(mine, (chunk) => {
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
