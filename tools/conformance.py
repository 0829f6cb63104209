"""Every task of the registry, built and run once: does it do what its facts say, and does it start at finite numbers?

    python -m tools.conformance [--family NAME ..] [--seeds 1000] [--publish]

Examines seeds 0 .. N-1 of each family and all fixed tasks, or of the families named. A fault (a shape, a dtype, a count that is
not what the facts say) ends the run with status 1. --publish writes how the tasks start to taskset/execution/starts.json (the
entries of other families stay), which `python -m taskset show` and `list --finite-start` read, and makes docs/conformance.md
from it.
"""

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from taskset import catalogue, registry
from taskset.datasets.sharing import shared_arrays
from taskset.execution import known_starts
from taskset.execution.compile_cache import tensorflow_version
from taskset.execution.runtime import start_tensorflow
from taskset.tasks import distributions
from taskset.version import __version__
from tools import report

ROOT = Path(__file__).resolve().parents[1]
STARTS = ROOT / "taskset" / "execution" / "starts.json"
DOCUMENT = report.DOCS / "conformance.md"
CONDITION = "parameters of init(0), the first train batch of seed 0, synthetic data, float32, eager, on a CPU"
FIXED = known_starts.FIXED


@dataclass(frozen=True)
class Examined:
    """What one look at a task found.

    faults: what is not as the task's facts or specifications say; none are expected.
    start: "finite", "non-finite loss" or "non-finite gradient".
    """

    name: str
    faults: tuple[str, ...]
    start: str


def examine(name):
    """Build a task on synthetic data, draw a batch, take loss and gradients at the start: `Examined`."""
    return examine_task(catalogue.get_task(name, "synthetic"), catalogue.facts(*catalogue.resolve(name)))


def examine_task(task, facts):
    """As `examine`, of a task in hand."""
    params, batch = task.init(0), next(task.batches("train", 0))
    loss, gradients = task.value_and_gradients(params, batch, 0)
    faults = [*parameter_faults(task, facts, params), *start_faults(task, params), *batch_faults(task, batch)]
    faults += gradient_faults(params, loss, gradients)
    return Examined(task.name, tuple(faults), start_of(loss, gradients))


def parameter_faults(task, facts, params):
    """Parameters that are not those of the task's own shapes, or of its facts where these have shapes."""
    faults = []
    found = {path: tuple(value.shape) for path, value in params.items()}
    if list(found.items()) != [(path, tuple(shape)) for path, shape in task.parameter_shapes.items()]:
        faults.append(f"init gives {found}, parameter_shapes says {task.parameter_shapes}")
    if facts.parameter_shapes is not None and found != {path: tuple(shape) for path, shape in facts.parameter_shapes.items()}:
        faults.append(f"init gives {found}, the facts say {facts.parameter_shapes}")
    if task.num_params != sum(math.prod(shape) for shape in found.values()):
        faults.append(f"num_params is {task.num_params}")
    return faults + [f"{path} is {value.dtype.name}" for path, value in params.items() if value.dtype != "float32"]


def start_faults(task, params):
    """Parameters whose mean, standard deviation or range is not that of the distribution which the task says they start from.

    Within six standard errors (of a normal, the widest of the laws); tensors of fewer than 30 entries are held to their range.
    """
    if task.parameter_starts.keys() != params.keys():
        return [f"parameter_starts has {list(task.parameter_starts)}"]
    faults = []
    for path, start in task.parameter_starts.items():
        values = np.asarray(params[path], float)
        values = values[values != 0] if start.note == distributions.MASKED else values.ravel()
        if start.bounds and values.size:
            low, high = np.asarray(start.bounds)
            rounding = 1e-6 * np.maximum(np.abs(low), np.abs(high))
            if np.any((values < low - rounding) | (values > high + rounding)):
                faults.append(f"{path} leaves the bounds of {start}")
        if values.size >= 30 and isinstance(start.mean, (int, float)):
            off = abs(values.mean() - start.mean) > 6 * start.stddev / math.sqrt(values.size)
            if off or abs(values.std() - start.stddev) > 6 * start.stddev / math.sqrt(2 * values.size):
                faults.append(f"{path} has mean {values.mean():.4g} and stddev {values.std():.4g}, its start is {start}")
    return faults


def batch_faults(task, batch):
    """Arrays of a batch that have not the shape and dtype of the task's `batch_shapes`; floats that are not float32."""
    found = {name: (tuple(value.shape), value.dtype.name) for name, value in batch.items()}
    wanted = {name: (tuple(shape), dtype) for name, (shape, dtype) in task.batch_shapes.items()}
    faults = [] if found == wanted else [f"the batch is {found}, batch_shapes says {wanted}"]
    return faults + [f"{name} is {dtype}" for name, (_, dtype) in found.items() if dtype not in ("float32", "int32")]


def gradient_faults(params, loss, gradients):
    """A loss that is not float32; gradients that have not the paths, shapes and dtype of the parameters."""
    faults = [] if loss.dtype == "float32" else [f"the loss is {loss.dtype.name}"]
    found = {path: (tuple(g.shape), g.dtype.name) for path, g in gradients.items()}
    if found != {path: (tuple(value.shape), "float32") for path, value in params.items()}:
        faults.append(f"the gradients are {found}")
    return faults


