"""Training loops and an outer step as StableHLO, with their inputs: for machines that have a GPU and JAX, but no TensorFlow.

    python -m benchmarks.export [--out DIR] [--task NAME ..] [--copies 1 64 1024] [--steps 20]
                                [--outer NAME ..] [--optimizers NAME ..] [--pairs 64]
                                [--draws-for GPU] [--elsewhere FILE] [--no-timing] [--publish]

Tasks are lines of benchmarks/inner_tasks.py or published names (on synthetic data). Copies are seeds x learning rates
(`benchmarks.exported.GridLoop`); --outer: tasks for an outer step by persistent evolution strategies, of PAIRS pairs and
50 inner steps, with each of the learned optimizers.
What TensorFlow compiles is written, not a translation of it: for each program

    NAME.stablehlo   the program, text
    NAME.npz         its inputs, in its order (tensors that the trace captured are the last ones)
    NAME.out.npz     its outputs, computed by TensorFlow on this CPU

and manifest.json, which lists the programs and those that can't be made, with the reason. benchmarks/run_stablehlo.py, copied to
the other machine with DIR, runs, checks and times them there.

--draws-for: large random draws are TensorFlow's own Philox operation on a GPU, and are made of elementary operations on a CPU
(`taskset.random.philox`); the numbers are the same. On a CPU the program for a GPU is slower where it draws much.

Then TensorFlow and JAX (if it is installed) run the programs on one core, one thread each. Prints the section "accelerators" of
docs/benchmarks.md; --publish writes it. --elsewhere: what `run_stablehlo.py` printed on another machine, for columns of its own
in the table.
"""

import argparse
import functools
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import inner_tasks
from benchmarks.run_stablehlo import MANIFEST, differences, timed
from taskset.execution.runtime import start_tensorflow
from tools import report

TASKS = (
    "MLP 64-32-10, batch 32",
    "Convolutions 16-32-32, strides 1-2-2, 32x32x3, batch 64",
    "LSTM 64, characters",
    "Quadratic 100",
)
OUTER = ("Digits_mlp32_bs128",)
OPTIMIZERS = ("anchored", "mlp")
PAIRS, TRUNCATION = 64, 50
COPIES = (1, 64, 1024)
DEVICES = ("CPU", "GPU", "TPU")
BASIS = {"CPU": "measured", "GPU": "assumed", "TPU": "assumed"}
OTHER_CHOICES = (
    ("large random draws", "elementary operations", "TensorFlow's operation", "TensorFlow's operation"),
    ("learning rates of a seed in one program", "tasks without data", "tasks without data", "tasks without data"),
    ("copies of an outer step", "batched, small layers", "batched, if possible", "batched, if possible"),
)
DRAWS = {"GPU": "by TensorFlow's own Philox operation", "CPU": "of elementary operations (`taskset.random.philox`)"}
SITUATION = """Everything below was run on a CPU. An outer step of 64 pairs and 50 steps, of one of the two optimizers
below, was once run on an NVIDIA H100 (JAX 0.11.2, 2026-11-26) and took 6.4 ms ([one
run](one_run_history.md#an-outer-step-on-a-gpu), where the optimizer is not named)."""
RUNNER = Path(__file__).with_name("run_stablehlo.py")
SECONDS = 2.0  # of timing, a program
NUDGE = 1e-7  # about the rounding of float32
REASONS = {
    "Conv2D": "a convolution with filters of each copy's own has no batched form",
    "DT_VARIANT": "a loop over time keeps a list of tensors; XLA does not support its batched form, a list of lists",
    "TensorList": "a loop over time keeps a list of tensors; XLA does not support its batched form, a list of lists",
}


def make(name):
    """The task called `name`: a line of the inner-loop benchmark, or a published one on synthetic data."""
    import learned  # noqa: F401  registers its tasks
    from taskset.catalogue import get_task

    return inner_tasks.make(name) if name in inner_tasks.names() else get_task(name, "synthetic")


