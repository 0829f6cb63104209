"use strict";
// What the page shows: the document that contents.py describes. Curves are unpacked when they are asked for.

const SPLIT_NAMES = { train: "train", valid_inner: "validation (inner)", valid_outer: "validation (outer)", test: "test" };
const VIEW_NAMES = { end: "at the last step", mean: "mean over the curve", lowest: "lowest of the curve" };

const data = {
  async load() {
    Object.assign(data, JSON.parse(byId("document").textContent));
    data.count = data.settings.task.length;
    data.all = Array.from({ length: data.count }, (_, i) => i);
    data.width = data.optimizers.length;
    const chosenBy = Object.keys(data.ties);
    const packed = [...data.splits.map((split) => data.scores[split]), ...Object.values(data.ties), data.seeds, data.diverged];
    const tables = await Promise.all(packed.map((text) => packing.unpack(text, data.width)));
    data.diverged = tables.pop();
    data.seeds = tables.pop();
    data.scores = Object.fromEntries(data.splits.map((split, i) => [split, tables[i]]));
    data.ties = Object.fromEntries(chosenBy.map((split, i) => [split, tables[data.splits.length + i]]));
    data.rateOf = new Map(data.optimizers.map((one) => [one.name, one.rate]));
  },

  /** The normalized loss of an optimizer in a setting, mean over seeds; NaN where there is none. */
  score(split, setting, optimizer) {
    return packing.score(data.scores[split][setting * data.width + optimizer]);
  },

  seedsOf(setting, optimizer) {
    return data.seeds[setting * data.width + optimizer];
  },

  divergedOf(setting, optimizer) {
    return data.diverged[setting * data.width + optimizer];
  },

  /** The member with the lowest score on `split`, one of `data.ties`; of equal scores the lowest without clipping; -1: none. */
  best(split, setting, members) {
    let found = -1;
    let [lowest, place] = [Infinity, 0];
    for (const member of members) {
      const score = data.score(split, setting, member);
      const tie = data.ties[split][setting * data.width + member];
      if (score < lowest || (score === lowest && tie < place)) [found, lowest, place] = [member, score, tie];
    }
    return found;
  },

  /** The score on `split` of the member that is best by train loss. */
  bestScore(split, setting, members) {
    const member = members.length === 1 ? members[0] : data.best("train", setting, members);
    return member < 0 ? NaN : data.score(split, setting, member);
  },

  runsOf(setting, counts) {
    let sum = 0;
    for (let i = 0; i < data.width; i++) sum += counts[setting * data.width + i];
    return sum;
  },

  /** The curves of a setting: [{optimizer, steps, distances: {split: distances from the lowest loss}}]. */
  async curves(setting) {
    data.lines ??= byId("curves").textContent.split("\n");
    const there = data.optimizers.map((_, i) => i).filter((i) => data.seedsOf(setting, i) > 0);
    const grids = there.map((_, j) => data.grids[Array.isArray(data.grid[setting]) ? data.grid[setting][j] : data.grid[setting]]);
    const points = Math.max(...grids.map((grid) => grid.length));
    const codes = await packing.unpack(data.lines[setting], points);
    return there.map((optimizer, j) => {
      const distances = {};
      data.splits.forEach((split, s) => {
        const start = (s * there.length + j) * points;
        const scale = data.scales.scale[split][setting];
        distances[split] = grids[j].map((_, i) => packing.distance(codes[start + i], scale));
      });
      return { optimizer, steps: grids[j], distances };
    });
  },

  lowest(split, setting) {
    return data.scales.lowest[split][setting];
  },
};
