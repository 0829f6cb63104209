"""An optimizer learned on many families of tasks, judged on tasks that it has never seen.

    python learned/recipes/proof.py --out DIR [--baselines DIR] [--judged-by DIR] [--hours 2] [--workers 2] [--publish]

1. suite       of all measured tasks that are cheap enough, a few of each family: to train on, and held out (by the hash of names)
2. check       every task to train on makes a few estimates: those that fail, or take too long, are left out
3. training    `mlp` by PES, --hours of it; weights are kept at the start and after each quarter
4. evaluation  of all kept weights on the held-out tasks, 3 seeds, all splits
5. table       against one Adam rate for all and Adam tuned per task; proof.md and pictures in DIR, with --publish in docs/, too,
               and the last weights in learned/pretrained/

Killed at any moment, the same command goes on where it stopped. Every stage leaves its files in DIR: suite.json, check.json,
training/, evaluation/. Baselines: default those of the package; --judged-by: others for the held-out tasks, of as many seeds as
the evaluation has.
"""

import argparse
import dataclasses
import json
import multiprocessing
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

LENGTH = 200  # steps of the longest episodes, and of the evaluation
QUARTERS, SEEDS = 4, 3
MAX_MS, MAX_PARAMETERS = 4.0, 160_000
PER_FAMILY = {"train": 6, "test": 3}
MAX_ESTIMATE, MAX_FIRST = 2.5, 90.0  # CPU seconds of an estimate; of the first, compilation included
SAVE_EVERY = 20  # outer steps


def options():
    """What the training is told.

    Many tasks a step and few pairs each: the gradient's variance over tasks is what is largest. Short episodes first: moving in
    the right direction at all is learned from them, at a quarter of the cost.
    """
    from learned.outer_training.options import Options

    return Options(
        "mlp", "pes", "train", pairs=4, steps=20, sigma=0.01, first_lengths="spread", lengths=f"linear:40:{LENGTH}:800", slots=16,
        tasks_per_step=8, learning_rate=0.005, warm_up=50, clip=0.1,
    )  # fmt: skip


# The suite.


def make_suite(arguments):
    """Of the tasks that are small enough the first of each family and split."""
    from taskset.scoring import suites

    made = suites.make(
        "proof", ["*"], arguments.baselines, arguments.source, arguments.horizon, arguments.max_ms, arguments.max_parameters
    )
    kept, counts = [], {}
    for entry in made.tasks:
        place = entry.family, entry.split
        counts[place] = counts.get(place, 0) + 1
        if counts[place] <= PER_FAMILY.get(entry.split, 0):
            kept.append(entry)
    return dataclasses.replace(made, tasks=tuple(kept), rule={**made.rule, "per_family": PER_FAMILY})


