"""What training steps cost, for the package and for docs/families.md.

    python -m tools.costs [--family NAME ..] [--samples 4] [--first 16] [--publish]
    python -m tools.costs --task NAME .. [--publish]

Measures as benchmarks/families.py does; sizes come from the facts of seeds 0 .. 999. --publish writes
taskset/execution/costs.json (measured costs, and weights by which `python -m taskset list --max-ms` estimates the others) and the
table of docs/families.md. With --family the entries of the others stay. With --task only the costs of these tasks are added to
costs.json, under the machine, versions and date of their own; weights and table stay.
"""

import argparse
import json
import math
import statistics
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from benchmarks import families, processes
from taskset.datasets.sharing import shared_arrays
from taskset.execution.costs import estimate
from taskset.execution.work import KINDS
from tools import report

ROOT = Path(__file__).resolve().parents[1]
COSTS = ROOT / "taskset" / "execution" / "costs.json"
DOCUMENT = report.DOCS / "families.md"
TITLE = """# All families

`python -m taskset list --family NAME --max-ms X --max-params N` filters by the figures below: parameters are counted from the
config, milliseconds are measured for the tasks of the sample and some more, and estimated for all others. An estimate is a
constant plus non-negative weights, one set for each family, times what the config says there is to compute (matrix products,
activations, random draws, steps that wait for one another, parameters: `taskset/execution/work.py`). By what factor it is off is
measured on the tasks of the sample, each left out of the fit in turn ("-": too few to tell).
"""


def fit(names, ms):
    """Non-negative weights {kind: ms a count} that make the relative errors least (least squares)."""
    rows = np.array([[1.0, *(families.counts_of(name)[kind] for kind in KINDS)] for name in names])
    scale = rows.max(axis=0)
    used = scale > 0
    weights = np.zeros(rows.shape[1])
    weights[used] = nnls((rows[:, used] / scale[used]) / np.array(ms)[:, None], np.ones(len(ms)))[0] / scale[used]
    return {kind: float(f"{w:.4g}") for kind, w in zip(("constant", *KINDS), weights) if w or kind == "constant"}


def left_out_errors(names, ms):
    """By what factor (1 or more) the fit to all others misses each task."""
    factors = []
    for i, name in enumerate(names):
        weights = fit(names[:i] + names[i + 1 :], ms[:i] + ms[i + 1 :])
        ratio = estimate(weights, families.counts_of(name)) / ms[i]
        factors.append(max(ratio, 1 / ratio) if ratio > 0 else math.inf)
    return factors


def row(family, facts, found):
    """The family's line of the table; found: {name: measured}."""
    able = [described for described in facts.values() if not described.infeasible]
    sizes = [sum(math.prod(shape) for shape in described.parameter_shapes.values()) for described in able]
    ms = [figures["ms"] for figures in found.values()]
    errors = left_out_errors(list(found), ms) if len(found) > 3 else None
    return {
        "tasks": len(facts),
        "feasible": len(able),
        "parameters": [min(sizes), int(statistics.median(sizes)), max(sizes)],
        "sample": len(found),
        "ms": [min(ms), statistics.median(ms), max(ms)],
        "compile": statistics.median(figures["compile"] for figures in found.values()),
        "memory": [statistics.median(f["memory"] for f in found.values()), max(f["memory"] for f in found.values())],
        "error": [statistics.median(errors), max(errors)] if errors else None,
    }


def table(rows):
    """The rows in markdown."""
    header = ["family", "tasks", "can run", "parameters: min", "median", "max", "ms a step: least", "median", "most", "sample",
              "compile s", "memory MiB: median", "most", "estimate off by: median", "most"]  # fmt: skip
    lines = []
    for family, r in rows.items():
        share = f"{100 * r['feasible'] / r['tasks']:.1f}%"
        error = [f"x {e:.2f}" for e in r["error"]] if r["error"] else ["-", "-"]
        sizes, costs = [f"{n:,}" for n in r["parameters"]], [f"{t:.3g}" for t in r["ms"]]
        memory = [f"{m:.0f}" for m in r["memory"]]
        lines.append([family, r["tasks"], share, *sizes, *costs, r["sample"], f"{r['compile']:.1f}", *memory, *error])
    return report.table(header, lines)


