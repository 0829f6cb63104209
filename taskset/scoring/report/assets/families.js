"use strict";
// Families: which learning rate is best, where runs diverge, how far tasks are apart.

const families = {
  start() {
    data.columns.forEach((column, i) => byId("spread-of").append(new Option(column.title, i)));
    byId("spread-of").addEventListener("input", () => families.drawSpread());
    // The family of optimizers whose members are learning rates: Adam where it is there.
    families.rated = data.optimizers.map((_, i) => i).filter((i) => data.optimizers[i].rate !== null);
    const first = families.rated.length ? data.optimizers[families.rated[0]].family : null;
    families.rated = families.rated.filter((i) => data.optimizers[i].family === first);
  },

  /** [[family, its shown settings]], by name. */
  groups() {
    const found = new Map();
    for (const i of filters.shown) {
      const name = data.settings.family[i];
      if (!found.has(name)) found.set(name, []);
      found.get(name).push(i);
    }
    return [...found].sort(([a], [b]) => (a < b ? -1 : 1));
  },

  async draw() {
    families.grouped = families.groups();
    await families.drawTable();
    if (families.rated.length) {
      families.drawBest();
      families.drawDiverged();
    }
    for (const id of ["best-rates", "diverged-rates"]) byId(id).closest("figure").hidden = !families.rated.length;
    families.drawSpread();
  },

  /** The place among the rates of the best optimizer of a setting; -1 where it is another kind of optimizer. */
  bestRate(setting) {
    const name = data.normalizers[filters.split].best_optimizer[setting];
    return families.rated.findIndex((i) => data.optimizers[i].name === name);
  },

  async drawTable() {
    const exponents = families.rated.map((i) => Math.log10(data.optimizers[i].rate));
    const middle = (values, share = 0.5) => (values.length ? statistics.quantile(Float64Array.from(values).sort(), share) : null);
    const known = (column, settings) => settings.map((i) => data.settings[column][i]).filter((value) => value !== null);
    const rows = families.grouped.map(([name, settings]) => {
      const rates = settings.map(families.bestRate).filter((place) => place >= 0).map((place) => exponents[place]);
      const sums = [data.diverged, data.seeds].map((counts) => settings.reduce((sum, i) => sum + data.runsOf(i, counts), 0));
      return {
        id: name,
        family: name,
        tasks: settings.length,
        runs: sums[1],
        parameters: middle(known("num_params", settings)),
        milliseconds: middle(known("ms_per_step", settings)),
        diverged: sums[0] / sums[1],
        rate: middle(rates),
        low: middle(rates, 0.25),
        high: middle(rates, 0.75),
      };
    });
    const power = (exponent) => format.rate(exponent === null ? null : 10 ** exponent);
    families.made ??= tables.make(
      "families-table",
      [
        tables.words("Family", "family", { minWidth: 150, widthGrow: 2, frozen: true }),
        tables.numbers("Rows", "tasks", format.count, { minWidth: 72 }),
        tables.numbers("Runs", "runs", format.count, { minWidth: 75 }),
        tables.numbers("Parameters, median", "parameters", (v) => format.count(v === null ? null : Math.round(v)), { minWidth: 112 }),
        tables.numbers("ms per step, median", "milliseconds", format.short, { minWidth: 95 }),
        tables.numbers("Diverged runs", "diverged", format.share, { minWidth: 80 }),
        tables.numbers("Best rate, median", "rate", power, { minWidth: 90 }),
        tables.numbers("lower quartile", "low", power, { minWidth: 80 }),
        tables.numbers("upper quartile", "high", power, { minWidth: 80 }),
      ],
      "Families",
    );
    await families.made.built;
    await families.made.table.setData(rows);
  },

  labels: () => families.grouped.map(([name, settings]) => `${name} (${settings.length})`).reverse(),

  /** A picture of shares: families by learning rate. share(settings, place of the rate) -> number, NaN where nothing was run. */
  drawShares(id, share, label) {
    const narrow = charts.narrow();
    const cells = [];
    families.grouped.forEach(([, settings], f) => {
      families.rated.forEach((_, r) => {
        const value = share(settings, r);
        if (!Number.isNaN(value)) cells.push([r, families.grouped.length - 1 - f, Math.round(1000 * value) / 10]);
      });
    });
    const most = Math.max(5, ...cells.map((cell) => cell[2]));
    charts.setRows(id, families.grouped.length, 24, 120);
    const rates = families.rated.map((i) => format.rate(data.optimizers[i].rate));
    charts.draw(
      id,
      {
        grid: { left: narrow ? 112 : 190, right: 10, top: 8, bottom: 96 },
        tooltip: {
          ...charts.tooltip,
          formatter: ({ value }) => charts.lines(families.labels()[value[1]], `learning rate ${rates[value[0]]}: ${value[2]}%`),
        },
        xAxis: charts.axis("learning rate", {
          type: "category",
          data: rates,
          nameGap: 26,
          splitArea: { show: true, areaStyle: { color: [NOT_RUN] } }, // what was not run
          splitLine: { show: false },
          axisLabel: { fontSize: narrow ? 9 : 11, hideOverlap: true },
        }),
        yAxis: {
          type: "category",
          data: families.labels(),
          axisTick: { show: false },
          axisLine: { onZero: false },
          axisLabel: { width: narrow ? 104 : 180, overflow: "truncate", fontSize: narrow ? 10 : 12, color: "#1c2430", interval: 0 },
        },
        visualMap: {
          min: 0,
          max: most,
          calculable: false,
          orient: "horizontal",
          left: "center",
          bottom: 0,
          itemWidth: 12,
          itemHeight: 160,
          text: [`${Math.round(most)}%`, "0%"],
          inRange: { color: SHARES },
        },
        series: [
          {
            type: "heatmap",
            data: cells.map((value) => ({
              value,
              label: { color: value[2] > 0.5 * most ? "#fff" : "#000" },
            })),
            label: { show: !narrow, fontSize: 11, formatter: ({ value }) => (value[2] > 0 ? String(Math.round(value[2])) : "") },
            itemStyle: { borderColor: "#fff", borderWidth: 1 },
          },
        ],
      },
      label,
    );
  },

  drawBest() {
    families.drawShares(
      "best-rates",
      (settings, rate) => {
        const run = settings.filter((i) => data.seedsOf(i, families.rated[rate]) > 0);
        const counted = settings.filter((i) => families.bestRate(i) >= 0);
        return run.length ? counted.filter((i) => families.bestRate(i) === rate).length / Math.max(1, counted.length) : NaN;
      },
      "Share of the tasks of each family for which each learning rate is best.",
    );
  },

  drawDiverged() {
    families.drawShares(
      "diverged-rates",
      (settings, rate) => {
        const sum = (of) => settings.reduce((total, i) => total + of(i, families.rated[rate]), 0);
        const seeds = sum(data.seedsOf);
        return seeds ? sum(data.divergedOf) / seeds : NaN;
      },
      "Share of the runs of each family that diverged, by learning rate.",
    );
  },

  drawSpread() {
    const narrow = charts.narrow();
    const { members } = data.columns[byId("spread-of").value || 0];
    const boxes = families.grouped.map(([, settings]) => {
      const scores = settings.map((i) => data.bestScore(filters.split, i, members)).filter((score) => !Number.isNaN(score));
      if (!scores.length) return [];
      const sorted = Float64Array.from(scores).sort();
      return [0, 0.25, 0.5, 0.75, 1].map((share) => statistics.quantile(sorted, share));
    });
    charts.setRows("spread", families.grouped.length, 24, 120);
    charts.draw(
      "spread",
      {
        grid: { left: narrow ? 112 : 190, right: 16, top: 8, bottom: 48 },
        tooltip: {
          ...charts.tooltip,
          formatter: ({ dataIndex }) => {
            const box = [...boxes].reverse()[dataIndex];
            const names = ["lowest", "lower quartile", "median", "upper quartile", "highest"];
            return charts.lines(families.labels()[dataIndex], ...names.map((name, i) => `${name}: ${format.score(box[i])}`));
          },
        },
        xAxis: charts.axis("normalized loss", { type: "value" }),
        yAxis: {
          type: "category",
          data: families.labels(),
          axisTick: { show: false },
          axisLine: { onZero: false },
          axisLabel: { width: narrow ? 104 : 180, overflow: "truncate", fontSize: narrow ? 10 : 12, color: "#1c2430", interval: 0 },
        },
        series: [
          {
            type: "boxplot",
            data: [...boxes].reverse(),
            itemStyle: { color: "#cfe3f2", borderColor: "#005a9c", borderWidth: 1.4 },
            boxWidth: [6, 14],
          },
        ],
      },
      "Normalized loss over the tasks of each family: lowest, quartiles, highest.",
    );
  },
};
