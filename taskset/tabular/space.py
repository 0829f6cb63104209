"""The configurations of a problem as points of a numeric space, for searchers that propose numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from taskset.errors import ConfigError, is_finite, shown

_DECADE = 10.0  # positive values that span more than this have a logarithmic axis


@dataclass(frozen=True)
class Axis:
    """One hyperparameter. low, high: the lowest and highest recorded value; log: whether it is best searched on a log scale."""

    low: float
    high: float
    log: bool
    decay: bool = False  # a coefficient such as beta2, whose distance from 1 is what counts
    switch: bool = False  # on or off, which may be said by 1 and 0

    def unit(self, value: float) -> float:
        """A value's place between low (0) and high (1), on the axis' scale; values beyond the ends have the ends' places."""
        low, high, at = (self._scaled(x) for x in (self.low, self.high, min(max(value, self.low), self.high)))
        return float((at - low) / (high - low))

    def _scaled(self, value: float) -> float:
        if self.decay:
            return -float(np.log(max(1 - value, 1e-12)))
        return float(np.log(value)) if self.log else value


@dataclass(frozen=True, eq=False)
class Space:
    """The configurations of one optimizer family in a problem.

    axes: {hyperparameter: `Axis`} of those that differ between configurations, A of them; optimizers: names, C of them; points:
    float [C, A], each axis from 0 to 1.
    """

    axes: dict[str, Axis]
    optimizers: tuple[str, ...]
    points: np.ndarray

    def point(self, values: Mapping[str, float]) -> np.ndarray:
        """The point [A] of hyperparameters {name: value}; a switch is 0 or 1, or a bool.

        Raises `ConfigError` unless the names are those of the axes and the values finite numbers.
        """
        if not isinstance(values, Mapping) or set(values) != set(self.axes):
            given = ", ".join(map(str, values)) if isinstance(values, Mapping) else shown(values)
            raise ConfigError(f"hyperparameters {given}: expected are {', '.join(self.axes)}, each with its value")
        for name, value in values.items():
            if isinstance(value, (bool, np.bool_)) and self.axes[name].switch:
                continue
            if not is_finite(value):
                raise ConfigError(f"hyperparameter {name}={shown(value)}: allowed is a finite number")
        return np.array([axis.unit(float(values[name])) for name, axis in self.axes.items()])

    def nearest(self, values: Mapping[str, float], among: Collection[str] | None = None) -> str:
        """The recorded configuration nearest to {name: value}, by the Euclidean distance of points; the first one of equals.

        among: names to choose from; None: all. Nothing is interpolated: what comes back was trained.
        """
        if isinstance(among, str):
            raise ConfigError(f"among {among!r}: allowed is a list of names")
        allowed = [i for i, name in enumerate(self.optimizers) if among is None or name in among]
        if not allowed:
            raise ConfigError("no configuration to choose from: `among` has none of this space")
        distances = np.linalg.norm(self.points[allowed] - self.point(values), axis=1)
        return self.optimizers[allowed[int(np.argmin(distances))]]


def space_of(configurations: Mapping[str, Mapping[str, float]]) -> Space:
    """The `Space` of {optimizer: {hyperparameter: value}}, all with the same hyperparameters; switches are 0 and 1."""
    names = tuple(next(iter(configurations.values())))
    axes = {}
    for name in names:
        values = np.array([float(config[name]) for config in configurations.values()])
        low, high = float(values.min()), float(values.max())
        if low < high:
            decay = name.startswith("beta") and high <= 1
            switch = all(isinstance(config[name], bool) for config in configurations.values())
            axes[name] = Axis(low, high, not decay and low > 0 and high > _DECADE * low, decay, switch)
    points = [[axis.unit(float(config[name])) for name, axis in axes.items()] for config in configurations.values()]
    array = np.array(points, np.float64).reshape(len(configurations), len(axes))
    array.flags.writeable = False
    return Space(axes, tuple(configurations), array)
