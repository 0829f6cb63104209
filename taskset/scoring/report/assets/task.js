"use strict";
// A task: its facts, its curves, its runs. A dialog of the browser's, which keeps the focus and closes with Escape.

const task = {
  start() {
    task.dialog = byId("task");
    for (const split of data.splits) byId("task-split").append(new Option(SPLIT_NAMES[split], split));
    curves.looks = curves.styles();
    task.families = [...new Set(data.optimizers.map(curves.family))];
    task.families.forEach((family, i) => {
      const box = element("input", { type: "checkbox", checked: true, value: String(i) });
      byId("task-families").append(element("label", {}, box, ` ${family}`));
    });
    byId("task-controls").addEventListener("submit", (event) => event.preventDefault());
    byId("task-controls").addEventListener("input", () => task.draw());
    byId("close").addEventListener("click", () => task.dialog.close());
    byId("previous").addEventListener("click", () => task.step(-1));
    byId("next").addEventListener("click", () => task.step(1));
    // The event comes late: a key may have moved on from the row to which the browser gave the focus back.
    task.dialog.addEventListener("close", () => tasks.opened && !tasks.wanted && tasks.focus(tasks.opened));
    task.dialog.addEventListener("click", (event) => event.target === task.dialog && task.dialog.close());
    task.runs = null;
  },

  async show(setting) {
    const settings = data.settings;
    task.setting = setting;
    byId("task-name").textContent = settings.task[setting];
    const family = settings.family[setting];
    const facts = [
      family,
      settings.dataset[setting] ? `${settings.dataset[setting]} (${settings.source[setting]} data)` : "no data set",
      settings.num_params[setting] === null ? null : `${format.count(settings.num_params[setting])} parameters`,
      `${format.count(settings.horizon[setting])} steps`,
      settings.ms_per_step[setting] === null ? null : `${format.short(settings.ms_per_step[setting])} ms per step`,
      `${format.count(data.runsOf(setting, data.seeds))} runs`,
    ];
    byId("task-facts").textContent = facts.filter(Boolean).join(" · ");
    byId("task-split").value = filters.split;
    const there = new Set(data.optimizers.filter((_, i) => data.seedsOf(setting, i)).map(curves.family));
    for (const box of byId("task-families").querySelectorAll("input")) box.disabled = !there.has(task.families[box.value]);
    byId("task-families").hidden = task.families.length < 2;
    for (const [id, move] of [["previous", -1], ["next", 1]]) {
      byId(id).disabled = tasks.neighbour(tasks.opened, move).getIndex() === setting;
    }
    if (!task.dialog.open) {
      const log = LossScale.spansDecades(setting, filters.split);
      byId("task-controls").elements.axis.value = log ? "log" : "linear";
      task.dialog.showModal();
      byId("close").focus();
    }
    task.found = await data.curves(setting);
    if (task.setting === setting) await task.draw();
  },

  /** The task before or after, in the order of the table. */
  step(move) {
    tasks.open(tasks.neighbour(tasks.opened, move));
  },

  async draw() {
    const controls = byId("task-controls").elements;
    const split = byId("task-split").value;
    const normalizable = data.normalizers[split].normalizable[task.setting] === true;
    if (!normalizable) controls.unit.value = "raw";
    for (const radio of controls.unit) radio.disabled = !normalizable;
    const [unit, axis] = [controls.unit.value, controls.axis.value];
    const chosen = new Set([...byId("task-families").querySelectorAll("input:checked")].map((box) => task.families[box.value]));
    const shown = task.found.filter((curve) => chosen.has(curves.family(data.optimizers[curve.optimizer])));
    const scale = new LossScale(task.setting, split, unit, axis);
    byId("curves-title").textContent = `Loss during training, ${SPLIT_NAMES[split]}: mean over seeds`;
    byId("rates-title").textContent = "Loss at the last step by learning rate";
    task.chart = curves.drawSteps("curves-chart", task.setting, split, scale, shown);
    curves.drawRates("rates-chart", task.setting, split, unit, axis, shown);
    const notes = [`Curves have at most ${Math.max(...task.found.map((curve) => curve.steps.length))} of their evaluations here; a curve ends where a seed diverged.`];
    if (axis === "log") notes.push(`Losses below ${format.loss(scale.floor)} are drawn at the lower edge.`);
    if (!normalizable) notes.push("No normalized loss: nothing goes below the initial loss of this task.");
    byId("task-note").textContent = notes.join(" ");
    await task.table(split, shown);
    task.dialog.dataset.drawn = String(task.setting);
  },

  async table(split, shown) {
    const rows = shown.map((curve, i) => {
      const one = data.optimizers[curve.optimizer];
      const distances = curve.distances[split];
      const lowest = Math.min(...distances.filter((distance) => !Number.isNaN(distance)));
      const low = data.lowest(split, task.setting);
      return {
        id: i,
        name: one.name,
        rate: one.rate,
        end: low + distances.at(-1),
        lowest: Number.isFinite(lowest) ? low + lowest : NaN,
        score: data.score(split, task.setting, curve.optimizer),
        diverged: data.divergedOf(task.setting, curve.optimizer),
        seeds: data.seedsOf(task.setting, curve.optimizer),
      };
    });
    if (!task.runs) {
      task.runs = tables.make(
        "runs-table",
        [
          tables.words("Optimizer", "name", { minWidth: 150, widthGrow: 2, frozen: true }),
          tables.numbers("Learning rate", "rate", format.rate, { minWidth: 90 }),
          tables.numbers("Loss at the end", "end", format.loss, { minWidth: 90 }),
          tables.numbers("Lowest shown", "lowest", format.loss, { minWidth: 90 }),
          tables.numbers(`Normalized, ${VIEW_NAMES[data.view]}`, "score", format.score, { minWidth: 110 }),
          tables.numbers("Diverged seeds", "diverged", format.count, { minWidth: 80 }),
          tables.numbers("Seeds", "seeds", format.count, { minWidth: 72 }),
        ],
        "Runs of the task",
        { placeholder: "No optimizer is chosen." },
      );
      task.runs.table.on("rowMouseEnter", (_, row) => task.highlight("highlight", row.getIndex()));
      task.runs.table.on("rowMouseLeave", (_, row) => task.highlight("downplay", row.getIndex()));
    }
    await task.runs.built;
    await task.runs.table.setData(rows);
  },

  highlight(type, seriesIndex) {
    task.chart.dispatchAction({ type, seriesIndex });
  },
};
