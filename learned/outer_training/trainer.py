"""Outer training: the weights of a learned optimizer by gradient descent over many tasks.

    g = mean of the estimates of a few slots, entries clipped to +-clip;  theta <- Adam(theta, g), the rate warmed up

Clipping comes after averaging; without it nothing is learned (arXiv 2009.11243). The arithmetic here is NumPy in float64; the
estimates are made by `learned.outer_training.task_pool`, in this process or in several (`learned.outer_training.workers`).
"""

import math
import os
from pathlib import Path

import numpy as np

from learned.outer_training import checkpoint, log
from learned.outer_training.events import Events
from learned.outer_training.options import DEFAULTS
from learned.unrolling.vectors import Layout
from taskset import changes
from taskset.errors import StoreError, cut, shown
from taskset.normalization.store import make_directory
from taskset.random import seeds
from taskset.scoring import suites
from taskset.version import __version__

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
LATEST = "checkpoint.npz"
LOG = "steps.jsonl"
TENSORBOARD = "tensorboard"


def adam(x, m, v, g, step, learning_rate):
    """(x, m, v) after step number `step` = 0, 1, .. of Adam, bias-corrected (Kingma and Ba, arXiv 1412.6980, algorithm 1)."""
    m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g**2
    m_hat, v_hat = m / (1 - BETA1 ** (step + 1)), v / (1 - BETA2 ** (step + 1))
    return x - learning_rate * m_hat / (np.sqrt(v_hat) + EPSILON), m, v


def warmed_up(options, step):
    """The learning rate of outer step `step` = 0, 1, ..: linearly up to its value in `warm_up` steps."""
    return options.learning_rate * min(1.0, (step + 1) / (options.warm_up + 1))


def kept_slots(directory):
    """{slot: (task, life, {name: array})} of the checkpoint in a directory of outer training; {} where there is none yet."""
    path = Path(directory) / LATEST
    return _slots(checkpoint.load(path)) if path.exists() else {}


def _slots(found):
    slots = {}
    for number in found.value("slots", dict):
        task, life = found.value("slots", str, number, "task"), found.value("slots", int, number, "life")
        slots[int(number)] = (task, life, found.under(f"slot/{int(number)}"))
    return slots


