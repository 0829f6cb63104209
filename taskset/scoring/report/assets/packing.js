"use strict";
// Packed numbers: the other half of packing.py, where the codes are described.

const packing = {
  perOctave: 256,
  octavesBelow: 40,
  scoreStep: 1e-4,
  lowestScore: -2,

  async inflate(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  },

  /** The codes of rows of `width`: low bytes, then high bytes, of differences along each row. */
  async unpack(text, width) {
    const planes = await packing.inflate(text);
    const count = planes.length / 2;
    const codes = new Uint16Array(count);
    for (let i = 0; i < count; i++) {
      const difference = planes[i] + 256 * planes[count + i];
      codes[i] = i % width ? codes[i - 1] + difference : difference;
    }
    return codes;
  },

  /** The distance of a loss from the lowest one; NaN: diverged. */
  distance(code, scale) {
    if (code === 0) return NaN;
    return code === 1 ? 0 : scale * 2 ** ((code - 2) / packing.perOctave - packing.octavesBelow);
  },

  score(code) {
    return code === 0 ? NaN : packing.lowestScore + (code - 1) * packing.scoreStep;
  },
};
