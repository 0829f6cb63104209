"""What a training step of the families' tasks costs: time, compilation and memory.

    python -m benchmarks.families [--family NAME ..] [--samples 4] [--first 16]
    python -m benchmarks.families --task NAME ..

Of families that can be sampled, the first seeds, whose cost the shipped baselines need, and those in the middle of equal parts of
all, sorted by the products in a step (`taskset.execution.work`); of the others, up to 5 of their fixed tasks. Each is trained by
`taskset.execution.loop.Loop` with Adam on synthetic data in a process of its own, on one core with one thread; CPU time is
counted, which other load on the machine disturbs least. Prints one line per task. `python -m tools.costs` makes
taskset/execution/costs.json and docs/families.md from the same measurements.
"""

import argparse
import json
import os
import resource
import statistics
import time

from benchmarks import processes
from taskset import catalogue, registry
from taskset.datasets.sharing import shared_arrays
from taskset.execution.runtime import start_tensorflow
from taskset.execution.work import work

OPTIMIZER = "adam_lr_-3.00"
SECONDS = 0.25  # of steps in a timed call, at most a chunk
CALLS = 3
FIXED_SAMPLES = 5


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


def chosen(family, samples, first):
    """The tasks of a family that are timed."""
    facts = facts_of(family)
    return sample(facts, samples, first) if family in catalogue.families() else sample(facts, FIXED_SAMPLES)


def measure(name):
    """{"ms" per step, "compile" (CPU seconds), "memory" (peak MiB), "cpu" (seconds in all)}, of a task in its own process."""
    return processes.result_of(_measure, name)


def _measure(name, pipe):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    start_tensorflow(threads=1)
    from taskset.execution.loop import Loop
    from taskset.optimizers import get_optimizer

    optimizer = get_optimizer(OPTIMIZER)
    loop = Loop(catalogue.get_task(name, "synthetic"), optimizer)
    run, hparams = loop.start(0), optimizer.hparams(10_000)
    raw = loop.draw_raw(0, 0)

    def preparing():
        """CPU seconds of preparing the batches of a chunk; nothing unless they are augmented."""
        before = time.process_time()
        loop.prepared(raw, 0, 0)
        return time.process_time() - before

    compiling = preparing()
    prepared = statistics.median(preparing() for _ in range(CALLS)) / loop.chunk
    raw = loop.prepared(raw, 0, 0)

    def timed(steps):
        before = time.process_time()
        loop.train(run, hparams, steps, raw)
        return time.process_time() - before

    compiling += timed(0)
    once = timed(1)
    steps = min(loop.chunk, max(1, int(SECONDS / max(once, 1e-6))))
    if steps > 1:  # a single step of a small task is mostly the call
        steps = min(loop.chunk, max(1, int(SECONDS / (timed(steps) / steps))))
    calls = [timed(steps) for _ in range(CALLS if once < 2 else 1)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ms = 1000 * (statistics.median(calls) / steps + prepared)
    pipe.send({"ms": ms, "compile": compiling, "memory": peak, "cpu": time.process_time()})


def sample_options(parser):
    """The options that choose what is measured."""
    parser.add_argument("--family", nargs="+", choices=families(), metavar="NAME", help="Families to measure; by default all.")
    parser.add_argument("--samples", type=int, default=4, help="Tasks of each sampled family, spread over all sizes.")
    parser.add_argument("--first", type=int, default=16, help="Tasks of each sampled family, from seed 0 on.")
    parser.add_argument("--task", nargs="+", metavar="NAME", help="Measure these tasks and no families.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sample_options(parser)
    arguments = parser.parse_args()
    processes.compile_everything()
    with shared_arrays():
        wanted = arguments.family or families()
        for name in arguments.task or (name for f in wanted for name in chosen(f, arguments.samples, arguments.first)):
            print(name, json.dumps(measure(name)), flush=True)


if __name__ == "__main__":
    main()
