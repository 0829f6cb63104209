"""A table of all families: how many of their tasks can run, how large they are, what a training step costs.

    python benchmarks/families.py [--family NAME ..] [--samples 4] [--first 16] [--no-write]
    python benchmarks/families.py --task NAME ..

Sizes come from the facts of seeds 0 .. 999, costs from a sample of the tasks that can run. Of families that can be sampled, the
first seeds, which the shipped baselines want to know the cost of, and those in the middle of equal parts of all, sorted by the
products in a step (`taskset.execution.work`); of the others, up to 5 of their fixed tasks. Each is trained by
`taskset.execution.loop.Loop` with Adam on synthetic data in a process of its own, on one core with one thread; CPU time is counted,
which other load on the machine disturbs least.

Writes taskset/execution/costs.json (measured costs, and weights by which `python -m taskset list --max-ms` estimates the others)
and the table of docs/families.md. With --family the entries of the others stay. With --task only the costs of these tasks are
added to costs.json, under the machine, versions and date of their own; weights and table stay.
"""

import argparse
import json
import math
import os
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import processes, report  # noqa: E402
from taskset import catalogue, registry  # noqa: E402
from taskset.datasets.sharing import shared_arrays  # noqa: E402
from taskset.execution.costs import estimate  # noqa: E402
from taskset.execution.work import KINDS, work  # noqa: E402

COSTS = ROOT / "taskset" / "execution" / "costs.json"
DOCUMENT = ROOT / "docs" / "families.md"
OPTIMIZER = "adam_lr_-3.00"
SECONDS = 0.25  # of steps in a timed call, at most a chunk
CALLS = 3
FIXED_SAMPLES = 5
TITLE = """# All families

`python -m taskset list --family NAME --max-ms X --max-params N` filters by the figures below: parameters are counted from the
config, milliseconds are measured for the tasks of the sample and some more, and estimated for all others. An estimate is a
constant plus non-negative weights, one set for each family, times what the config says there is to compute (matrix products,
activations, random draws, steps that wait for one another, parameters: `taskset/execution/work.py`). By what factor it is off is
measured on the tasks of the sample, each left out of the fit in turn ("-": too few to tell).
"""


def families():
    """All families of the library: those that can be sampled, then those of fixed tasks alone."""
    fixed = {catalogue.resolve(name)[0] for name in catalogue.fixed_tasks()}
    return [*catalogue.families(), *sorted(fixed - set(catalogue.families()))]


def facts_of(family):
    """{name: Facts} of the family's seeds 0 .. 999, or of its fixed tasks."""
    if family in catalogue.families():
        names = [f"{family}_seed{seed}" for seed in range(registry.SEEDS)]
    else:
        names = [name for name in catalogue.fixed_tasks() if catalogue.resolve(name)[0] == family]
    return {name: catalogue.facts(*catalogue.resolve(name)) for name in names}


def counts_of(name):
    """`work` of a task."""
    family, config = catalogue.resolve(name)
    return work(config, catalogue.facts(family, config))


def sample(facts, samples, first=0):
    """The first `first` tasks that can run, and those in the middle of `samples` equal parts of all, sorted by their work."""
    able = [name for name in facts if not facts[name].infeasible]
    by_work = sorted(able, key=lambda name: counts_of(name)["products"])
    count = min(samples, len(able))
    return list(dict.fromkeys([*able[:first], *(by_work[int((i + 0.5) * len(able) / count)] for i in range(count))]))


