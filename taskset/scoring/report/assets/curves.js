"use strict";
// The two charts of a task: loss against steps, and the loss at the end of each learning rate.

const DECADES = 2; // a loss axis is logarithmic at first where the losses span more, as in taskset.normalization.plot
// The lowest that a logarithmic axis shows, as a share of the start; what is below, zero among it, is drawn there.
const FLOOR = { raw: 1e-10, normalized: 1e-4 };

/** Losses of a setting on one axis. unit: "raw" or "normalized"; axis: "linear" or "log". */
class LossScale {
  constructor(setting, split, unit, axis) {
    const of = data.normalizers[split];
    Object.assign(this, { unit, axis, lowest: data.lowest(split, setting) });
    [this.initial, this.best] = [of.initial[setting], of.best[setting]];
    this.normalizable = of.normalizable[setting] === true;
    // On a logarithmic axis, losses that become negative are shown by their distance from the lowest one.
    this.shift = unit === "raw" && axis === "log" && this.lowest < 0;
    this.start = unit === "normalized" ? 1 : this.initial === null ? NaN : this.initial - (this.shift ? this.lowest : 0);
    this.floor = (Number.isFinite(this.start) ? this.start : 1) * FLOOR[unit === "normalized" || this.shift ? "normalized" : "raw"];
  }

  /** The value on the axis of a loss that is `distance` above the lowest; null leaves a gap. */
  value(distance) {
    if (Number.isNaN(distance)) return null;
    let value = this.shift ? distance : this.lowest + distance;
    if (this.unit === "normalized") {
      value = Math.min(Math.max((value - this.best) / (this.initial - this.best), -2), 2);
    }
    return this.axis === "log" ? Math.max(value, this.floor) : value;
  }

  /** A value of the axis as text. */
  shown(value) {
    return `${this.axis === "log" && value === this.floor ? "at most " : ""}${format.loss(value)}`;
  }

  get name() {
    if (this.unit === "normalized") return "normalized loss";
    return this.shift ? `loss − lowest loss (${format.loss(this.lowest)})` : "loss";
  }

  /** {min, max} that show where runs learn: diverging ones would flatten all others. */
  limits(values) {
    const finite = values.filter((value) => value !== null);
    const lowest = finite.reduce((a, b) => Math.min(a, b), Infinity);
    if (!(lowest < this.start)) return {};
    if (this.axis === "log") return { min: 0.8 * lowest, max: 2 * this.start };
    const span = this.start - lowest;
    return { min: lowest - 0.05 * span, max: this.start + 0.3 * span };
  }

  option(values, narrow) {
    const limits = this.limits(values);
    const decades = this.axis === "log" && limits.min > 0 ? Math.log10(limits.max / limits.min) : 0;
    const many = decades > 6; // a tick every few decades, counted from the lower edge: it is made a power of ten
    if (many) limits.min = 10 ** Math.floor(Math.log10(limits.min));
    return charts.axis(this.name, {
      type: this.axis === "log" ? "log" : "value",
      ...(many ? { interval: Math.ceil(decades / 6) } : {}),
      nameGap: narrow ? 42 : 50,
      axisLabel: {
        color: "#1c2430",
        hideOverlap: true,
        formatter: format.loss,
        ...(limits.min === undefined ? {} : { showMinLabel: many, showMaxLabel: false }),
      },
      ...limits,
    });
  }

  /** Whether a logarithmic axis shows a setting better. */
  static spansDecades(setting, split) {
    const initial = data.normalizers[split].initial[setting];
    const lowest = data.lowest(split, setting);
    return initial !== null && lowest >= 0 && lowest * 10 ** DECADES < initial;
  }
}