def _check(pipe, suite, chosen, data_dir):
    from taskset.execution.runtime import start_tensorflow

    start_tensorflow(threads=1)
    import numpy as np

    from learned.outer_training.task_pool import Slot, TaskPool, completed
    from taskset.execution.memory import private_mib

    slots = TaskPool(suite, chosen, data_dir, memory=1500)
    theta = np.concatenate([np.asarray(w).ravel() for w in slots.optimizer.init_theta(0).values()]).astype(np.float64)
    while (task := pipe.recv()) is not None:
        before = private_mib()
        try:
            state, times = slots.estimator(task).init(0), []
            slots.slots[0] = Slot(task, 1, state, completed(state))
            for _ in range(3):
                start = time.process_time()
                slots.slots[0].since = slots.slots[0].since + 100  # the task stays
                estimate = slots.estimate(0, 0, theta).estimate
                times.append(time.process_time() - start)
            layout = getattr(slots.estimator(task).unroll, "layout", None)
            told = {"first": times[0], "step": min(times[1:]), "growth": private_mib() - before, "memory": private_mib()}
            pipe.send({**told, "loss": estimate.loss, "non_finite": estimate.non_finite, "layout": layout})
        except Exception as error:  # a task that can't be trained on is left out, whatever the reason; it is told
            pipe.send({"failed": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"})


def check(suite, chosen, path, data_dir):
    """{task: cost} of all tasks to train on; written to `path` as they come."""
    from taskset.datasets.sharing import shared_arrays

    found = json.loads(path.read_text()) if path.exists() else {}
    waiting = [entry.task for entry in suite.of_split("train") if entry.task not in found]
    context = multiprocessing.get_context("spawn")
    with shared_arrays():
        process = None
        for task in waiting:
            if process is None or not process.is_alive():
                pipe, there = context.Pipe()
                process = context.Process(target=_check, args=(there, suite, chosen, data_dir), daemon=True)
                process.start()
                there.close()
            pipe.send(task)
            try:
                found[task] = pipe.recv()
            except EOFError:
                found[task] = {"failed": "the process ended (out of memory?)"}
            print(task, found[task], flush=True)
            path.write_text(json.dumps(found, indent=1))
        if process:
            pipe.send(None)
            process.join()
    return found


def fit_to_train(cost):
    """Whether a task's measured cost is small enough."""
    return "failed" not in cost and cost["step"] <= MAX_ESTIMATE and cost["first"] <= MAX_FIRST


# Training.


def train(suite, chosen, out, arguments):
    """Train until the hours are full; returns [(quarter, outer step, seconds)] of the kept weights."""
    from taskset.execution.runtime import start_tensorflow

    start_tensorflow(threads=1)
    from learned import optimizers
    from learned.outer_training.trainer import Trainer
    from learned.outer_training.workers import Workers
    from taskset.datasets.sharing import shared_arrays

    path = out / "progress.json"
    progress = json.loads(path.read_text()) if path.exists() else {"seconds": 0.0, "kept": []}
    budget = 3600 * arguments.hours
    if len(progress["kept"]) > QUARTERS:
        return progress["kept"]
    clock = Clock(progress, path, budget)
    given = suite, chosen, arguments.data_dir, ["learned"], arguments.memory
    with shared_arrays(), Workers(arguments.workers, *given) as workers:
        trainer = Trainer(out, suite, chosen, workers, optimizers.get(chosen.optimizer))
        while True:
            quarter = len(progress["kept"])
            if clock.due:
                trainer.keep(out / f"quarter-{quarter}.npz")
                progress["kept"].append((quarter, trainer.step, progress["seconds"]))
                path.write_text(json.dumps(progress))
                if quarter == QUARTERS:
                    return progress["kept"]
            clock.start()
            try:
                trainer.train(sys.maxsize, save_every=SAVE_EVERY, report=clock)
            except QuarterIsOver:
                trainer.save()


class QuarterIsOver(Exception):
    """Ends `Trainer.train` between two outer steps."""


class Clock:
    """Counts seconds of training, across restarts; tells how it goes; raises `QuarterIsOver`."""

    def __init__(self, progress, path, budget):
        self.progress, self.path, self.budget, self.lines = progress, path, budget, []

    @property
    def due(self):
        return self.progress["seconds"] >= len(self.progress["kept"]) * self.budget / QUARTERS

    def start(self):
        self.last = time.monotonic()

    def __call__(self, line):
        self.lines.append(line)
        now = time.monotonic()
        self.progress["seconds"] += now - self.last
        self.last = now
        if line["step"] % SAVE_EVERY == 0:
            _tell(self.lines, self.progress["seconds"])
            self.lines = []
            self.path.write_text(json.dumps(self.progress))
        if self.due:
            raise QuarterIsOver


def _tell(lines, seconds):
    families = {}
    for line in lines:
        for task in line["tasks"]:
            if task["loss"] is not None:
                families.setdefault(task["family"].removesuffix("_family"), []).append(task["loss"])
    each = ", ".join(f"{family} {sum(losses) / len(losses):.2f}" for family, losses in sorted(families.items()))
    norm = sum(line["gradient_norm"] for line in lines) / len(lines)
    lost = sum(line["non_finite_share"] for line in lines) / len(lines)
    print(f"{seconds:6.0f} s, step {lines[-1]['step']}: |g| {norm:.3g}, not finite {lost:.1%}; {each}", flush=True)


# Evaluation.


def judges(arguments):
    """The directory of the baselines that weights are judged by; None: those of the package."""
    return arguments.judged_by or arguments.baselines


def grid(arguments):
    """(evaluations, batches) of runs of LENGTH steps so that the baselines have the same steps."""
    from taskset.normalization import store

    root = judges(arguments) or store.packaged_root()
    if (Path(root) / "sweep.json").exists():
        told = json.loads((Path(root) / "sweep.json").read_text())
        horizon, evaluations, batches = told["steps"], told["evaluations"], told["batches"]
    else:
        sweeps = store.load_sweeps(root)
        row = sweeps[sweeps["horizon"] == arguments.horizon].iloc[0]
        horizon, evaluations, batches = row["horizon"], row["evaluations"], row["batches"]
    interval = int(horizon) // int(evaluations)
    while LENGTH % interval:
        interval += int(horizon) // int(evaluations)
        if interval > LENGTH:
            raise SystemExit(f"the baselines have an evaluation every {int(horizon) // int(evaluations)} steps, none at {LENGTH}")
    return LENGTH // interval, int(batches)


def evaluate(kept, out, arguments):
    """Curves of all kept weights on the held-out tasks; returns their directories."""
    evaluations, batches = grid(arguments)
    roots = []
    for quarter, step, _ in kept:
        roots.append(out / "evaluation" / f"quarter-{quarter}")
        command = [
            sys.executable, "-m", "learned", "evaluate", out / "training" / f"quarter-{quarter}.npz",
            "--tasks", out / "suite.json", "--split", "test", "--seeds", SEEDS, "--horizon", LENGTH, "--batches", batches,
            "--evaluations", evaluations, "--name", f"mlp_pes_step{step}_quarter{quarter}", "--out", roots[-1],
            "--workers", arguments.workers,
        ]  # fmt: skip
        if arguments.data_dir:
            command += ["--data-dir", arguments.data_dir]
        subprocess.run([str(part) for part in command], check=True)
    return roots


def draw(found, kept, path):
    """Mean normalized train loss over the held-out tasks against hours of training."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    table = found.table[found.table["split"] == "train"]
    ours, theirs = table.iloc[: len(kept)], table.iloc[len(kept) :]
    hours = [seconds / 3600 for _, _, seconds in kept]
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    spread = [ours["mean"] - ours["mean low"], ours["mean high"] - ours["mean"]]
    axes.errorbar(hours, ours["mean"], yerr=spread, fmt="o-", capsize=3, label="mlp by PES, 1 run")
    for (_, row), style in zip(theirs.iterrows(), ("--", "-.", ":")):
        axes.axhline(row["mean"], color="black", linestyle=style, linewidth=1, label=f"{row['title']} ({row['trials']})")
    axes.set(xlabel="hours of outer training", ylabel=f"normalized train loss, {found.view}, held-out tasks")
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--baselines", type=Path)
    parser.add_argument("--horizon", type=int, default=2000, help="of the baselines")
    parser.add_argument("--source", default="synthetic")
    parser.add_argument("--data-dir")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory", type=int, default=4000, help="MiB of a worker: enough for the programs of all tasks")
    parser.add_argument("--max-ms", type=float, default=MAX_MS)
    parser.add_argument("--max-parameters", type=float, default=MAX_PARAMETERS)
    parser.add_argument("--judged-by", type=Path)
    parser.add_argument("--note", default="", help="a sentence on the conditions of the run, for the report")
    parser.add_argument("--publish", action="store_true", help="into docs/ and learned/pretrained/")
    parser.add_argument("--until", choices=("suite", "check", "training", "table"), default="table", help="the last stage to run")
    arguments = parser.parse_args()
    import learned  # noqa: F401
    from taskset.scoring import suites

    out, chosen = arguments.out, options()
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "candidates.json").exists():
        suites.save(make_suite(arguments), out / "candidates.json")
    suite = suites.load(out / "candidates.json")
    print(f"candidates: {_counts(suite)}", flush=True)
    if arguments.until == "suite":
        return
    if not (out / "suite.json").exists():
        costs = check(suite, chosen, out / "check.json", arguments.data_dir)
        kept = tuple(entry for entry in suite.tasks if entry.split != "train" or fit_to_train(costs[entry.task]))
        suites.save(dataclasses.replace(suite, tasks=kept), out / "suite.json")
    suite = suites.load(out / "suite.json")
    print(f"suite: {_counts(suite)}", flush=True)
    if arguments.until == "check":
        return
    kept = train(suite, chosen, out / "training", arguments)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"training: {kept[-1][1]} outer steps in {kept[-1][2] / 3600:.2f} hours; largest worker {largest:.0f} MB", flush=True)
    if arguments.until == "training":
        return
    roots = evaluate(kept, out, arguments)
    _report(roots, kept, suite, out, arguments)


def _counts(suite):
    told = {split: suite.of_split(split) for split in ("train", "test")}
    return ", ".join(f"{split} {len(e)} tasks of {len({entry.family for entry in e})} families" for split, e in told.items())


def by_family(found, learned, suite):
    """Mean scores of train loss over the held-out tasks of each family: [[family, tasks, scores ..]], and the header."""
    from taskset.scoring.rivals import contenders

    means = found.per_task
    rows = contenders(means.loc[["train", "valid_outer"]], learned)[0]
    chosen = [rows[0], rows[len(learned) - 1], *rows[len(learned) : len(learned) + 2]]
    families = {}
    for task in rows[0].chosen:
        families.setdefault(suite.entry(task).family, []).append(task)
    lines = []
    for family, tasks in sorted(families.items()):
        scores = [sum(means.at[("train", task), row.chosen[task]] for task in tasks) / len(tasks) for row in chosen]
        lines.append([family, len(tasks), *(f"{score:.3f}" for score in scores)])
    return ["family", "tasks", *(row.title for row in chosen)], lines


def _report(roots, kept, suite, out, arguments):
    from benchmarks import report as tables
    from taskset.scoring import report
    from taskset.scoring.comparison import compare

    parts, pictures = [], []
    for view in ("mean", "end"):
        found = compare(roots, judges(arguments), view, arguments.horizon)
        learned = list(found.table["title"].unique()[: len(kept)])
        pictures.append(out / f"proof_{view}.png")
        draw(found, kept, pictures[-1])
        # Of the speed-ups, which are the same in every view, those of the last weights, once.
        told = found.speedups["title"].eq(learned[-1]) & (view == "mean")
        found = dataclasses.replace(found, speedups=found.speedups[told])
        parts += [f"![{view} loss against hours](pictures/{pictures[-1].name})", report.markdown(found)]
        if view == "mean":
            parts.append("Train loss, of each family the mean over its held-out tasks:")
            parts.append(tables.table(*by_family(found, learned, suite)))
    hours = ", ".join(f"{step} after {seconds / 3600:.2f} h" for _, step, seconds in kept)
    told = f"Outer steps: {hours}, by {arguments.workers} workers. Suite: {_counts(suite)}. {arguments.note}".strip()
    parts.append(f"{told} {tables.conditions('tensorflow', 'numpy')}.")
    text = "\n\n".join(part.strip() for part in parts)
    (out / "proof.md").write_text(text + "\n")
    print(text)
    if arguments.publish:
        tables.write_section("proof", text, ROOT / "docs" / "learned.md")
        for picture in pictures:
            shutil.copy(picture, ROOT / "docs" / "pictures")
        shutil.copy(out / "training" / f"quarter-{QUARTERS}.npz", ROOT / "learned" / "pretrained" / "mlp_pes.npz")


if __name__ == "__main__":
    main()
