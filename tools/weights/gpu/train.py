"""Outer training with the programs of programs.py, on one accelerator under JAX: needs NumPy, JAX and this repository.

    python -m tools.weights.gpu.train OUT PROGRAMS .. --from WEIGHTS.npz --seconds 1500
        [--controller-seconds 500] [--tasks-per-step 8]

In an outer step a few tasks are drawn, those of a family in proportion to its weight, and the mean of their gradients goes,
clipped by its norm, into AdamW, whose rate falls along a cosine of time. For the first --controller-seconds only the step sizes
are trained (`controller/*`, `power`, `length`), then directions as well.

OUT/theta-STEP.npz: the weights after that many outer steps, by their names in the package; OUT/log.jsonl: a line for every 100
steps, the mean normalized loss of each family among them. The schedules follow the clock, so that two runs differ.
"""

import argparse
import concurrent.futures
import gzip
import json
import math
import os
import time
from pathlib import Path

import numpy as np

from benchmarks.run_stablehlo import Program, arrays
from learned.outer_training import outer_optimizer
from taskset.random import seeds

MANIFEST, DATA = "programs.json", "data.npz"
LENGTHS = {2: 19, 3: 13, 4: 10, 6: 6, 8: 5, 10: 4, 15: 3, 20: 2, 30: 1, 40: 1}  # truncations: of 64 episodes, so many
WEIGHTS = {
    "mlp_family": 3, "mlp_ae_family": 2, "mlp_vae_family": 1.5, "conv_pooling_family": 2, "conv_fc_family": 2,
    "losg_tasks_family": 2.5, "quadratic_family": 1.5, "char_rnn_language_model_family": 1.5, "nvp_family": 2,
    "rnn_text_classification_family": 2, "maf_family": 2, "made_family": 1.5, "resnet_family": 1.5,
    "transformer_lm_family": 1.5, "vit_family": 1.5,
}  # fmt: skip
WARM_UP, DECAY, CLIP, LAST_RATE = 49, 1e-4, 1.0, 0.05
STARTS, LINES = 128, 100  # starts of a task; outer steps of a line of the log


def images(name):
    """{"image", "label"} of all stored splits of a synthetic image data set."""
    from taskset.datasets import arrays as image_arrays

    stored = image_arrays.load(name, "synthetic", None)
    return {split: {"image": stored.images[split], "label": stored.labels[split]} for split in stored.images}


def start(law, rng, value):
    """[STARTS, ..] draws of a parameter from what `tools.weights.gpu.programs.distribution` says of it."""
    shape = (STARTS, *law["shape"])
    if law["name"] in ("given", "constant"):
        return np.broadcast_to(np.float32(law["mean"] if value is None else value), shape).copy()
    if law["name"] == "orthogonal":
        rows, columns = math.prod(shape[1:-1]), shape[-1]
        longest = max(rows, columns)
        q = np.linalg.qr(rng.standard_normal((STARTS, longest, min(rows, columns)), np.float32))[0]
        q = q if rows >= columns else q.swapaxes(1, 2)
        return (q * law["stddev"] * math.sqrt(longest)).reshape(shape).astype(np.float32)
    if law["name"] == "uniform":
        low, high = (np.asarray(bound, np.float32) for bound in law["bounds"])
        return low + (high - low) * rng.random(shape, np.float32)
    normal = rng.standard_normal(shape, np.float32)
    if law["name"] == "truncated normal":
        for _ in range(20):
            out = np.abs(normal) > 2
            normal[out] = rng.standard_normal(int(out.sum()), np.float32)
        return np.clip(normal, -2, 2) * np.float32(law["bounds"][1]) / 2
    return np.asarray(law["mean"], np.float32) + normal * np.asarray(law["stddev"], np.float32)


class Task:
    """A program with what belongs to it on the device: starts, examples, the state of its pairs."""

    def __init__(self, facts, data, stored, seed):
        import jax

        self.name, self.family = facts["task"], facts["family"]
        with gzip.open(facts["place"] / f"{self.name}.stablehlo.gz", "rt") as file:
            text = file.read()
        begun = time.perf_counter()
        self._program = Program(text)
        self.compiled_s = time.perf_counter() - begun
        rng = seeds.generator(seed, "starts", self.name)
        given = {path: data.get(f"{self.name}/start/{path}") for path in facts["starts"]}
        starts = [start(facts["starts"][path], rng, given[path]) for path in sorted(facts["starts"])]
        examples = self._examples(facts, data, stored)
        captured = arrays(facts["place"] / f"{self.name}.npz")
        self._fixed = [jax.device_put(x) for x in (*starts, *examples)]
        self._captured = [jax.device_put(x) for x in captured]
        self.state = [jax.device_put(np.zeros(shape, dtype)) for shape, dtype in facts["state"]]

    @staticmethod
    def _examples(facts, data, stored):
        there = facts["examples"]
        if "images" in there:
            low, high = there["rows"]
            return [stored[there["images"]][there["stored"]][name][low:high] for name in sorted(facts["examples_shapes"])]
        return [data[f"{facts['task']}/{name}"] for name in there.get("arrays", [])]

    def __call__(self, theta, lengths, key):
        """(gradient, mean loss, share diverged); the state goes on."""
        outputs = self._program.launch([theta, *self.state, lengths, *self._fixed, key, *self._captured])
        self.state = outputs[3:]
        return outputs[:3]