const curves = {
  /** How each optimizer's line looks: a colour by learning rate, or one for each other family. */
  styles() {
    const rates = data.optimizers.map((one) => one.rate).filter((rate) => rate !== null).map(Math.log10);
    const [low, high] = [Math.min(...rates), Math.max(...rates)];
    const families = [...new Set(data.optimizers.map(curves.family))];
    const withRates = families.filter((name) => data.optimizers.some((one) => curves.family(one) === name && one.rate !== null));
    const others = families.filter((name) => !withRates.includes(name));
    const colours = ["#d55e00", "#cc79a7", "#e69f00", "#000000", "#7a7a7a"];
    return data.optimizers.map((one) => {
      const family = curves.family(one);
      if (one.rate !== null) {
        const share = high > low ? (Math.log10(one.rate) - low) / (high - low) : 0.5;
        return { color: charts.colour(share), type: DASHES[withRates.indexOf(family) % DASHES.length], width: 1.6 };
      }
      const place = others.indexOf(family);
      const alone = data.optimizers.filter((other) => curves.family(other) === family).length === 1;
      return { color: colours[place % colours.length], type: DASHES[Math.floor(place / colours.length) % DASHES.length], width: alone ? 3 : 1.2 };
    });
  },

  family: (one) => one.family ?? one.name,

  /** Loss against steps. found: of data.curves, those that are shown. */
  drawSteps(id, setting, split, scale, found) {
    const narrow = charts.narrow();
    const lines = found.map((curve) => ({
      ...curve,
      points: curve.steps.map((step, i) => [step, scale.value(curve.distances[split][i])]),
    }));
    const rates = found.map((curve) => data.optimizers[curve.optimizer].rate).filter((rate) => rate !== null).map(Math.log10);
    const families = [...new Set(found.map((curve) => curves.family(data.optimizers[curve.optimizer])))];
    const named = families.filter((name) => data.optimizers.every((one) => curves.family(one) !== name || one.rate === null));
    const values = lines.flatMap((line) => line.points.map((point) => point[1]));
    const bar = rates.length > 0;
    return charts.draw(
      id,
      {
        grid: {
          left: narrow ? 58 : 70,
          right: bar && !narrow ? 84 : 16,
          top: named.length ? 34 : 14,
          bottom: bar && narrow ? 92 : 44,
        },
        legend: { data: named, top: 0, type: "scroll", itemWidth: 22, itemHeight: 8 },
        tooltip: {
          ...charts.tooltip,
          trigger: "axis",
          formatter: (points) => curves.tooltip(points, lines, scale),
        },
        visualMap: bar ? curves.colourBar(narrow) : undefined,
        xAxis: charts.axis("training step", {
          type: "value",
          max: data.settings.horizon[setting],
          axisLabel: { color: "#1c2430", hideOverlap: true, formatter: format.count },
        }),
        yAxis: scale.option(values, narrow),
        series: lines.map((line) => {
          const style = curves.looks[line.optimizer];
          return {
            type: "line",
            name: curves.family(data.optimizers[line.optimizer]),
            data: line.points,
            showSymbol: false,
            triggerLineEvent: true,
            lineStyle: style,
            itemStyle: { color: style.color },
            emphasis: { focus: "series", lineStyle: { width: 3.5 } },
          };
        }),
      },
      `Curves of ${found.length} optimizers: ${scale.name} against training steps. The table below has the numbers.`,
    );
  },

  colourBar(narrow) {
    const rates = data.optimizers.map((one) => one.rate).filter((rate) => rate !== null).map(Math.log10);
    const ends = [Math.min(...rates), Math.max(...rates)];
    return {
      type: "continuous",
      min: ends[0],
      max: ends[1] > ends[0] ? ends[1] : ends[0] + 1,
      seriesIndex: [],
      inRange: { color: SEQUENCE },
      text: [`rate ${format.rate(10 ** ends[1])}`, format.rate(10 ** ends[0])],
      orient: narrow ? "horizontal" : "vertical",
      itemHeight: narrow ? 150 : 220,
      itemWidth: 14,
      hoverLink: false,
      ...(narrow ? { left: "center", bottom: 0 } : { right: 10, top: "middle" }),
    };
  },

  /** The lowest losses at a step. */
  tooltip(points, lines, scale) {
    const there = points.filter((point) => point.value[1] !== null && point.value[1] !== undefined);
    there.sort((a, b) => a.value[1] - b.value[1]);
    const texts = there.slice(0, 8).map((point) => {
      const { optimizer } = lines[point.seriesIndex];
      const mark = element("span", { textContent: "■ " });
      mark.style.color = curves.looks[optimizer].color;
      return element("div", {}, mark, `${data.optimizers[optimizer].name}: ${scale.shown(point.value[1])}`);
    });
    const more = there.length - texts.length;
    const box = charts.lines(`step ${format.count(points[0].value[0])}${more > 0 ? ", the lowest" : ""}`);
    box.append(...texts);
    if (more > 0) box.append(element("div", {}, `and ${more} above`));
    return box;
  },

  /** The loss at the end by learning rate, for all splits; optimizers without a rate are level lines. */
  drawRates(id, setting, chosen, unit, axis, found) {
    const narrow = charts.narrow();
    const rated = found.filter((curve) => data.optimizers[curve.optimizer].rate !== null);
    const others = found.filter((curve) => data.optimizers[curve.optimizer].rate === null);
    const scales = Object.fromEntries(data.splits.map((split) => [split, new LossScale(setting, split, unit, axis)]));
    const last = (curve, split) => scales[split].value(curve.distances[split].at(-1));
    const families = [...new Set(rated.map((curve) => curves.family(data.optimizers[curve.optimizer])))];
    const series = [];
    for (const [f, family] of families.entries()) {
      data.splits.forEach((split, s) => {
        series.push({
          type: "line",
          name: families.length > 1 ? `${family}, ${SPLIT_NAMES[split]}` : SPLIT_NAMES[split],
          data: rated
            .filter((curve) => curves.family(data.optimizers[curve.optimizer]) === family)
            .map((curve) => [Math.log10(data.optimizers[curve.optimizer].rate), last(curve, split)]),
          symbol: SYMBOLS[s],
          symbolSize: 8,
          color: COLOURS[[0, 5, 3, 4][s]],
          lineStyle: { type: DASHES[f % DASHES.length], width: split === chosen ? 3 : 1.2 },
          z: split === chosen ? 4 : 2,
        });
      });
    }
    const ends = rated.length ? [...rated].map((curve) => Math.log10(data.optimizers[curve.optimizer].rate)) : [0, 1];
    const levels = new Map();
    for (const curve of others) {
      const value = last(curve, chosen);
      const family = curves.family(data.optimizers[curve.optimizer]);
      if (value !== null && !(levels.get(family)?.value <= value)) levels.set(family, { value, optimizer: curve.optimizer });
    }
    const scale = scales[chosen];
    for (const [family, { value, optimizer }] of levels) {
      const style = curves.looks[optimizer];
      series.push({
        type: "line",
        name: data.optimizers[optimizer].family ? `best of ${family}` : family,
        data: [Math.min(...ends), Math.max(...ends)].map((end) => [end, value]),
        showSymbol: false,
        color: style.color,
        lineStyle: { ...style, width: 2, type: [8, 4] },
      });
    }
    return charts.draw(
      id,
      {
        grid: { left: narrow ? 58 : 70, right: 16, top: series.length > 4 ? (narrow ? 74 : 54) : 34, bottom: 44 },
        legend: { top: 0, itemWidth: narrow ? 18 : 22, textStyle: { fontSize: narrow ? 11 : 12 } },
        tooltip: {
          ...charts.tooltip,
          trigger: "axis",
          formatter: (points) =>
            charts.lines(
              `learning rate ${format.rate(10 ** points[0].value[0])}`,
              ...points.map((point) => `${point.seriesName}: ${format.loss(point.value[1] ?? NaN)}`),
            ),
        },
        xAxis: charts.axis("learning rate", {
          type: "value",
          min: Math.min(...ends),
          max: Math.max(...ends),
          show: rated.length > 0,
          axisLabel: { color: "#1c2430", hideOverlap: true, formatter: (value) => format.rate(10 ** value) },
        }),
        yAxis: scale.option(series.flatMap((one) => one.data.map((point) => point[1])), narrow),
        series,
      },
      `${scale.name} at the last step by learning rate, on four splits. The table below has the numbers.`,
    );
  },
};
