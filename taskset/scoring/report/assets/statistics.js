"use strict";
// Statistics over tasks, as taskset.scoring.statistics has them: the interquartile mean cuts a quarter, rounded down, off each end.

const statistics = {
  resamples: 1000,
  level: 0.95,
  drawn: new Map(),

  mean(values) {
    let sum = 0;
    for (const value of values) sum += value;
    return sum / values.length;
  },

  /** The quantile of sorted values, by linear interpolation. */
  quantile(sorted, share) {
    const place = share * (sorted.length - 1);
    const low = Math.floor(place);
    const high = Math.min(low + 1, sorted.length - 1);
    return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
  },

  median(values) {
    return statistics.quantile(Float64Array.from(values).sort(), 0.5);
  },

  IQM(values) {
    const sorted = Float64Array.from(values).sort();
    const cut = Math.floor(sorted.length / 4);
    return statistics.mean(sorted.subarray(cut, sorted.length - cut));
  },

  /** Places, drawn with replacement from `count`: the same for all rows of a table, so that their differences are paired. */
  places(count) {
    if (!statistics.drawn.has(count)) {
      const places = new Uint16Array(statistics.resamples * count);
      let state = count; // mulberry32: a page shows the same intervals each time it is opened
      for (let i = 0; i < places.length; i++) {
        state = (state + 0x6d2b79f5) | 0;
        let t = Math.imul(state ^ (state >>> 15), 1 | state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        places[i] = (((t ^ (t >>> 14)) >>> 0) / 4294967296) * count;
      }
      statistics.drawn.set(count, places);
    }
    return statistics.drawn.get(count);
  },

  /** [low, high]: the percentile bootstrap interval of a statistic. */
  interval(values, statistic) {
    const count = values.length;
    const places = statistics.places(count);
    const found = new Float64Array(statistics.resamples);
    const sample = new Float64Array(count);
    for (let r = 0; r < statistics.resamples; r++) {
      for (let i = 0; i < count; i++) sample[i] = values[places[r * count + i]];
      found[r] = statistics[statistic](sample);
    }
    found.sort();
    const tail = (1 - statistics.level) / 2;
    return [statistics.quantile(found, tail), statistics.quantile(found, 1 - tail)];
  },
};

const STATISTICS = ["mean", "median", "IQM"];
