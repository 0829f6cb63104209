"""Outer training on other devices than the CPU: truncations under a `tf.distribute` strategy.

The pairs of an estimate are spread over the strategy's replicas, an equal share each, all in one program; losses and gradients
of all copies come back, and the estimators' averages over pairs are then averages over replicas, too. What a pair computes
doesn't depend on how many replicas there are, but for rounding. TPUs are untested.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Sequence
from typing import Any

import tensorflow as tf

from learned.types import Tree
from learned.unrolling.problem import Problem
from learned.unrolling.unroll import Unroll
from taskset.errors import ConfigError, unknown
from taskset.execution.loop import execution_mode

KINDS = ("cpu", "gpu", "tpu")
STRATEGIES = ("one", "mirrored", "tpu")


def strategy(name: str, device: str) -> tf.distribute.Strategy:
    """The `tf.distribute` strategy called `name` on `device`.

    name: "one", "mirrored" (over all devices of a kind, or those that are named) or "tpu" (all cores).
    device: "cpu", "gpu", "gpu:1", or several of one kind: "gpu:0,gpu:2".
    Raises `ConfigError` where there is no such device.
    """
    if name not in STRATEGIES:
        raise unknown("strategy", name, list(STRATEGIES), f"Allowed are {', '.join(STRATEGIES)}.")
    if name == "tpu" or device == "tpu":
        return _tpu(name, device)
    named = _devices(device, whole_kind=name == "mirrored")
    if name == "mirrored":
        return tf.distribute.MirroredStrategy(named)
    if len(named) > 1:
        raise ConfigError(f"device {device!r} with strategy 'one': allowed is a single device; or use strategy 'mirrored'")
    return tf.distribute.OneDeviceStrategy(named[0])


def _devices(text, whole_kind):
    """Names of logical devices, as TensorFlow has them."""
    named = []
    for one in text.split(","):
        match = re.fullmatch(r"(cpu|gpu)(?::(\d+))?", one.strip().lower())
        if not match:
            raise ConfigError(f"device {one!r}: allowed are {', '.join(KINDS)}, with a number where there are several (gpu:1)")
        kind, number = match[1], match[2]
        there = [d.name.removeprefix("/device:") for d in tf.config.list_logical_devices(kind.upper())]
        wanted = there if whole_kind and number is None and there else [f"{kind.upper()}:{number or 0}"]
        for name in wanted:
            if name not in there:
                everything = ", ".join(d.name.removeprefix("/device:").lower() for d in tf.config.list_logical_devices())
                raise ConfigError(f"device {one!r} is not there: allowed are those of this machine, {everything}")
        named += wanted
    if len(set(named)) < len(named) or len({name[:3] for name in named}) > 1:
        raise ConfigError(f"device {text!r}: allowed are different devices of one kind")
    return [f"/{name.lower()}" for name in named]


def _tpu(name, device):
    if name != "tpu" or device != "tpu":
        raise ConfigError(f"strategy {name!r} on device {device!r}: allowed is strategy 'tpu' with device 'tpu'")
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="local")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        everything = ", ".join(d.name.removeprefix("/device:").lower() for d in tf.config.list_logical_devices())
        raise ConfigError(f"device 'tpu' is not there: allowed are those of this machine, {everything}") from error
    return tf.distribute.TPUStrategy(resolver)


def check_pairs(pairs: int, strategy: tf.distribute.Strategy, groups: int = 1) -> None:
    """Raise `ConfigError` unless every replica has the same number of pairs of each of the groups."""
    replicas = strategy.num_replicas_in_sync
    if pairs % (replicas * groups):
        of_what = f"{replicas * groups}, {replicas} replicas of the strategy for each of {groups} groups"
        raise ConfigError(
            f"pairs is {pairs}: allowed is a multiple of "
            + (of_what if groups > 1 else f"the {replicas} replicas of the strategy")
        )


def describe(strategy: tf.distribute.Strategy) -> str:
    """The strategy as text: its kind and its devices."""
    devices = [tf.DeviceSpec.from_string(d) for d in strategy.extended.worker_devices]
    return f"{type(strategy).__name__}({', '.join(f'{d.device_type.lower()}:{d.device_index}' for d in devices)})"


class Spread:
    """As an `Unroll` of `pairs` x `signs` copies, with pairs / replicas of them on each replica.

    `fresh` and `raw` return lists, one entry per replica, for `run` and `gradients` of this object only.
    """

    def __init__(
        self,
        kind: type[Unroll],
        strategy: tf.distribute.Strategy,
        problem: Problem,
        pairs: int,
        signs: int,
        steps: int,
        mode: str | None = None,
        layout: str | None = None,
    ) -> None:
        check_pairs(pairs, strategy)
        device = tf.DeviceSpec.from_string(strategy.extended.worker_devices[0]).device_type
        mode = mode or execution_mode(problem.task, device)
        self.strategy, self.replicas = strategy, strategy.num_replicas_in_sync
        self.problem, self.pairs, self.signs, self.steps, self.copies = problem, pairs, signs, steps, pairs * signs
        self._share = pairs // self.replicas
        self._part = kind(problem, self._share, signs, steps, mode, layout)
        self.layout, self.why, self.mode = self._part.layout, self._part.why, self._part.mode
        self._run = self._everywhere(self._part.run)
        if hasattr(self._part, "gradients"):
            self._gradients = self._everywhere(self._part.gradients)

    def _everywhere(self, program):
        # A call inside this function is placed on the replica's device; the program itself could be placed on any.
        def on_one(*arguments):
            return program(*arguments)

        @tf.function(autograph=False)
        def on_all(*arguments):
            return self.strategy.run(on_one, arguments)

        return on_all

    def _on_replicas(self, program, parts):
        """The results of all replicas, for the arguments of each."""
        if self.replicas == 1:
            return list(self.strategy.experimental_local_results(program(*parts[0])))
        given = self.strategy.experimental_distribute_values_from_function(lambda one: parts[one.replica_id_in_sync_group])
        return list(self.strategy.experimental_local_results(program(*given)))

    def _split(self, tree, copies=True):
        """Leaves [C, ..] (or [N, ..]) -> a list, one entry per replica."""
        groups = self.signs if copies else 1

        def part(x, r):
            x = tf.convert_to_tensor(x)
            x = tf.reshape(x, [groups, self.pairs, *x.shape[1:]])
            return tf.reshape(x[:, r * self._share : (r + 1) * self._share], [groups * self._share, *x.shape[2:]])

        return [tf.nest.map_structure(functools.partial(part, r=r), tree) for r in range(self.replicas)]

    def _join(self, trees, axis=0):
        """The opposite of `_split`; copies lie on `axis`."""

        def join(*parts):
            before, after = parts[0].shape[:axis], parts[0].shape[axis + 1 :]
            parts = [tf.reshape(x, [*before, self.signs, self._share, *after]) for x in parts]
            return tf.reshape(tf.concat(parts, axis + 1), [*before, self.copies, *after])

        return tf.nest.map_structure(join, *trees)

    def _arguments(self, of_copies, fresh, first, reset_at, horizons, raw, key):
        copies, pairs = self._split(of_copies), self._split((first, reset_at, horizons), copies=False)
        return [(*copies[r], fresh[r], *pairs[r], raw[r], key) for r in range(self.replicas)]

    def run(self, before: tf.Tensor, after: tf.Tensor, inner: Tree, *drawn: Any) -> tuple[tf.Tensor, Tree]:
        """As `Unroll.run`."""
        results = self._on_replicas(self._run, self._arguments((before, after, inner), *drawn))
        losses, states = zip(*results)
        return self._join(losses, axis=1), self._join(states)

    def gradients(self, theta: tf.Tensor, inner: Tree, *drawn: Any) -> tuple[tf.Tensor, Tree, tf.Tensor]:
        """As `BackpropagatedUnroll.gradients`."""
        results = self._on_replicas(self._gradients, self._arguments((theta, inner), *drawn))
        losses, states, gradients = zip(*results)
        return self._join(losses, axis=1), self._join(states), self._join(gradients)

    def empty(self) -> Tree:
        """As `Unroll.empty`."""
        return self._join([self._part.empty()] * self.replicas)

    def fresh(self, seeds: dict[int, int]) -> list[Tree]:
        """As `Unroll.fresh`, for each replica."""
        share = self._share
        return [self._part.fresh({n % share: seed for n, seed in seeds.items() if n // share == r}) for r in range(self.replicas)]

    def raw(self, pieces: Sequence[Collection[tuple[int, int, int]]]) -> list[Tree]:
        """As `Unroll.raw`, for each replica."""
        return [self._part.raw(pieces[r * self._share : (r + 1) * self._share]) for r in range(self.replicas)]
