// A confusion matrix whose cells are buttons: click one, or walk with the arrow keys and press Enter or the space bar.

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
// cividis, which colour-blind readers see as others do: from dark blue over grey to yellow
const STOPS = [[0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 184, 102], [254, 232, 56]];

export default {
  render({ model, el }) {
    el.classList.add("labkit-matrix");
    const draw = () => {
      const [labels, caption, chosen] = ["labels", "caption", "chosen"].map((name) => model.get(name));
      const top = labels.map((label) => heading(label, "col", labels.length > 6));
      const rows = model.get("counts").map((line, i) => {
        const total = line.reduce((sum, count) => sum + count, 0);
        const cells = line.map((count, j) => {
          const pressed = i === chosen[0] && j === chosen[1];
          const share = total ? count / total : 0;
          const attributes = {
            type: "button",
            "data-cell": `${i},${j}`,
            "aria-label": `said ${labels[i]}, heard ${labels[j]}: ${count} of ${total} clips`,
            "aria-pressed": pressed,
            tabindex: pressed ? 0 : -1, // one stop for the Tab key; arrows walk inside
            style: `background: ${colour(share)}; color: ${share > 0.55 ? "#000" : "#fff"}`,
          };
          const button = element("button", attributes, count || "·");
          button.addEventListener("click", () => choose(i, j));
          button.addEventListener("keydown", (event) => walk(event, i, j));
          return element("td", {}, button);
        });
        return element("tr", {}, heading(labels[i], "row"), ...cells);
      });
      const head = element("thead", {}, element("tr", {}, heading("said ↓ heard →", "col"), ...top));
      const look = { "aria-label": caption, class: labels.length > 12 ? "labkit-small" : "" };
      const table = element("table", look, head, element("tbody", {}, ...rows));
      const had = el.contains(document.activeElement);
      // a caption inside the table would stretch its columns
      el.replaceChildren(element("div", { class: "labkit-caption" }, caption), table);
      if (had) cell(...chosen)?.focus();
    };
    const cell = (i, j) => el.querySelector(`[data-cell="${i},${j}"]`);
    const choose = (i, j) => {
      model.set("chosen", [i, j]);
      model.save_changes();
    };
    const walk = (event, i, j) => {
      const step = STEPS[event.key];
      if (step) cell(i + step[0], j + step[1])?.focus();
      else if (event.key === "Enter" || event.key === " ") choose(i, j);
      else return;
      event.preventDefault();
      event.stopPropagation(); // the notebook has meanings of its own for these keys
    };
    for (const name of ["labels", "counts", "chosen", "caption"]) model.on(`change:${name}`, draw);
    draw();
  },
};

function heading(text, scope, upright = false) {
  return element("th", { scope, class: upright ? "labkit-upright" : "" }, element("span", {}, text));
}

function colour(share) {
  const at = Math.min(share, 0.9999) * (STOPS.length - 1);
  const low = Math.floor(at);
  const mix = STOPS[low].map((value, k) => Math.round(value + (at - low) * (STOPS[low + 1][k] - value)));
  return `rgb(${mix.join(", ")})`;
}
