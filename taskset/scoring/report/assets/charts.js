"use strict";
// What all charts share: colours that colour-blind eyes tell apart, texts, sizes, when they are drawn.

// Viridis from dark to light, without the end that is hard to see on white: learning rates.
const SEQUENCE = ["#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#b5de2b"];
// From nothing to much, on white (ColorBrewer's Blues): shares.
const SHARES = ["#f7fbff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08519c", "#08306b"];
const NOT_RUN = "#cfcfcf";
// Okabe and Ito's, in an order whose neighbours differ in lightness, too; symbols and dashes repeat what colours say.
const COLOURS = ["#0072b2", "#d55e00", "#000000", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a7a7a"];
const SYMBOLS = ["circle", "triangle", "rect", "diamond", "emptyCircle", "emptyTriangle", "emptyRect", "emptyDiamond"];
const DASHES = ["solid", [6, 3], [2, 2], [8, 3, 2, 3]];

const charts = {
  made: new Map(),

  narrow: () => window.innerWidth < 760,

  /** Draw into the element `id`; `label` describes the chart to those who can't see it. */
  draw(id, option, label) {
    const place = byId(id);
    let chart = charts.made.get(id);
    if (!chart) {
      chart = echarts.init(place, null, { renderer: "canvas" });
      charts.made.set(id, chart);
      new ResizeObserver(() => place.clientWidth && chart.resize()).observe(place);
    }
    chart.resize();
    chart.setOption(
      {
        animation: false,
        textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: "#1c2430" },
        aria: { enabled: true, label: { description: label } },
        ...option,
      },
      true,
    );
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", label);
    return chart;
  },

  /** The height that `rows` of a chart with one row per family need. */
  setRows(id, rows, each = 24, rest = 90) {
    byId(id).style.height = `${rest + each * Math.max(rows, 3)}px`;
  },

  colour: (share) => echarts.color.lerp(Math.min(Math.max(share, 0), 1), SEQUENCE),

  tooltip: { confine: true, textStyle: { color: "#1c2430", fontSize: 13 } },

  axis(name, more = {}) {
    return {
      name,
      nameLocation: "middle",
      nameGap: 28,
      nameTextStyle: { color: "#5a6675" },
      axisLabel: { color: "#1c2430", hideOverlap: true },
      axisLine: { show: true, onZero: false, lineStyle: { color: "#8794a4" } },
      splitLine: { lineStyle: { color: "#eaeef3" } },
      ...more,
    };
  },

  /** The content of a tooltip: lines of text. */
  lines(...lines) {
    const box = element("div");
    for (const line of lines) box.append(element("div", {}, line));
    return box;
  },
};