def write(program, directory, draws_for):
    """Write the files of a `Program`; returns (its entry of the manifest, the compiled program, its outputs)."""
    compiled = program.compiled(draws_for)
    outputs = [x.numpy() for x in compiled()]
    text, inputs = compiled.stablehlo(), [x.numpy() for x in compiled.inputs]
    (directory / f"{program.name}.stablehlo").write_text(text)
    np.savez_compressed(directory / f"{program.name}.npz", *inputs)
    np.savez_compressed(directory / f"{program.name}.out.npz", *outputs)
    sizes = {"text_bytes": len(text), "input_bytes": sum(x.nbytes for x in inputs)}
    counts = {"inputs": len(inputs), "outputs": len(outputs), "losses": len(outputs) - 1}  # the number of that output
    return {"name": program.name, "exported": True, **program.facts, **sizes, **counts}, compiled, outputs


def measure(compiled, outputs):
    """CPU seconds of a call, a median; how far outputs go where the floats among the inputs are changed by NUDGE."""
    nudged, results = compiled.nudged(NUDGE), {}
    (cpu, _), _ = timed(lambda: results.update(last=nudged()), SECONDS)
    return {"tensorflow_cpu_s": cpu, "nudged_difference": max(differences([x.numpy() for x in results["last"]], outputs))}


def export(directory, programs, draws_for, measured=lambda compiled, outputs: {}):
    """Write all programs and the manifest; returns the manifest.

    programs: [(facts, function that makes the `Program`)]; facts stand for a program that can't be made.
    measured: what is measured of a compiled program with its outputs, for the manifest; by default nothing.
    """
    import tensorflow as tf

    from taskset.execution.copies import NotBatched

    refusals = (NotBatched, ValueError, NotImplementedError, tf.errors.InvalidArgumentError, tf.errors.UnimplementedError)

    directory.mkdir(parents=True, exist_ok=True)
    entries = []
    for facts, maker in programs:
        logger = tf.get_logger()
        level = logger.level
        logger.setLevel("CRITICAL")  # at length, of an operation that can't be batched
        try:
            entry, *made = write(maker(), directory, draws_for)
        except refusals as error:
            if facts["copies"] == 1:  # nothing is batched there: an error of another kind
                raise
            entries.append({**facts, "exported": False, "why": reason(error), "error": last_line(error)})
        else:
            entries.append({**entry, **measured(*made)})
        finally:
            logger.setLevel(level)
    versions = {"tensorflow": tf.__version__, "numpy": np.__version__}
    manifest = {"draws_for": draws_for, "lowered_on": "CPU", "versions": versions, "programs": entries}
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=1))
    return manifest


def reason(error):
    """Why a program of copies can't be made, from what TensorFlow says of it."""
    found = [why for sign, why in REASONS.items() if sign in str(error)]
    return found[0] if found else last_line(error)


def last_line(error):
    """Of what an error says: TensorFlow puts a traceback before it."""
    return str(error).strip().splitlines()[-1].strip()


def run_with_jax(directory, seconds=SECONDS):
    """{program: line of `run_stablehlo.py`}, from a process of its own with one thread on a CPU."""
    flags = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(RUNNER), str(directory), "--seconds", str(seconds)]
    done = subprocess.run(command, env={**os.environ, **flags}, stdout=subprocess.PIPE, text=True, check=True)
    return {line["program"]: line for line in map(json.loads, done.stdout.splitlines())}


def planned(tasks, copies, steps, outer, optimizers=OPTIMIZERS, pairs=PAIRS):
    """[(facts, maker)] of everything that is asked for."""
    from benchmarks import exported

    programs = []
    for name in tasks:
        task = make(name)
        for n in copies:
            facts = {"name": f"{exported.slug(name)}_{n}", "kind": "training loop", "task": name, "copies": n, "steps": steps}
            programs.append((facts, lambda task=task, n=n: exported.loop(task, n, steps)))
    for name in outer:
        for optimizer in optimizers:
            facts = {"name": f"outer_{exported.slug(name)}_{optimizer}", "kind": "outer step", "task": name, "copies": 1}
            maker = functools.partial(exported.outer, make(name), optimizer, pairs, TRUNCATION)
            programs.append((facts, maker))
    return programs