def written(costs):
    """costs.json: one line per task or family, so that a change is seen where it is."""
    parts = [_entry("condition", json.dumps(costs["condition"]))]
    parts += [_entry(part, _lines(costs[part])) for part in ("milliseconds", "weights", "families")]
    parts += [_entry("further", _block([_entry(when, _lines(ms)) for when, ms in sorted(costs["further"].items())]))]
    return _block(parts, "") + "\n"


def _entry(key, text):
    return f" {json.dumps(key)}: {text}"


def _lines(entries):
    return _block([f" {_entry(key, json.dumps(value))}" for key, value in sorted(entries.items())])


def _block(lines, indent=" "):
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def rounded(value):
    """Four significant digits, in lists and dicts, too."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return {k: rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


def survey(names, samples, first):
    """{"milliseconds", "weights", "families"} of costs.json for these families."""
    costs = {"milliseconds": {}, "weights": {}, "families": {}}
    for family in names:
        found = {name: families.measure(name) for name in families.chosen(family, samples, first)}
        ms = {name: figures["ms"] for name, figures in found.items()}
        costs["milliseconds"].update(ms)
        costs["weights"][family] = fit(list(ms), list(ms.values()))
        costs["families"][family] = row(family, families.facts_of(family), found)
        spent = sum(figures["cpu"] for figures in found.values())
        print(family, json.dumps(rounded(costs["families"][family])), f"{spent:.0f} CPU s", flush=True)
    return rounded(costs)


def add_tasks(names, costs):
    """Measure these tasks and add them to `costs`, under today's condition."""
    found = costs["further"].setdefault(condition(), {})
    for name in names:
        figures = families.measure(name)
        found[name] = rounded(figures["ms"])
        print(name, json.dumps(rounded(figures)), flush=True)


def add_families(names, samples, first, costs):
    """Survey these families, and add them to `costs`, each under today's condition unless it is that of all."""
    measured = survey(names, samples, first)
    if set(costs["families"]) <= set(names):
        costs["condition"] = condition()
    for row in measured["families"].values():
        if condition() != costs["condition"]:
            row["condition"] = condition()
    for part, values in measured.items():
        costs[part].update(values)


def condition():
    """What the figures of this run are true of."""
    return f"CPU time of one thread; {report.conditions('taskset', 'tensorflow', 'numpy')}"


def conditions(costs):
    """What the rows of the table are true of: one sentence for most of them, and one for each group measured apart."""
    apart = {}
    for family, row in costs["families"].items():
        if "condition" in row:
            apart.setdefault(row["condition"], []).append(family)
    texts = {costs["condition"]: "", **{when: f"{', '.join(names)}: " for when, names in apart.items()}}
    return "\n".join(f"{who}{when.removeprefix('CPU time of one thread; ')}." for when, who in texts.items())


def section(costs):
    """The table of docs/families.md, with its conditions."""
    notes = (
        f"{conditions(costs)}\n\n"
        "A step is a forward and a backward pass and Adam's update, on synthetic data; drawing raw batches on the host is not\n"
        "in it. Compile seconds are tracing and compiling of the training program. Memory is the peak resident memory of a\n"
        "process that trains the task: TensorFlow and libraries (some 650 MiB) and the pages it touched of the data set in it."
    )
    rows = {family: costs["families"][family] for family in families.families() if family in costs["families"]}
    return f"{table(rows)}\n\n{notes}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    families.sample_options(parser)
    report.publish_option(parser, "taskset/execution/costs.json and docs/families.md")
    arguments = parser.parse_args()
    processes.compile_everything()
    costs = json.loads(COSTS.read_text())
    with shared_arrays():
        if arguments.task:
            add_tasks(arguments.task, costs)
        else:
            add_families(arguments.family or families.families(), arguments.samples, arguments.first, costs)
    if not arguments.task:
        print(section(costs))
    if arguments.publish:
        COSTS.write_text(written(costs))
        if not arguments.task:
            if not DOCUMENT.exists():
                DOCUMENT.write_text(TITLE)
            report.write_section("families", section(costs), DOCUMENT)
        print(f"written: {COSTS}")


if __name__ == "__main__":
    main()