def start_of(loss, gradients):
    """How a task starts, in a word."""
    if not np.isfinite(loss).all():
        return "non-finite loss"
    return "finite" if all(np.isfinite(g).all() for g in gradients.values()) else "non-finite gradient"


def by_data(names):
    """Names of the feasible ones, those that read one data set together: sets are generated once that way."""
    facts = {name: catalogue.facts(*catalogue.resolve(name)) for name in names}
    return sorted((name for name in names if not facts[name].infeasible), key=lambda name: facts[name].reads)


def open_data(name):
    """Generate the data set of a task, which the arrays' cache then holds, so that it counts for no task's time."""
    facts = catalogue.facts(*catalogue.resolve(name))
    if facts.reads:
        facts.data.open("synthetic")


def names_of(group, seeds):
    """Task names of a family, or of `FIXED`."""
    return catalogue.fixed_tasks() if group == FIXED else [f"{group}_seed{seed}" for seed in range(seeds)]


def survey(group, seeds):
    """(entry of starts.json, faults {name: texts}) of one group."""
    names = names_of(group, seeds)
    feasible, cpu = by_data(names), 0.0
    faults, starts = {}, {}
    for name in feasible:
        open_data(name)
        before = time.process_time()
        examined = examine(name)
        cpu += time.process_time() - before
        if examined.faults:
            faults[name] = examined.faults
        if examined.start != "finite":
            starts.setdefault(examined.start, []).append(name)
    sizes = {"tasks": len(names), "infeasible": len(names) - len(feasible)}
    shown = {start: shortened(group, found) for start, found in sorted(starts.items())}
    return {**sizes, "cpu_seconds": round(cpu, 1), "measured": conditions(), **shown}, faults


def shortened(group, names):
    """Sorted seeds of a family's names; the names of fixed tasks as they are."""
    return sorted(names) if group == FIXED else sorted(registry.parse(name)[1] for name in names)


def conditions():
    """Package version, TensorFlow version, date."""
    return f"taskset {__version__}, TensorFlow {tensorflow_version()}, {report.processor_and_cores()}, {date.today()}"


def written(entries):
    """starts.json: one line per list, so that a change is seen where it is."""
    lines = []
    for group, entry in sorted(entries.items()):
        fields = ",\n".join(f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in entry.items())
        lines.append(f"  {json.dumps(group)}: {{\n{fields}\n  }}")
    return f'{{\n "condition": {json.dumps(CONDITION)},\n "groups": {{\n' + ",\n".join(lines) + "\n }\n}\n"


def document(entries):
    """docs/conformance.md."""
    rows, lists = [], []
    for group, entry in sorted(entries.items()):
        found = {start: entry.get(start, []) for start in known_starts.NON_FINITE}
        examined = entry["tasks"] - entry["infeasible"]
        counts = [entry["tasks"], entry["infeasible"], examined, *map(len, found.values())]
        rows.append([group, *counts, entry["cpu_seconds"], entry["measured"]])
        for start, names in found.items():
            if names:
                lists.append(f"- **{group}, {start}** ({len(names)} of {examined}): {', '.join(map(str, names))}")
    total = sum(row[3] for row in rows)
    header = ["family", "tasks", "can't run", "examined", "non-finite loss", "non-finite gradient", "CPU s", "measured"]
    return f"""# Conformance of the whole registry

Made by `python -m tools.conformance`. {total:,} tasks (of each family the seeds from 0 on) were built and run once:
{CONDITION}. In each of them parameters,
gradients, batches and loss have the shapes that the task's facts say (what `python -m taskset show` prints), the parameter count
is their sum, and everything is float32: a single fault would have ended the run. Tasks that can't run
(`taskset.infeasible_reason(name)` says why) are left out. CPU seconds are without those for generating the data sets.

{report.table(header, rows)}

## Tasks that start at a loss or a gradient that is not finite

They are as published: large initial weights, and losses that nothing bounds. `python -m taskset show NAME` says so, and
`python -m taskset list --finite-start` leaves them out. Another seed of `init` may start otherwise. Seeds:

{chr(10).join(lists) or "None."}

The everyday tests check all this, and more (JSON round trip, seeds, splits, the three ways to run, finite differences), for two
tasks of each family: tests/tasks/test_conformance.py. Its slow tests repeat what is above for all fixed tasks and
a sample of seeds.
"""


def store(group, entry):
    """Put the entry of a group into starts.json and rebuild docs/conformance.md."""
    stored = json.loads(STARTS.read_text())["groups"] if STARTS.exists() else {}
    stored[group] = entry
    STARTS.write_text(written(stored))
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(document(stored))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", nargs="+", help=f"Families, or {FIXED!r}; by default all.")
    parser.add_argument("--seeds", type=int, default=1000, help="Examine the seeds 0 .. N-1 of each family.")
    report.publish_option(parser, "taskset/execution/starts.json and docs/conformance.md")
    arguments = parser.parse_args()
    groups = arguments.family or [FIXED, *catalogue.families()]

    start_tensorflow(threads=1)
    with shared_arrays():
        for group in groups:
            entry, faults = survey(group, arguments.seeds)
            for name, texts in faults.items():
                print(name, *texts, sep="\n  ", file=sys.stderr)
            if faults:
                return 1
            print(group, json.dumps(entry)[:200], flush=True)
            if arguments.publish:
                store(group, entry)
    return 0


if __name__ == "__main__":
    sys.exit(main())