def _milliseconds(seconds, entry):
    return f"{1e3 * seconds / entry['steps']:.3g}"


def _row(entry, here, there):
    copies = f"{entry['copies']} ({entry['seeds']} x {entry['rates']})" if entry.get("seeds", 1) > 1 else entry["copies"]
    name = entry["task"] if entry["kind"] == "training loop" else f"outer step of {entry['optimizer']}, {entry['task']}"
    sizes = f"{entry['text_bytes'] / 2**10:.0f}", f"{entry['input_bytes'] / 2**20:.2f}"
    row = [name, copies, entry["steps"], *sizes, _milliseconds(entry["tensorflow_cpu_s"], entry)]
    row.append(f"{entry['nudged_difference']:.0e}")
    row += [_milliseconds(here["cpu_s"], entry), *_apart(here)] if here else [""] * 3
    if there is not None:
        found = there.get(entry["name"])
        row += [_milliseconds(found["wall_s"], entry), *_apart(found)] if found else [""] * 3
    return row


def _apart(line):
    return [f"{line[key]:.0e}" for key in ("loss_difference", "difference")]


def _programs(manifest, here, there):
    apart = ["difference of losses", "of the worst output"]
    header = ["program", "copies (seeds x rates)", "steps", "text, KiB", "inputs, MiB"]
    header += ["TensorFlow, CPU ms a step", "its own difference", "JAX, CPU ms a step", *apart]
    if there is not None:
        device = next(iter(there.values()))
        header += [f"{device['device']}, JAX {device['jax']}, ms a step", *apart]
    entries = [entry for entry in manifest["programs"] if entry["exported"]]
    return report.table(header, [_row(entry, here.get(entry["name"]), there) for entry in entries])


def _whole_steps(manifest, here):
    """What whole outer steps take on this CPU, in a sentence each; "" where there are none or JAX is not installed."""
    said = []
    for entry in manifest["programs"]:
        if entry["kind"] == "outer step" and entry["name"] in here:
            jax, tensorflow = here[entry["name"]]["cpu_s"], entry["tensorflow_cpu_s"]
            size = f"{entry['copies'] // 2} pairs and {entry['steps']} steps"
            times = f"{1e3 * jax:,.0f} ms under JAX, {1e3 * tensorflow:,.0f} under TensorFlow"
            said.append(f"A whole outer step of `{entry['optimizer']}`, {size}, took {times}, on one thread of this CPU.")
    return "\n".join(said)


def _refused(manifest):
    lines = {}
    for entry in manifest["programs"]:
        if not entry["exported"]:
            lines.setdefault((entry["task"], entry["why"]), []).append(str(entry["copies"]))
    listed = [f"- {task}, {' and '.join(copies)} copies: {why}." for (task, why), copies in lines.items()]
    return "\n".join(["Cannot be batched into one program of copies:", "", *listed]) if listed else ""


def modes():
    """The table of what is chosen on which device: the choice by the code's rules, and what it rests on."""
    from taskset.execution.loop import execution_mode

    rows = []
    for name in TASKS:
        chosen = [execution_mode(make(name), device) for device in DEVICES]
        rows.append([name.split(",")[0], *(f"`{mode}`, {BASIS[device]}" for mode, device in zip(chosen, DEVICES))])
    for kind, *choices in OTHER_CHOICES:
        rows.append([kind, *(f"{choice}, {BASIS[device]}" for choice, device in zip(choices, DEVICES))])
    return report.table(["what", *DEVICES], rows)


