"""Run programs that `benchmarks/export.py` wrote, on whatever device JAX has. Needs NumPy and JAX and no other file.

    python run_stablehlo.py DIR [--program NAME ..] [--seconds 2]

For every program: compile the StableHLO text, run it on the inputs beside it, compare with the outputs that TensorFlow computed
on a CPU, and time it. Prints a line of JSON each, see `run`.

cpu_s, wall_s: medians of the seconds of a call, inputs and outputs staying on the device; on an accelerator wall time counts.
loss_difference: of the training losses; difference: of the worst output, see the function of that name.
Checked with JAX 0.6.2 and 0.10.2, on a CPU.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

MANIFEST = "manifest.json"


def arrays(path):
    """The arrays of an .npz file, in their order."""
    with np.load(path) as saved:
        return [saved[name] for name in saved.files]


def difference(found, expected):
    """max |found - expected| / max |expected| of one output; infinite where shapes, dtypes or what is finite differ."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return float("inf")
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(found)):
        return float("inf")
    apart = np.abs(found - expected)[finite].max(initial=0.0)
    return float(apart / max(np.abs(expected[finite]).max(initial=0.0), np.finfo(np.float32).tiny))


def differences(found, expected):
    """The `difference` of each output."""
    if len(found) != len(expected):
        raise SystemExit(f"{len(found)} outputs where TensorFlow had {len(expected)}: the files are not of one program")
    return [difference(*pair) for pair in zip(found, expected)]


class Program:
    """A compiled program on the first device: `program(inputs) -> outputs`, lists of arrays on the device."""

    def __init__(self, text):
        import jax.extend.backend

        client, device = jax.extend.backend.get_backend(), jax.devices()[0]
        self._executable = client.compile_and_load(text, [device])

    def launch(self, inputs):
        """The outputs, which the device may still be computing."""
        return [shard[0] for shard in self._executable.execute_sharded(inputs).disassemble_into_single_device_arrays()]

    def __call__(self, inputs):
        import jax

        return jax.block_until_ready(self.launch(inputs))


def _now():
    return np.array([time.process_time(), time.perf_counter()])


def timed(call, seconds):
    """((CPU, wall) seconds of a call, medians; number of calls): as many calls as fit into `seconds`, at least one."""
    times, start = [], time.perf_counter()
    while not times or time.perf_counter() - start < seconds:
        before = _now()
        call()
        times.append(_now() - before)
    return tuple(statistics.median(column) for column in zip(*times)), len(times)


def run(directory, entry, seconds):
    """What is printed of one program, an entry of the manifest: a dict.

    {"program", "platform", "device", "jax", "compile_s", "cpu_s", "wall_s", "calls", "loss_difference", "difference"}
    """
    import jax

    name = entry["name"]
    start = time.perf_counter()
    program = Program((directory / f"{name}.stablehlo").read_text())
    compiled = time.perf_counter() - start
    inputs = [jax.device_put(x) for x in arrays(directory / f"{name}.npz")]
    outputs = [np.asarray(x) for x in program(inputs)]
    apart = differences(outputs, arrays(directory / f"{name}.out.npz"))
    (cpu, wall), calls = timed(lambda: program(inputs), seconds)
    device = jax.devices()[0]
    where = {"program": name, "platform": device.platform, "device": device.device_kind, "jax": jax.__version__}
    took = {"compile_s": compiled, "cpu_s": cpu, "wall_s": wall, "calls": calls}
    return {**where, **took, "loss_difference": apart[entry["losses"]], "difference": max(apart)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="Folder that benchmarks/export.py wrote.")
    parser.add_argument("--program", nargs="+", help="Only these programs.")
    parser.add_argument("--seconds", type=float, default=2.0, help="Seconds of timing for each program.")
    arguments = parser.parse_args()
    entries = json.loads((arguments.directory / MANIFEST).read_text())["programs"]
    for entry in entries:
        if entry["exported"] and (not arguments.program or entry["name"] in arguments.program):
            print(json.dumps(run(arguments.directory, entry, arguments.seconds)), flush=True)


if __name__ == "__main__":
    main()