def rate_at(seconds, arguments, step):
    """The outer learning rate: warmed up, falling along a cosine; so again from where directions are trained."""
    first = seconds < arguments.controller_seconds
    begin, end = (0.0, arguments.controller_seconds) if first else (arguments.controller_seconds, arguments.seconds)
    fraction = outer_optimizer.fraction(seconds, begin, end)
    cosine = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * fraction)) / 2
    return arguments.rate * min(outer_optimizer.warm_up(step, WARM_UP), 0.02 + (seconds - begin) / 10) * cosine


def weights_of(path, shapes):
    """The vector of an .npz of weights by their names. Raises ValueError where it lacks one."""
    with np.load(path) as saved:
        found = {name.removeprefix("theta/"): saved[name] for name in saved.files}
    if missing := shapes.keys() - found.keys():
        raise ValueError(f"{path} has no {', '.join(sorted(missing))}: allowed are weights of the programs' optimizer")
    return np.concatenate([found[name].astype(np.float64).ravel() for name in shapes])


def save(path, x, shapes):
    """The weights by their names."""
    ends = np.cumsum([0, *(math.prod(s) for s in shapes.values())])
    np.savez(path, **{n: x[a:b].reshape(s).astype(np.float32) for (n, s), a, b in zip(shapes.items(), ends, ends[1:])})


def load_tasks(facts, arguments, report):
    """The tasks that are compiled, side by side and in a random order, within `arguments.compile_seconds`."""
    import jax.extend.backend  # noqa: F401  before the threads, which may not all see a half of it

    data = {}
    for place in {one["place"] for one in facts}:
        with np.load(place / DATA) as saved:
            data |= {name: saved[name] for name in saved.files}
    wanted = sorted({one["examples"]["images"] for one in facts if "images" in one["examples"]})
    with concurrent.futures.ProcessPoolExecutor(min(arguments.workers, max(1, len(wanted)))) as pool:
        stored = dict(zip(wanted, pool.map(images, wanted)))
    report({"images": wanted})
    made, over = [], time.perf_counter() + arguments.compile_seconds

    def make(one):
        if time.perf_counter() > over:
            return
        try:
            task = Task(one, data, stored, arguments.seed)
        except Exception as error:  # of the compiler: one task less
            report({"task": one["task"], "failed": str(error)[:300]})
            return
        report({"task": one["task"], "compile_s": round(task.compiled_s, 1)})
        made.append(task)

    pool = concurrent.futures.ThreadPoolExecutor(arguments.workers)
    begun = [pool.submit(make, facts[i]) for i in np.random.default_rng(arguments.seed).permutation(len(facts))]
    concurrent.futures.wait(begun, timeout=arguments.compile_seconds)
    pool.shutdown(wait=False)
    return sorted(made, key=lambda task: task.name)


class Training:
    """The outer training of `tasks`, from the weights x."""

    def __init__(self, tasks, x, shapes, arguments, report):
        self.tasks, self.shapes, self.arguments, self.report = tasks, shapes, arguments, report
        counts = {f: sum(t.family == f for t in tasks) for f in {t.family for t in tasks}}
        chances = np.array([WEIGHTS.get(t.family, 1.0) / counts[t.family] for t in tasks])
        self.chances, self.rng = chances / chances.sum(), np.random.default_rng(arguments.seed)
        parts = [np.full(math.prod(shape), not name.startswith("mlp/")) for name, shape in shapes.items()]
        self.controller, self.lengths = np.concatenate(parts), episode_lengths()
        self.x, self.m, self.v, self.step, self.begun = x, np.zeros_like(x), np.zeros_like(x), 0, 0
        self.directions, self.seen = False, {}

    def advance(self, seconds):
        """One outer step."""
        import jax.numpy as jnp

        if seconds >= self.arguments.controller_seconds and not self.directions:  # the averages of AdamW begin again
            self.directions, self.m, self.v, self.begun = True, self.m * 0, self.v * 0, self.step
        count = min(self.arguments.tasks_per_step, len(self.tasks))
        chosen = self.rng.choice(len(self.tasks), count, replace=False, p=self.chances)
        keys = [jnp.asarray([self.arguments.seed * 1000 + 7 + i, self.step + 10], jnp.int32) for i in chosen]
        theta = jnp.asarray(self.x, jnp.float32)
        out = [self.tasks[i](theta, self.lengths, key) for i, key in zip(chosen, keys)]
        gradients = np.array([gradient for gradient, _, _ in out], np.float64)  # waits for the device
        trained = self.controller | self.directions
        g = np.where(np.isfinite(gradients), gradients, 0.0).mean(0) * trained
        rate = rate_at(seconds, self.arguments, self.step)
        clipped = outer_optimizer.clip_norm(g, CLIP)
        moved, self.m, self.v = outer_optimizer.adamw(self.x, self.m, self.v, clipped, self.step - self.begun, rate, DECAY)
        self.x = np.where(trained, moved, self.x)
        self.step += 1
        for i, (_, loss, over) in zip(chosen, out):
            self.seen.setdefault(self.tasks[i].family, []).append((float(loss), float(over)))
        self.seen.setdefault("norm", []).append((float(np.linalg.norm(g)), 0.0))
        if self.step % LINES == 0:
            self._line(seconds)

    def _line(self, seconds):
        means = {name: np.mean(pairs, axis=0) for name, pairs in sorted(self.seen.items())}
        loss, lost = ({name: round(float(pair[k]), 4) for name, pair in means.items()} for k in (0, 1))
        lost = {name: share for name, share in lost.items() if share}
        line = {"step": self.step, "seconds": round(seconds, 1), "directions": self.directions, "loss": loss, "diverged": lost}
        self.report(line)
        self.seen = {}

    def keep(self):
        """Write the weights."""
        save(self.arguments.out / f"theta-{self.step:06d}.npz", self.x, self.shapes)


