// A confusion matrix whose cells are buttons: click one, or walk with the arrow keys and press Enter or the space bar.

export default {
  render({ model, el }) {
    el.classList.add("labkit-matrix");
    const draw = () => {
      const labels = model.get("labels");
      const counts = model.get("counts");
      const [chosenRow, chosenColumn] = model.get("chosen");
      const caption = document.createElement("div"); // a caption inside the table would stretch its columns
      caption.className = "labkit-caption";
      caption.textContent = model.get("caption");
      const table = document.createElement("table");
      table.setAttribute("aria-label", model.get("caption"));
      table.classList.toggle("labkit-small", labels.length > 12);
      const head = table.createTHead().insertRow();
      head.append(heading("said ↓ heard →", "col"), ...labels.map((label) => heading(label, "col", labels.length > 6)));
      const body = table.createTBody();
      counts.forEach((line, i) => {
        const row = body.insertRow();
        row.append(heading(labels[i], "row"));
        const total = line.reduce((sum, count) => sum + count, 0);
        line.forEach((count, j) => {
          const share = total ? count / total : 0;
          const button = document.createElement("button");
          button.type = "button";
          button.dataset.cell = `${i},${j}`;
          button.textContent = count || "·";
          button.style.background = colour(share);
          button.style.color = share > 0.55 ? "#000" : "#fff";
          button.setAttribute("aria-label", `said ${labels[i]}, heard ${labels[j]}: ${count} of ${total} clips`);
          const chosen = i === chosenRow && j === chosenColumn;
          button.setAttribute("aria-pressed", String(chosen));
          button.tabIndex = chosen ? 0 : -1; // one stop for the Tab key; arrows walk inside
          row.insertCell().append(button);
        });
      });
      const had = el.contains(document.activeElement);
      el.replaceChildren(caption, table);
      if (had) cell(chosenRow, chosenColumn)?.focus();
    };
    const cell = (i, j) => el.querySelector(`[data-cell="${i},${j}"]`);
    const choose = (i, j) => {
      model.set("chosen", [i, j]);
      model.save_changes();
    };
    el.addEventListener("click", (event) => {
      const button = event.target.closest("[data-cell]");
      if (button) choose(...button.dataset.cell.split(",").map(Number));
    });
    el.addEventListener("keydown", (event) => {
      const button = event.target.closest("[data-cell]");
      if (!button) return;
      const [i, j] = button.dataset.cell.split(",").map(Number);
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (step) cell(i + step[0], j + step[1])?.focus();
      else if (event.key === "Enter" || event.key === " ") choose(i, j);
      else return;
      event.preventDefault();
      event.stopPropagation(); // the notebook has meanings of its own for these keys
    });
    for (const name of ["labels", "counts", "chosen", "caption"]) model.on(`change:${name}`, draw);
    draw();
  },
};

function heading(text, scope, upright = false) {
  const th = document.createElement("th");
  th.scope = scope;
  const span = document.createElement("span");
  span.textContent = text;
  th.append(span);
  if (upright) th.classList.add("labkit-upright");
  return th;
}

// cividis, which colour-blind readers see as others do: from dark blue over grey to yellow
const STOPS = [[0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 184, 102], [254, 232, 56]];

function colour(share) {
  const at = Math.min(share, 0.9999) * (STOPS.length - 1);
  const low = Math.floor(at);
  const mix = STOPS[low].map((value, k) => Math.round(value + (at - low) * (STOPS[low + 1][k] - value)));
  return `rgb(${mix.join(", ")})`;
}
