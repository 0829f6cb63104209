"use strict";
// Numbers and names as text. Nothing here or elsewhere makes HTML of a name: elements are made, and text is put into them.

const format = {
  /** A loss with four significant digits; a dash where there is none. */
  loss(value) {
    if (value === null || Number.isNaN(value)) return "–";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e6)) return Number(value.toPrecision(3)).toExponential().replace("e+", "e");
    return String(Number(value.toPrecision(4)));
  },

  /** A normalized loss. */
  score(value) {
    if (value === null || Number.isNaN(value)) return "–";
    return value.toFixed(3).replace(/^-(0\.000)$/, "$1");
  },

  count(value) {
    return value === null ? "–" : value.toLocaleString("en-US");
  },

  /** Three significant digits: milliseconds. */
  short(value) {
    return value === null ? "–" : String(Number(value.toPrecision(3)));
  },

  share(value) {
    return Number.isNaN(value) ? "–" : `${(100 * value).toFixed(value > 0 && value < 0.1 ? 1 : 0)}%`;
  },

  /** A learning rate with two significant digits: "3.2e-5". */
  rate(value) {
    if (value === null) return "–";
    const rounded = Number(value.toPrecision(2));
    return rounded >= 0.01 ? String(rounded) : rounded.toExponential();
  },

  plural(count, word) {
    return `${format.count(count)} ${word}${count === 1 ? "" : "s"}`;
  },

  /** A name of at most `length` characters: the middle is left out, since names differ at their ends. */
  middle(name, length) {
    if (name.length <= length) return name;
    const end = Math.ceil((length - 1) / 2);
    return `${name.slice(0, length - 1 - end)}…${name.slice(-end)}`;
  },

  /** A text node, for tables: a string would be read as HTML. */
  text(value) {
    return document.createTextNode(value);
  },
};

/** An element with attributes (dataset, className, ..) and children, which are nodes or texts. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const byId = (id) => document.getElementById(id);
