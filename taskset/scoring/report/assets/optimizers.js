"use strict";
// Optimizers compared on the tasks that the filters show and that have all of a set of optimizers.

const optimizers = {
  start() {
    data.sets.forEach((set, i) => byId("set").append(new Option(set.title, i)));
    for (const name of STATISTICS) byId("statistic").append(new Option(name === "IQM" ? "interquartile mean (IQM)" : name, name));
    byId("statistic").value = "IQM";
    byId("set").addEventListener("input", () => optimizers.draw());
    byId("statistic").addEventListener("input", () => optimizers.drawIntervals());
  },

  /** The shown settings that have all members of a set, with a normalized loss on the splits that are looked at. */
  settingsOf(set) {
    const looked = [...new Set([filters.split, "train", "valid_outer"])];
    return filters.shown.filter(
      (i) =>
        looked.every((split) => data.normalizers[split].normalizable[i] === true) &&
        set.members.every((member) => data.seedsOf(i, member) > 0),
    );
  },

  /** The member that a rival takes in each setting. */
  chosen({ members, by }, settings) {
    if (by === "") return settings.map(() => members[0]);
    if (by !== "all") return settings.map((i) => data.best(by, i, members));
    const means = members.map((member) => statistics.mean(settings.map((i) => data.score("train", i, member))));
    const one = members[means.indexOf(Math.min(...means))];
    return settings.map(() => one);
  },

  /** The rows of the comparison: values over settings, and the statistics with their intervals. */
  compare(set) {
    const settings = optimizers.settingsOf(set);
    if (!settings.length) return { settings, rows: [] };
    const rows = set.rivals.map((rival, r) => {
      const members = optimizers.chosen(rival, settings);
      const values = settings.map((i, k) => data.score(filters.split, i, members[k]));
      const sum = (of) => settings.reduce((total, i, k) => total + of(i, members[k]), 0);
      const title = rival.by === "all" ? `${rival.title}: ${data.optimizers[members[0]].name}` : rival.title;
      const row = { id: r, title, trials: rival.trials, tasks: settings.length, values };
      row.diverged = sum(data.divergedOf) / sum(data.seedsOf);
      for (const name of STATISTICS) {
        row[name] = statistics[name](values);
        row[`${name} interval`] = statistics.interval(values, name);
      }
      return row;
    });
    return { settings, rows };
  },

  async draw() {
    const set = data.sets[byId("set").value || 0];
    const { settings, rows } = optimizers.compare(set);
    optimizers.rows = rows;
    byId("compared").textContent =
      `${format.plural(settings.length, "task")} shown by the filters with all of these optimizers. Normalized ` +
      `${SPLIT_NAMES[filters.split]} loss, ${VIEW_NAMES[data.view]} (1: the start, 0: the lowest loss that any of Adam's rates ` +
      "reaches, with baselines of your own any of their optimizers; clipped to [-2, 2]; a loss that is not finite counts as 2), mean over seeds. Trials: runs that a new task costs. What is tuned " +
      "is chosen with knowledge of these tasks. Diverged runs: of those that are chosen, not of all that were tried.";
    const shown = (name) => (cell) => {
      const row = cell.getData();
      const [low, high] = row[`${name} interval`];
      return format.text(`${format.score(row[name])} [${format.score(low)}, ${format.score(high)}]`);
    };
    optimizers.made ??= tables.make(
      "rivals-table",
      [
        tables.words("Optimizer", "title", { minWidth: charts.narrow() ? 170 : 260, widthGrow: 3, frozen: true }),
        tables.numbers("Trials", "trials", format.count, { minWidth: 72 }),
        tables.numbers("Tasks", "tasks", format.count, { minWidth: 72 }),
        ...STATISTICS.map((name) => tables.numbers(name, name, null, { formatter: shown(name), minWidth: 165, widthGrow: 1.5 })),
        tables.numbers("Diverged runs", "diverged", format.share, { minWidth: 80 }),
      ],
      "Optimizers",
      { placeholder: "No task that the filters show has all of these optimizers." },
    );
    await optimizers.made.built;
    await optimizers.made.table.setData(rows);
    optimizers.drawIntervals();
    optimizers.drawProfile();
  },

  drawIntervals() {
    const name = byId("statistic").value;
    const narrow = charts.narrow();
    const rows = [...optimizers.rows].reverse();
    byId("intervals-title").textContent = name === "IQM" ? "Interquartile mean" : name === "mean" ? "Mean" : "Median";
    byId("intervals").style.height = `${Math.max(narrow ? 0 : 420, 60 + 46 * rows.length)}px`;
    charts.draw(
      "intervals",
      {
        grid: { left: narrow ? 130 : 250, right: 24, top: 10, bottom: 46 },
        tooltip: {
          ...charts.tooltip,
          formatter: ({ dataIndex }) => {
            const row = rows[dataIndex];
            const [low, high] = row[`${name} interval`];
            return charts.lines(row.title, `${name} ${format.score(row[name])}`, `95%: ${format.score(low)} to ${format.score(high)}`);
          },
        },
        xAxis: charts.axis("normalized loss", { type: "value", scale: true }),
        yAxis: {
          type: "category",
          data: rows.map((row) => row.title),
          axisTick: { show: false },
          splitLine: { show: true, lineStyle: { color: "#eaeef3" } },
          axisLine: { onZero: false },
          axisLabel: { width: narrow ? 120 : 236, overflow: "break", lineHeight: 14, color: "#1c2430", fontSize: narrow ? 10 : 12, interval: 0 },
        },
        series: [
          {
            type: "custom",
            encode: { x: [1, 2, 3], y: 0 },
            data: rows.map((row, i) => [i, ...row[`${name} interval`], row[name]]),
            renderItem: (_, api) => optimizers.bar(api, rows),
          },
        ],
      },
      `${name} of the normalized loss of each optimizer, with intervals. The table above has the numbers.`,
    );
  },

  /** An interval: a line from its low to its high end, and the optimizer's symbol at the value. */
  bar(api, rows) {
    const place = api.value(0);
    const [low, high, value] = [1, 2, 3].map((dimension) => api.coord([api.value(dimension), place]));
    const color = COLOURS[rows[place].id % COLOURS.length];
    return {
      type: "group",
      children: [
        { type: "line", shape: { x1: low[0], y1: low[1], x2: high[0], y2: high[1] }, style: { stroke: color, lineWidth: 3 } },
        { type: "circle", shape: { cx: value[0], cy: value[1], r: 6 }, style: { fill: color, stroke: "#fff", lineWidth: 1.5 } },
      ],
    };
  },

  drawProfile() {
    const narrow = charts.narrow();
    const { rows } = optimizers;
    const sorted = Float64Array.from(rows.flatMap((row) => row.values)).sort();
    const tenth = (round, share) => (rows.length ? round(10 * statistics.quantile(sorted, share)) / 10 : 0);
    const low = Math.min(0, tenth(Math.floor, 0.03)); // what all rivals do on nearly all tasks fills the chart
    const high = Math.max(low + 0.5, tenth(Math.ceil, 0.98));
    const levels = Array.from({ length: 241 }, (_, i) => low + ((high - low) * i) / 240);
    charts.draw(
      "profile",
      {
        grid: { left: narrow ? 48 : 60, right: 16, top: 14, bottom: 52 + 21 * (narrow ? rows.length : Math.ceil(rows.length / 2)) },
        legend: { bottom: 0, left: 0, itemWidth: 28, orient: narrow ? "vertical" : "horizontal", textStyle: { width: narrow ? 280 : 270, overflow: "truncate" } },
        tooltip: {
          ...charts.tooltip,
          trigger: "axis",
          formatter: (points) =>
            charts.lines(
              `at most ${format.score(points[0].value[0])}`,
              ...points.map((point) => `${point.seriesName}: ${format.share(point.value[1])}`),
            ),
        },
        xAxis: charts.axis("normalized loss", { type: "value", min: low, max: high }),
        yAxis: charts.axis("share of tasks", { type: "value", min: 0, max: 1, nameGap: 36 }),
        series: rows.map((row) => {
          const sorted = Float64Array.from(row.values).sort();
          let count = 0;
          return {
            type: "line",
            step: "end",
            name: row.title,
            data: levels.map((level) => {
              while (count < sorted.length && sorted[count] <= level) count++;
              return [level, count / sorted.length];
            }),
            symbol: SYMBOLS[row.id % SYMBOLS.length],
            symbolSize: (_, { dataIndex }) => (dataIndex % 30 === 0 ? 8 : 0),
            showAllSymbol: true,
            color: COLOURS[row.id % COLOURS.length],
            lineStyle: { width: 2, type: DASHES[Math.floor(row.id / COLOURS.length) % DASHES.length] },
          };
        }),
      },
      "Performance profile: the share of tasks with a normalized loss of at most each value, one line per optimizer.",
    );
    byId("profile").style.height = `${narrow ? 360 + 24 * rows.length : 420}px`;
  },
};
