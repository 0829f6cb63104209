"use strict";
// The table of tasks, and what all tables share.

const tables = {
  /** A column of text. Titles and cells are text nodes: Tabulator would read strings as HTML. */
  words(title, field, more = {}) {
    return {
      title: "",
      titleFormatter: () => element("span", {}, title.replaceAll("_", "_\u200b")), // may be broken there
      field,
      formatter: (cell) => format.text(cell.getValue() ?? "–"),
      sorter: "alphanum",
      sorterParams: { alignEmptyValues: "bottom" },
      resizable: false,
      ...more,
    };
  },

  /** A column of numbers, shown by `show`; what is missing stands at the end, in both orders. */
  numbers(title, field, show, more = {}) {
    return {
      ...tables.words(title, field),
      formatter: (cell) => format.text(show(cell.getValue())),
      sorter: (a, b, _a, _b, _column, direction) => {
        const last = direction === "asc" ? Infinity : -Infinity;
        const [x, y] = [a, b].map((v) => (v === null || Number.isNaN(v) ? last : v));
        return x === y ? 0 : x - y;
      },
      hozAlign: "right",
      headerHozAlign: "right",
      ...more,
    };
  },

  make(id, columns, label, more = {}) {
    const table = new Tabulator(byId(id), {
      columns,
      layout: "fitColumns",
      index: "id",
      placeholder: "No task matches the filters.",
      columnDefaults: { headerWordWrap: true },
      columnHeaderVertAlign: "middle",
      ...more,
    });
    const built = new Promise((resolve) => table.on("tableBuilt", resolve)).then(() => {
      byId(id).setAttribute("aria-label", label);
      byId(id).querySelector(".tabulator-tableholder").removeAttribute("tabindex"); // rows, not the box around them, take the focus
      for (const column of table.getColumns()) tables.sortByKeyboard(table, column);
    });
    return { table, built };
  },

  sortByKeyboard(table, column) {
    const header = column.getElement();
    header.tabIndex = 0;
    header.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      const sorted = table.getSorters().find((one) => one.field === column.getField());
      table.setSort(column.getField(), sorted?.dir === "asc" ? "desc" : "asc");
    });
  },
};

const tasks = {
  start() {
    const narrow = charts.narrow();
    const { table, built } = tables.make(
      "tasks-table",
      [
        tables.words("Task", "task", {
          frozen: true,
          width: narrow ? 150 : undefined,
          minWidth: narrow ? 150 : 200,
          widthGrow: 3,
          ...(narrow ? { formatter: (cell) => format.text(format.middle(cell.getValue(), 15)) } : {}),
          tooltip: (_, cell) => element("span", {}, cell.getValue()),
        }),
        ...(narrow ? [...tasks.results(), ...tasks.facts()] : [...tasks.facts(), ...tasks.results()]),
      ],
      "Tasks",
      {
        height: "max(360px, calc(100dvh - 330px))",
        rowFormatter: (row) => (row.getElement().tabIndex = -1),
      },
    );
    tasks.table = table;
    byId("tasks-table").classList.add("opens");
    byId("tasks-table").addEventListener("keydown", tasks.key);
    table.on("rowClick", (_, row) => tasks.open(row));
    for (const event of ["renderComplete", "scrollVertical"]) table.on(event, tasks.reachable);
    built.then(() => {
      tasks.ready = true;
      filters.listeners.push(tasks.refill);
      return tasks.refill();
    });
    return new Promise((resolve) => table.on("dataProcessed", () => tasks.ready && resolve()));
  },

  facts: () => [
    tables.words("Family", "family", { minWidth: 140, widthGrow: 1.4 }),
    tables.words("Data set", "dataset", { minWidth: 105, widthGrow: 1 }),
    tables.words("Source", "source", { minWidth: 85 }),
    tables.numbers("Steps", "horizon", format.count, { minWidth: 72 }),
    tables.numbers("Parameters", "parameters", format.count, { minWidth: 112 }),
    tables.numbers("ms per step", "milliseconds", format.short, { minWidth: 75 }),
    tables.numbers("Diverged runs", "diverged", format.share, { minWidth: 90 }),
  ],

  results() {
    const names = data.splits.flatMap((split) => data.normalizers[split].best_optimizer);
    const others = names.some((name) => name !== null && !data.rateOf.get(name));
    return [
      ...(others ? [tables.words("Best optimizer", "winner", { minWidth: 130 })] : []),
      tables.numbers("Best rate", "rate", format.rate, { minWidth: 70 }),
      tables.numbers("Best loss", "best", format.loss, { minWidth: 85 }),
      ...data.columns.map((column, i) => tables.numbers(column.title, `optimizer${i}`, format.score, { minWidth: 112 })),
    ];
  },

  /** The rows for the filters and the split of now. */
  refill() {
    const settings = data.settings;
    const of = data.normalizers[filters.split];
    const rows = filters.shown.map((i) => {
      const row = {
        id: i,
        task: settings.task[i],
        family: settings.family[i],
        dataset: settings.dataset[i],
        source: settings.source[i],
        horizon: settings.horizon[i],
        parameters: settings.num_params[i],
        milliseconds: settings.ms_per_step[i],
        diverged: data.runsOf(i, data.diverged) / data.runsOf(i, data.seeds),
        rate: data.rateOf.get(of.best_optimizer[i]) ?? null,
        best: of.best[i],
        winner: of.best_optimizer[i],
      };
      data.columns.forEach((column, c) => (row[`optimizer${c}`] = data.bestScore(filters.split, i, column.members)));
      return row;
    });
    const sorters = tasks.table.getSorters().map(({ field, dir }) => ({ column: field, dir }));
    return tasks.table.setData(rows).then(() => sorters.length && tasks.table.setSort(sorters));
  },

  /** The tab key reaches one row; the arrow keys the others. */
  reachable() {
    const rows = [...byId("tasks-table").querySelectorAll(".tabulator-row")];
    if (rows.length && !rows.some((row) => row.tabIndex === 0)) rows[0].tabIndex = 0;
  },

  key(event) {
    const place = event.target.closest?.(".tabulator-row");
    if (!place || place !== event.target) return;
    const row = tasks.table.getRows("visible").concat(tasks.table.getRows("active")).find((one) => one.getElement() === place);
    const move = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Enter" || event.key === " ") tasks.open(row);
    else if (move) tasks.focus(tasks.neighbour(row, move));
    else return;
    event.preventDefault();
  },

  /** The row that is `move` further in the order of the table, or the first or last one. */
  neighbour(row, move) {
    const rows = tasks.table.getRows("active");
    const place = rows.findIndex((one) => one.getIndex() === row.getIndex());
    return rows[Math.min(Math.max(place + move, 0), rows.length - 1)];
  },

  async focus(row) {
    tasks.wanted = row;
    if (!tasks.table.getRows("active").includes(row)) return; // filtered away
    await tasks.table.scrollToRow(row, "center", false).catch(() => {});
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))); // rows are made anew by scrolling
    const place = row.getElement();
    if (tasks.wanted !== row || !place) return; // another key or filter was faster
    for (const other of byId("tasks-table").querySelectorAll('.tabulator-row[tabindex="0"]')) other.tabIndex = -1;
    place.tabIndex = 0;
    place.focus({ preventScroll: true });
  },

  open(row) {
    tasks.opened = row;
    tasks.wanted = null;
    task.show(row.getIndex());
  },
};
