"""Optimizers by published name, and by the configs that belong to those names."""

import copy
import inspect
from collections.abc import Callable
from typing import Any

from taskset import registry
from taskset.errors import ConfigError, calling, shown, unknown
from taskset.optimizers.adaptive import adam, adam6p, adam8p
from taskset.optimizers.base import Optimizer
from taskset.optimizers.descent import adagrad
from taskset.optimizers.muon import muon
from taskset.optimizers.nadamw import nadamw_corrected, nadamw_published
from taskset.optimizers.one_run import lion, prodigy, schedule_free_adamw
from taskset.optimizers.relative_muon import relative_muon
from taskset.optimizers.relative_nadam import relative_nadam
from taskset.optimizers.soap import soap
from taskset.samplers import installed
from taskset.samplers import optimizers as samplers

_FAMILIES: dict[str, Callable[..., Optimizer]] = {
    "adam_lr": adam,
    "adam1p_wide_grid": adam,
    "adam4p_wide_grid": adam,
    "adam6p_wide_grid": adam6p,
    "adam8p_wide_grid": adam8p,
    "nadamw_grid": nadamw_published,
    "nadamw_corrected": nadamw_corrected,
    "adagrad_lr": adagrad,
    "adagrad_wide_grid": adagrad,
    "lion": lion,
    "muon": muon,
    "prodigy": prodigy,
    "relative_muon": relative_muon,
    "relative_nadam": relative_nadam,
    "schedule_free_adamw": schedule_free_adamw,
    "soap": soap,
}
# Fields of published configs that the release did not pass to the update.
_NOT_PASSED = {"nadamw_grid": ("use_nesterov",)}


def make_optimizer(family: str, config: dict[str, Any], name: str | None = None) -> Optimizer:
    """The optimizer of a config: `make_optimizer("adam4p_wide_grid", {"learning_rate": 0.01, "beta1": 0.5})`.

    Fields left out have the defaults of the family's constructor. Raises `UnknownName` for a family, `ConfigError` for a field or
    value that is not allowed.
    """
    if not isinstance(family, str) or family not in _FAMILIES:
        raise unknown("optimizer family", family, list(_FAMILIES), f"Known are {', '.join(_FAMILIES)}.")
    if not isinstance(config, dict):
        raise ConfigError(f"optimizer config of {family}: {shown(config)} is not a dict of hyperparameters")
    construct, not_passed = _FAMILIES[family], _NOT_PASSED.get(family, ())
    allowed = [field for field in inspect.signature(construct).parameters if field != "name"]
    fields = (*allowed, *not_passed)
    for field in config:
        if field not in fields:
            raise ConfigError(f"optimizer config of {family}: unknown field {shown(field)}; allowed are {', '.join(fields)}")
    if "learning_rate" in allowed and "learning_rate" not in config:
        raise ConfigError(f"optimizer config of {family}: learning_rate is missing; add it, a finite number >= 0")
    return construct(**{field: value for field, value in config.items() if field in allowed}, name=name)


def get_optimizer(name: str) -> Optimizer:
    """The optimizer of a name: `adam8p_wide_grid_seed21`, `adam_lr_-3.00`, `nadamw_corrected_seed7`, `schedule_free_adamw`, those
    registered with `taskset.register_optimizer`, and those of installed packages: `muon_mined` and the other pretrained ones of
    `learned`.

    Raises `UnknownName`; `ConfigError` where a registered function fails or returns something else than an optimizer.
    """
    own = registry.own_optimizer(name)
    if own is not None:
        return make_own(name, own)
    known = samplers.known_config(name)
    if known is None and isinstance(name, str) and (found := installed.optimizer(name)) is not None:
        return _called(name, found)
    config, family = known or samplers.get_optimizer_config(name)
    return make_optimizer(family, config, name)


def make_own(name: str, own: registry.OwnOptimizer) -> Optimizer:
    """The optimizer that a registered function returns, under a name.

    Raises `ConfigError` where the function fails, or returns something else.
    """
    with calling(own.build, f"optimizer {name!r} can't be made"):
        optimizer = own.build(**own.hyperparameters)
    registry.require_optimizer(optimizer, f"the function registered as optimizer {name!r}")
    return _called(name, optimizer)


def _called(name: str, optimizer: Optimizer) -> Optimizer:
    """An optimizer under a name."""
    if getattr(optimizer, "name", None) != name:
        optimizer = copy.copy(optimizer)
        object.__setattr__(optimizer, "name", name)  # also where the class is a frozen dataclass
    return optimizer


def opt_list(n: int) -> list[Optimizer]:
    """The first `n` optimizers of the learned list, best first (Metz et al. 2020, arXiv 2002.11887), as published.

    Their schedules follow the run's length, the argument of `hparams(horizon)`. Raises `ConfigError` beyond the list's end.
    """
    return [get_optimizer(name) for name in samplers.opt_list_names(n)]