class Trainer:
    """One outer training in a directory.

    DIRECTORY/checkpoint.npz is the last state; DIRECTORY/weights-STEP.npz are weights kept on the way; DIRECTORY/steps.jsonl has
    one line an outer step (`learned.outer_training.log`), and DIRECTORY/tensorboard its scalars (`learned.outer_training.events`). A directory that has
    a checkpoint is gone on with, if suite and options are the same.

    slots: what makes estimates: `learned.outer_training.task_pool.Slots` or `learned.outer_training.workers.Workers`; device: on what, for the record.
    """

    def __init__(self, directory, suite, options, slots, optimizer, device="cpu"):
        options.check(suite)
        suites.require_measured(suite)
        self.directory, self.suite, self.options, self.slots = Path(directory), suite, options, slots
        self.device, self.optimizer, self.layout = device, optimizer, Layout(optimizer.shapes)
        make_directory(self.directory)
        if (self.directory / LATEST).exists():
            self._resume()
        else:
            self.step = 0
            self.x = self.layout.vector(optimizer.init_theta(seeds.stream(options.seed, "theta"))).astype(np.float64)
            self.m, self.v = np.zeros_like(self.x), np.zeros_like(self.x)

    def train(self, outer_steps, save_every=50, keep_every=None, report=lambda line: None):
        """Go on until `outer_steps` steps have been taken in all.

        save_every: steps between two checkpoints; keep_every: between weights that are kept; report: called with each step's
        line of the log, a dict.
        """
        with self._open_log() as file, Events(self.directory / TENSORBOARD, self.step) as events:
            while self.step < outer_steps:
                line = self._advance()
                file.write(log.as_line(line))
                events.write(line)
                report(line)
                if self.step % save_every == 0 or self.step == outer_steps:
                    file.flush()
                    os.fsync(file.fileno())
                    self.save()
                if keep_every and (self.step % keep_every == 0 or self.step == outer_steps):
                    self.keep(self.directory / f"weights-{self.step:07d}.npz")
        return self.weights

    @property
    def weights(self):
        """theta as {path: float32 array}."""
        return self.layout.arrays(self.x.astype(np.float32))

    def _advance(self):
        options, step = self.options, self.step
        chosen = seeds.generator(options.seed, "slots", step).choice(options.slots, options.tasks_per_step, replace=False)
        results = self.slots.estimates(sorted(chosen.tolist()), step, self.x)
        # Slots are summed in the order of their numbers, whoever computed them: the sum does not depend on it.
        raw = sum(result.estimate.gradient for result in results) / len(results)
        gradient = np.clip(raw, -options.clip, options.clip)
        rate = warmed_up(options, step)
        self.x, self.m, self.v = adam(self.x, self.m, self.v, gradient, step, rate)
        self.step += 1
        return {
            "step": self.step,
            "loss": _mean([result.estimate.loss for result in results]),
            "gradient_norm": float(np.linalg.norm(raw)),
            "clipped_share": float(np.mean(np.abs(raw) > options.clip)),
            "learning_rate": rate,
            "non_finite_share": sum(result.estimate.non_finite for result in results) / (len(results) * options.pairs),
            "inner_steps": sum(result.estimate.steps for result in results),
            "tasks": [
                {"task": r.task, "family": r.family, "loss": _mean([r.estimate.loss]), **r.estimate.details} for r in results
            ],
        }

    def keep(self, path):
        """Write the weights alone, with all that tells what they are: enough to use them, not to go on."""
        checkpoint.save(path, self._meta(), self._theta())

    def save(self):
        """Write the checkpoint: everything that going on as if nothing had happened takes."""
        meta, arrays = self._meta(), {**self._theta(), "adam/x": self.x, "adam/m": self.m, "adam/v": self.v}
        dumped = self.slots.dump()
        meta["slots"] = {str(number): {"task": task, "life": life} for number, (task, life, _) in sorted(dumped.items())}
        for number, (_, _, leaves) in dumped.items():
            arrays.update({f"slot/{number}/{name}": array for name, array in leaves.items()})
        checkpoint.save(self.directory / LATEST, meta, arrays)

    def _theta(self):
        return {f"theta/{path}": array for path, array in self.weights.items()}

    def _meta(self):
        return {
            "optimizer": self.optimizer.name,
            "shapes": {path: list(shape) for path, shape in self.layout.shapes.items()},
            "options": self.options.as_json(),
            "suite": self.suite.as_json(),
            "step": self.step,
            "device": self.device,
            "versions": _versions(),
        }

    def _resume(self):
        path = self.directory / LATEST
        found = checkpoint.load(path)
        for name, here in (("options", self.options.as_json()), ("suite", self.suite.as_json())):
            there = found.value(name, dict)
            if name == "options":  # a checkpoint of an earlier version lacks those that it had no choice of
                there = {**DEFAULTS, **there}
            # which version made a suite is no part of what it is: `_require_current` looks at that
            keys = {*there, *here} - {"taskset_version"}
            different = sorted(key for key in keys if there.get(key) != here.get(key))
            if different:
                listed = cut(", ".join(different), 200)
                raise StoreError(f"{path} was made with another {name} ({listed}): use the same or another --out")
        self._require_current(path, found.meta.get("versions", {}).get("taskset", changes.FIRST))
        try:
            self.step = found.step
            self.x, self.m, self.v = (self._vector(found, name) for name in "xmv")
            expected, theta = self.weights, found.theta
            if theta.keys() != expected.keys() or any(not np.array_equal(theta[name], w) for name, w in expected.items()):
                raise ValueError("theta is not what adam/x says")
            self.slots.restore(self._slots_of(found))
        except (KeyError, ValueError, OverflowError) as error:
            told = cut(str(error), 200)
            raise StoreError(f"{path} is damaged, or of another version of the package ({told}): use another --out") from error

    def _vector(self, found, name):
        """adam/NAME: finite float64 [P]; v is of squares."""
        vector = found.arrays[f"adam/{name}"]
        if vector.shape != (self.layout.size,) or vector.dtype != np.float64:
            raise ValueError(f"adam/{name} is {vector.dtype} {vector.shape}; expected is float64 ({self.layout.size},)")
        if not np.isfinite(vector).all() or (name == "v" and (vector < 0).any()):
            raise ValueError(f"adam/{name} has entries that are not finite, or squares below 0")
        return vector

    def _slots_of(self, found):
        """The slots of a checkpoint, as the options and the suite allow them."""
        tasks, slots = {entry.task for entry in self.suite.of_split("train")}, _slots(found)
        for number, (task, life, _) in slots.items():
            if number not in range(self.options.slots) or task not in tasks or not 1 <= life < 2**31:
                raise ValueError(f"slot {number} has task {shown(task)}, its life number {life}: of {self.options.slots} slots")
        return slots

    def _require_current(self, path, version):
        suite = self.suite
        old = [entry.task for entry in suite.tasks if changes.outdated(entry.task, suite.source, version)]
        if old:
            raise StoreError(
                f"{path} is of version {version}, and task {old[0]!r} ({len(old)} in all) changed in "
                f"{changes.changed_in(old[0], suite.source)}: start anew with another --out"
            )

    def _open_log(self):
        """The log, cut back to the checkpoint's step: lines behind it are computed again."""
        path, lines = self.directory / LOG, []
        if path.exists() and self.step:
            lines = [line for _, line in log.lines(path, self.step)]
        part = path.with_suffix(".tmp")
        part.write_text("".join(lines))
        os.replace(part, path)
        return open(path, "a")


def _mean(values):
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else None


def _versions():
    import tensorflow as tf

    return {"taskset": __version__, "tensorflow": tf.__version__, "numpy": np.__version__}
