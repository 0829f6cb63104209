"use strict";
// The page: its head, its three views, its start.

const views = {
  names: ["tasks", "families", "optimizers"],
  shown: "tasks",

  start() {
    for (const name of views.names) byId(`tab-${name}`).addEventListener("click", () => views.show(name));
    document.querySelector('[role="tablist"]').addEventListener("keydown", (event) => {
      const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!move) return;
      const place = (views.names.indexOf(views.shown) + move + views.names.length) % views.names.length;
      views.show(views.names[place]);
      byId(`tab-${views.names[place]}`).focus();
    });
    filters.listeners.push(() => views.draw());
  },

  show(name) {
    views.shown = name;
    for (const other of views.names) {
      byId(other).hidden = other !== name;
      byId(`tab-${other}`).setAttribute("aria-selected", String(other === name));
      byId(`tab-${other}`).tabIndex = other === name ? 0 : -1;
    }
    return views.draw();
  },

  /** Families and optimizers are reckoned and drawn when they are looked at. */
  async draw() {
    if (views.shown === "families") await families.draw();
    if (views.shown === "optimizers") await optimizers.draw();
    if (views.shown === "tasks") tasks.table.redraw();
    document.body.dataset.view = views.shown;
  },
};

function head() {
  const names = new Set(data.settings.task).size;
  const runs = data.seeds.reduce((sum, count) => sum + count, 0);
  byId("summary").textContent =
    `${format.plural(names, "task")}, ${format.plural(runs, "run")} of ${format.plural(data.width, "optimizer")}. Normalized losses, ` +
    `${VIEW_NAMES[data.view]}: 1 is the start, 0 the lowest loss that any of Adam's rates reaches, with baselines of your own ` +
    "any of their optimizers; clipped to [-2, 2]; a loss that is not finite counts as 2.";
  byId("notes").append(...data.notes.map((note) => element("li", {}, note)));
}

async function start() {
  await data.load();
  head();
  byId("more").open = !charts.narrow();
  filters.start();
  task.start();
  families.start();
  optimizers.start();
  await tasks.start();
  views.start();
  document.body.dataset.opened = String(Math.round(performance.now()));
}

start().catch((error) => {
  byId("failure").hidden = false;
  byId("failure").textContent = `The page can't be shown: ${error.message}. It needs a browser of 2023 or later.`;
  console.error(error);
});