def _section(manifest, here, there):
    programs = ("tensorflow", "jax", "numpy") if here else ("tensorflow", "numpy")
    return f"""## Accelerators

{SITUATION if there is None else ""}
{_whole_steps(manifest, here)}

`python -m benchmarks.export` writes training loops and an outer step as StableHLO, with inputs and TensorFlow's outputs;
`benchmarks/run_stablehlo.py` runs them under JAX where there is no TensorFlow. The programs are those that an accelerator would
be given: `xla_loop`, an outer step with all copies batched; large random draws are made {DRAWS[manifest["draws_for"]]}.
On the CPU both sides ran the same programs, one thread, one core; CPU time, medians. (By default a CPU runs convolutions in
`graph_loop`, which takes a small part of the time below.) A step is one of all copies. An outer step is all of it, from the
perturbations to Adam; its time is divided by the steps of its truncation. TensorFlow's time includes the call from Python.
A difference is the greatest difference of an output from TensorFlow's, relative to the greatest number of that output. "Its own
difference" is that of TensorFlow's worst output from itself when the floats among the inputs are changed by {NUDGE:g}: it shows
what Adam makes of mere rounding, where gradients are near zero.

{_programs(manifest, here, there)}

{_refused(manifest)}

The next table has what is chosen on which device. "Measured" choices were timed against the alternative on a CPU (modes:
`benchmarks/modes.py`; the others: `taskset/random/philox.py`, `taskset/execution/copies.py` and `learned/unrolling/unroll.py` say
what came out). "Assumed" choices follow from what it costs to start an operation, and were never timed.

{modes()}

Load average when this was written: {os.getloadavg()[0]:.1f}; where it is above the number of cores, caches are shared with other
work. {report.conditions(*programs)}."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="Folder for the programs; by default a temporary one.")
    parser.add_argument("--task", nargs="*", default=TASKS, help="Tasks: lines of benchmarks/inner_tasks.py or published names.")
    parser.add_argument("--copies", nargs="+", type=int, default=COPIES, help="Copies of each training loop in one program.")
    parser.add_argument("--steps", type=int, default=20, help="Steps of each training loop.")
    parser.add_argument("--outer", nargs="*", default=OUTER, help="Tasks of an outer step.")
    parser.add_argument("--optimizers", nargs="+", default=OPTIMIZERS, help="Learned optimizers of the outer steps.")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="Antithetic pairs of an outer step.")
    parser.add_argument(
        "--draws-for", choices=("CPU", "GPU"), default="GPU", help="Device whose way of drawing large random tensors is used."
    )
    parser.add_argument("--elsewhere", type=Path, help="What run_stablehlo.py printed on another machine.")
    parser.add_argument("--no-timing", action="store_true", help="Write the programs and time nothing here.")
    report.publish_option(parser)
    arguments = parser.parse_args()
    report.require_whole(parser, arguments, "task", "copies", "outer", "optimizers")
    if arguments.publish and arguments.no_timing:
        parser.error("--publish needs the times that --no-timing leaves out")
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    start_tensorflow(threads=1)
    there = None
    if arguments.elsewhere:
        there = {line["program"]: line for line in map(json.loads, arguments.elsewhere.read_text().splitlines())}
    with tempfile.TemporaryDirectory() as temporary:
        directory = arguments.out or Path(temporary)
        programs = planned(
            arguments.task, arguments.copies, arguments.steps, arguments.outer, arguments.optimizers, arguments.pairs
        )
        manifest = export(directory, programs, arguments.draws_for, *([] if arguments.no_timing else [measure]))
        for entry in manifest["programs"]:
            print(entry["name"], "exported" if entry["exported"] else f"not exported: {entry['why']}")
        if not arguments.no_timing:
            here = run_with_jax(directory) if importlib.util.find_spec("jax") else {}
            os.sched_setaffinity(0, cores)
            text = _section(manifest, here, there)
            report.show(arguments, "accelerators", text)


if __name__ == "__main__":
    main()