def episode_lengths():
    """The lengths of 64 episodes, in truncations: as many inner steps of one length as of another, about."""
    import jax.numpy as jnp

    return jnp.asarray(np.repeat(list(LENGTHS), list(LENGTHS.values())).astype(np.int32))


def timed(tasks, x, arguments):
    """The tasks whose truncation takes at most `arguments.slowest` seconds; `seconds` is set of all."""
    import jax
    import jax.numpy as jnp

    theta = jnp.asarray(x, jnp.float32)
    for task in tasks:
        for i in range(2):  # the first call loads the program
            begun = time.perf_counter()
            jax.block_until_ready(task(theta, episode_lengths(), jnp.asarray([i, 1], jnp.int32)))
            task.seconds = time.perf_counter() - begun
    return [task for task in tasks if task.seconds <= arguments.slowest]


def options():
    """The command's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="Directory for weights and log.")
    parser.add_argument("programs", type=Path, nargs="+", help="Directories that tools.weights.gpu.programs wrote.")
    parser.add_argument("--from", dest="start", type=Path, required=True, help="Weights to start from: .npz, by names.")
    parser.add_argument("--seconds", type=float, required=True, help="Seconds of training, compilation not included.")
    parser.add_argument("--controller-seconds", type=float, default=0.0, help="Seconds in which step sizes alone are trained.")
    parser.add_argument(
        "--until", type=float, default=math.inf, help="Seconds at which it ends at the latest, compilation included."
    )
    parser.add_argument("--compile-seconds", type=float, default=1e6, help="Seconds after which it trains with what there is.")
    parser.add_argument("--tasks-per-step", type=int, default=8, help="Tasks of an outer step.")
    parser.add_argument("--rate", type=float, default=1e-3, help="Highest outer learning rate.")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="Threads that compile.")
    parser.add_argument("--keep", type=float, default=60.0, help="Seconds between weights that are kept.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the draws.")
    parser.add_argument("--slowest", type=float, default=0.2, help="Seconds of a truncation; slower tasks are left out.")
    return parser.parse_args()


def main():
    arguments, begun = options(), time.perf_counter()
    arguments.out.mkdir(parents=True, exist_ok=True)

    def report(line):
        text = json.dumps({"at": round(time.perf_counter() - begun, 1), **line})
        with open(arguments.out / "log.jsonl", "a") as log:
            log.write(text + "\n")
        print(text, flush=True)

    manifests = [json.loads((place / MANIFEST).read_text()) for place in arguments.programs]
    facts = [{**one, "place": place} for place, manifest in zip(arguments.programs, manifests) for one in manifest["tasks"]]
    shapes = {path: tuple(shape) for path, shape in facts[0]["theta"].items()}
    loaded = load_tasks(facts, arguments, report)
    import jax

    x = weights_of(arguments.start, shapes)
    tasks = timed(loaded, x, arguments)
    where = {"device": jax.devices()[0].device_kind, "jax": jax.__version__}
    took = {"compile_s": round(sum(t.compiled_s for t in loaded)), "ms": {t.name: round(1e3 * t.seconds, 1) for t in loaded}}
    report({"tasks": len(tasks), "left_out": [t.name for t in loaded if t not in tasks], **took, **where})
    training = Training(tasks, x, shapes, arguments, report)
    start = now = kept = time.perf_counter()
    arguments.seconds = min(
        arguments.seconds, arguments.until - (start - begun)
    )  # the schedule of the rate ends with the training
    while now - start < arguments.seconds:
        training.advance(now - start)
        if now - kept >= arguments.keep:
            kept = now
            training.keep()
        now = time.perf_counter()
    training.keep()
    report({"step": training.step, "seconds": round(now - start, 1), "end": True})
    os._exit(0)  # threads may still be compiling


if __name__ == "__main__":
    main()
