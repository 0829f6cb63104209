"use strict";
// The filters above all views: which settings are shown, and which loss.

const filters = {
  shown: [],
  split: "train",
  listeners: [],

  start() {
    const settings = data.settings;
    for (const [id, values] of [
      ["family", settings.family],
      ["dataset", settings.dataset.map((name) => name ?? "none")],
      ["source", settings.source],
      ["horizon", settings.horizon],
    ]) {
      const counts = new Map();
      for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
      const names = [...counts.keys()].sort((a, b) => (id === "horizon" ? a - b : a < b ? -1 : 1));
      byId(id).append(new Option("all", ""));
      for (const name of names) byId(id).append(new Option(`${id === "horizon" ? format.count(name) : name} (${counts.get(name)})`, name));
    }
    for (const split of data.splits) byId("split").append(new Option(SPLIT_NAMES[split], split));
    filters.texts = data.all.map((i) =>
      [settings.task[i], settings.family[i], settings.dataset[i] ?? "", settings.source[i]].join(" ").toLowerCase(),
    );
    const form = byId("filters");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => filters.apply());
    byId("clear").addEventListener("click", () => {
      form.reset(); // empties #shown, too
      filters.apply();
    });
    filters.apply();
  },

  apply() {
    const { family, dataset, source, horizon } = Object.fromEntries(
      ["family", "dataset", "source", "horizon"].map((id) => [id, byId(id).value]),
    );
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean).map(filters.matcher);
    const settings = data.settings;
    filters.split = byId("split").value;
    filters.shown = data.all.filter(
      (i) =>
        (!family || settings.family[i] === family) &&
        (!dataset || (settings.dataset[i] ?? "none") === dataset) &&
        (!source || settings.source[i] === source) &&
        (!horizon || settings.horizon[i] === Number(horizon)) &&
        words.every((matches) => matches(filters.texts[i])),
    );
    const all = filters.shown.length === data.count;
    byId("shown").value = all ? format.plural(data.count, "row") : `${filters.shown.length} of ${format.plural(data.count, "row")}`;
    for (const listener of filters.listeners) listener();
  },

  /** A word is found anywhere; one with * or ? is a glob of a whole name. */
  matcher(word) {
    if (!/[*?]/.test(word)) return (text) => text.includes(word);
    const pattern = word.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", "\\S*").replaceAll("?", "\\S");
    const glob = new RegExp(`(?:^|\\s)${pattern}(?:\\s|$)`);
    return (text) => glob.test(text);
  },
};