def _measure(name, pipe):
    """In a process of its own: {ms, compile (CPU seconds), memory (peak MiB), cpu (seconds in all)}."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    from taskset.execution.runtime import start_tensorflow

    start_tensorflow(threads=1)
    from taskset.catalogue import get_task
    from taskset.execution.loop import Loop
    from taskset.optimizers import get_optimizer

    optimizer = get_optimizer(OPTIMIZER)
    loop = Loop(get_task(name, "synthetic"), optimizer)
    run, hparams = loop.start(0), optimizer.hparams(10_000)
    raw = loop.draw(0, 0)

    def timed(steps):
        before = time.process_time()
        loop.train(run, hparams, steps, raw)
        return time.process_time() - before

    compiling = timed(0)
    once = timed(1)
    steps = min(loop.chunk, max(1, int(SECONDS / max(once, 1e-6))))
    if steps > 1:  # a single step of a small task is mostly the call
        steps = min(loop.chunk, max(1, int(SECONDS / (timed(steps) / steps))))
    calls = [timed(steps) for _ in range(CALLS if once < 2 else 1)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send({"ms": statistics.median(calls) / steps * 1000, "compile": compiling, "memory": peak, "cpu": time.process_time()})


def fit(names, ms):
    """Non-negative weights {kind: ms a count} that make the relative errors least (least squares)."""
    rows = np.array([[1.0, *(counts_of(name)[kind] for kind in KINDS)] for name in names])
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
        ratio = estimate(weights, counts_of(name)) / ms[i]
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
    """costs.json: one line a task or family, so that a change is seen where it is."""
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
        facts = facts_of(family)
        chosen = sample(facts, samples, first) if family in catalogue.families() else sample(facts, FIXED_SAMPLES)
        found = {name: processes.result_of(_measure, name) for name in chosen}
        ms = [found[name]["ms"] for name in chosen]
        costs["milliseconds"].update({name: found[name]["ms"] for name in chosen})
        costs["weights"][family] = fit(chosen, ms)
        costs["families"][family] = row(family, facts, found)
        spent = sum(figures["cpu"] for figures in found.values())
        print(family, json.dumps(rounded(costs["families"][family])), f"{spent:.0f} CPU s", flush=True)
    return rounded(costs)


def add_tasks(names, costs):
    """Measure these tasks and add them to `costs`, under today's condition."""
    found = costs["further"].setdefault(condition(), {})
    for name in names:
        figures = processes.result_of(_measure, name)
        found[name] = rounded(figures["ms"])
        print(name, json.dumps(rounded(figures)), flush=True)


def add_families(names, samples, first, costs):
    """Survey these families, and add them to `costs`."""
    measured = survey(names, samples, first)
    costs["condition"] = condition()
    for part, values in measured.items():
        costs[part].update(values)


def condition():
    """What the figures of this run are true of."""
    return f"CPU time of one thread; {report.conditions('taskset', 'tensorflow', 'numpy')}"


def write_table(costs):
    """The table of docs/families.md."""
    if not DOCUMENT.exists():
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(TITLE)
    notes = (
        f"{costs['condition'].removeprefix('CPU time of one thread; ')}.\n\n"
        "A step is a forward and a backward pass and Adam's update, on synthetic data; drawing raw batches on the host is not\n"
        "in it. Compile seconds are tracing and compiling of the training program. Memory is the peak resident memory of a\n"
        "process that trains the task: TensorFlow and libraries (some 650 MiB) and the pages it touched of the data set in it."
    )
    rows = {family: costs["families"][family] for family in families() if family in costs["families"]}
    report.write_section("families", f"{table(rows)}\n\n{notes}", DOCUMENT)
    print(table(rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", nargs="+", choices=families(), metavar="NAME", help="default: all")
    parser.add_argument("--samples", type=int, default=4, help="tasks timed of each family that can be sampled, spread over all")
    parser.add_argument("--first", type=int, default=16, help="tasks timed of each family that can be sampled, from seed 0 on")
    parser.add_argument("--task", nargs="+", metavar="NAME", help="no families: only these tasks")
    parser.add_argument("--no-write", action="store_true", help="print only")
    arguments = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    report.compile_everything()
    costs = json.loads(COSTS.read_text())
    with shared_arrays():
        if arguments.task:
            add_tasks(arguments.task, costs)
        else:
            add_families(arguments.family or families(), arguments.samples, arguments.first, costs)
    if arguments.no_write:
        return
    COSTS.write_text(written(costs))
    if not arguments.task:
        write_table(costs)
    print(f"written: {COSTS}")


if __name__ == "__main__":
    main()
