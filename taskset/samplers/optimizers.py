"""Optimizers by name: the sampled families of TaskSet and the fixed learning-rate grids (Metz et al. 2020, arXiv 2002.11887).

An optimizer's config is a flat dict of hyperparameters; `taskset.optimizers` documents what they do. No TensorFlow here.
"""

from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np

from taskset import registry
from taskset.errors import ConfigError, is_finite, shown, unknown
from taskset.samplers import installed, opt_list
from taskset.samplers.draws import Draws
from taskset.samplers.unknown_optimizers import no_optimizer

# Hand-designed rules with the settings that their authors recommend for any task. Each is its own family; none was published
# with the data set. `relative_muon` and `relative_nadam` are this package's own.
# fmt: off
ONE_RUN = {
    "lion": {"learning_rate": 1e-4, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0},
    "muon": {
        "learning_rate": 0.02, "momentum": 0.95, "adam_learning_rate": 3e-4, "beta1": 0.9, "beta2": 0.95, "weight_decay": 0.0,
    },
    "prodigy": {"learning_rate": 1.0, "beta1": 0.9, "beta2": 0.999, "initial_distance": 1e-6, "constant_fraction": 0.0},
    "relative_muon": {"travel": 0.75, "orthogonal": 0.4, "beta1": 0.9, "beta2": 0.999, "share": 0.1},
    "relative_nadam": {"travel": 0.75, "beta1": 0.9, "beta2": 0.999, "share": 0.1},
    "schedule_free_adamw": {"learning_rate": 0.0025, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0.0, "warmup_fraction": 0.0},
    # The authors have bases for axes of up to 10000, which no CPU refreshes every ten steps.
    "soap": {
        "learning_rate": 3e-3, "beta1": 0.95, "beta2": 0.95, "weight_decay": 0.0, "frequency": 10, "max_dimension": 256,
    },
}
# fmt: on
# Adam and Adagrad at 17 learning rates, with TensorFlow 1's defaults for the other hyperparameters.
ADAM = "adam_lr"
FIXED_FAMILIES = (ADAM, "adagrad_lr")
LOG10_LEARNING_RATES = np.linspace(-7, 1, 17)
# Python's powers: those of NumPy (in logspace) differ by a unit in the last place between processors.
LEARNING_RATES = np.array([10.0**log10 for log10 in LOG10_LEARNING_RATES.tolist()])


def sample_adam1p(seed: int) -> dict[str, Any]:
    """Only the learning rate."""
    return {"learning_rate": Draws(seed + 4123).log_float(1e-8, 10)}


def _adam4p(draw: Draws) -> dict[str, float]:
    return {
        "learning_rate": draw.log_float(1e-8, 10),
        "beta1": 1 - draw.log_float(1e-4, 1),
        "beta2": 1 - draw.log_float(1e-6, 1),
        "epsilon": draw.log_float(1e-10, 1e3),
    }


def _decays(draw: Draws) -> dict[str, float]:
    # The published procedure has the bounds of the second in this order: the same range, but another value.
    return {"linear_decay": draw.log_float(1e-7, 1e-4), "exponential_decay": draw.log_float(1e-3, 1e-6)}


def sample_adam4p(seed: int) -> dict[str, Any]:
    """Learning rate, both betas and epsilon."""
    return _adam4p(Draws(seed))


def sample_adam6p(seed: int) -> dict[str, Any]:
    """As adam4p, with linear and exponential decay of the learning rate."""
    draw = Draws(seed + 123455)
    return {**_adam4p(draw), **_decays(draw)}


def sample_adam8p(seed: int) -> dict[str, Any]:
    """As adam6p, with l1 and l2 regularization."""
    draw = Draws(seed)
    return {**_adam4p(draw), "l1": draw.log_float(1e-8, 10), "l2": draw.log_float(1e-8, 10), **_decays(draw)}


def _weight_decays(draw: Draws) -> dict[str, float]:
    kind = draw.uniform(0, 1)
    adamw = 0.0 if 0.3333 <= kind < 0.6666 else draw.log_float(1e-5, 0.1)
    l2 = 0.0 if kind < 0.3333 else draw.log_float(1e-5, 0.1)
    return {"adamw_weight_decay": adamw, "l2_weight_decay": l2}


def sample_nadamw(seed: int) -> dict[str, Any]:
    """AdamW with or without Nesterov momentum, under warm-up and cosine decay."""
    draw = Draws(seed + 14358)
    return {
        "learning_rate": draw.log_float(1e-5, 1),
        "beta1": 1 - draw.log_float(1e-3, 1),
        "beta2": 1 - draw.log_float(1e-5, 1),
        "epsilon": draw.log_float(1e-8, 1e4),
        "use_nesterov": draw.uniform(0, 1) > 0.5,
        **_weight_decays(draw),
        "warmup_fraction": draw.log_float(1e-5, 0.1) if draw.uniform(0, 1) > 0.5 else 0.0,
        "min_learning_rate_mult": 0.0 if draw.uniform(0, 1) > 0.5 else draw.log_float(1e-5, 1),
        "constant_fraction": draw.uniform(0, 1),
    }


def sample_adagrad(seed: int) -> dict[str, Any]:
    """Learning rate and the start of the accumulator."""
    draw = Draws(seed)
    return {"learning_rate": draw.log_float(1e-8, 10), "initial_accumulator_value": draw.log_float(1e-10, 1e3)}


_SAMPLED = {
    "adam1p_wide_grid": sample_adam1p,
    "adam4p_wide_grid": sample_adam4p,
    "adam6p_wide_grid": sample_adam6p,
    "adam8p_wide_grid": sample_adam8p,
    "nadamw_grid": sample_nadamw,
    "adagrad_wide_grid": sample_adagrad,
}
# The configs of nadamw_grid for an update without the release's mistakes; not a published family.
_BY_SEED: dict[str, Callable[[int], dict[str, Any]]] = {**_SAMPLED, "nadamw_corrected": sample_nadamw}


def optimizer_families() -> list[str]:
    """The names of the six sampled optimizer families, sorted."""
    return sorted(_SAMPLED)


def fixed_optimizers() -> list[str]:
    """The names of the fixed optimizers: `adam_lr_-7.00` .. `adam_lr_1.00`, then `adagrad_lr_-7.00` .. `adagrad_lr_1.00`."""
    return [f"{family}_{log10:.2f}" for family in FIXED_FAMILIES for log10 in LOG10_LEARNING_RATES]


def by_seed() -> list[str]:
    """The families whose members have a seed: the six sampled ones and `nadamw_corrected`."""
    return list(_BY_SEED)


def all_optimizers() -> list[str]:
    """The names of the optimizers that globs match: the fixed ones, seeds 0 .. 999 of each sampled family and of
    `nadamw_corrected`, and the registered ones."""
    sampled = [f"{family}_seed{seed}" for family in _BY_SEED for seed in range(registry.SEEDS)]
    return fixed_optimizers() + sampled + registry.own_optimizers()


def adam_rates() -> list[str]:
    """The names of Adam's 17 fixed rates, from `adam_lr_-7.00` to `adam_lr_1.00`."""
    return [name for name in fixed_optimizers() if name.startswith(f"{ADAM}_")]


def family_of(optimizer: str) -> str | None:
    """The optimizer family of a name; None for a learned one, and for one of a user's own."""
    found = known_config(optimizer)
    return found[1] if found else None


def one_run_optimizers() -> list[str]:
    """The names of the rules that are used without tuning, with their authors' settings: lion, prodigy, .."""
    return sorted(ONE_RUN)


def _fixed_config(name):
    family, _, log10 = name.rpartition("_")
    rates = dict(zip((f"{log10:.2f}" for log10 in LOG10_LEARNING_RATES), LEARNING_RATES.tolist()))
    return [{"learning_rate": rates[log10]}, family]


def sample_optimizer(family: str, seed: SupportsIndex) -> dict[str, Any]:
    """The config (a dict of hyperparameters) of one seed of an optimizer family.

    Raises `UnknownName` for another family, `ConfigError` for a seed that is not an integer in 0 .. 2**31 - 1.
    """
    if not isinstance(family, str) or family not in _BY_SEED:
        raise unknown("optimizer family", family, list(_BY_SEED), f"Known are {', '.join(_BY_SEED)}.")
    return _BY_SEED[family](registry.check_seed(family, seed))


def get_optimizer_config(name: str) -> list[Any]:
    """`[config, family]` of an optimizer, a JSON value: `get_optimizer_config("adam8p_wide_grid_seed21")`.

    Names: `{family}_seed{N}` for the sampled families and for `nadamw_corrected` (the configs of nadamw_grid), and those of
    `fixed_optimizers()`, whose config is `{"learning_rate": ..}` and whose family is `adam_lr` or `adagrad_lr`; those of
    `one_run_optimizers()`, which are families themselves; those registered with `register_optimizer`, whose family is None.
    Raises `UnknownName`.
    """
    found = known_config(name)
    if found is None:
        rates = dict.fromkeys(FIXED_FAMILIES, LOG10_LEARNING_RATES.tolist())
        raise no_optimizer(name, [*all_optimizers(), *one_run_optimizers()], rates)
    return found


def known_config(name: str) -> list[Any] | None:
    """As `get_optimizer_config`; None for a name that is none, of which the error takes long to make: it looks for near ones."""
    own = registry.own_optimizer(name)
    if own is not None:
        return [dict(own.hyperparameters), None]
    if name in fixed_optimizers():
        return _fixed_config(name)
    if isinstance(name, str) and name in ONE_RUN:
        return [dict(ONE_RUN[name]), name]
    parsed = registry.parse(name)
    if parsed and parsed[0] in _BY_SEED:
        return [sample_optimizer(*parsed), parsed[0]]
    return None


def is_optimizer_name(name: str) -> bool:
    """Whether there is an optimizer of this name."""
    return known_config(name) is not None


def register_optimizer(name: str, **hyperparameters: float | bool) -> Callable[[registry.F], registry.F]:
    """Decorator: a function (or class) that returns an `Optimizer` (`taskset.optimizers.base`), under a name for it.

        @taskset.register_optimizer("sign_momentum", learning_rate=0.01, decay=0.9)
        def sign_momentum(learning_rate, decay):
            return Elementwise("sign_momentum", ..)

    The name then works wherever those of the package do: `get_optimizer`, globs, `--optimizer` with `--import`, worker processes.

    hyperparameters: what the function is called with, and the optimizer's columns in optimizers.parquet: finite numbers or bools.
    One function may be registered under several names, with other hyperparameters for each. The optimizer that it returns is
    given the registered name.

    Registering the same function again (a notebook's cell, a reloaded module) replaces it. Raises `ConfigError` for a name that
    another function has, for one that is or looks like one of the package's or is one of an installed package's (`muon_mined`),
    and for hyperparameters of another type.
    """
    registry.check_name("optimizer", name)
    grids = tuple(f"{family}_" for family in FIXED_FAMILIES)
    if name in ONE_RUN or name in _BY_SEED or name in FIXED_FAMILIES or name.startswith(grids):
        raise ConfigError(
            f"optimizer name {name!r}: names of the package's optimizers, and names that begin with {' or '.join(grids)}, "
            "are taken; choose another name"
        )
    if installed.takes(name):
        raise ConfigError(f"optimizer name {name!r}: an installed package has an optimizer of this name; choose another name")
    for field, value in hyperparameters.items():
        if field in ("optimizer", "family"):
            raise ConfigError(
                f"hyperparameter {field!r} of optimizer {name!r}: tables have another column of this name; rename it"
            )
        if not isinstance(value, (bool, np.bool_)) and not is_finite(value):
            raise ConfigError(f"{field} {shown(value)} of optimizer {name!r}: allowed is a finite number, True or False")

    def register(build: registry.F) -> registry.F:
        registry.add_optimizer(name, registry.OwnOptimizer(build, hyperparameters))
        return build

    return register


def opt_list_names(n: SupportsIndex) -> list[str]:
    """The first `n` names of the learned list, best first: `["nadamw_grid_seed251", ..]`.

    Raises `ConfigError` beyond its length.
    """
    longest = len(opt_list.SEEDS)
    if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or not 0 <= n <= longest:
        raise ConfigError(f"opt_list of {shown(n)} optimizers: the learned list has {longest}; ask for an integer 0 .. {longest}")
    return [f"nadamw_grid_seed{seed}" for seed in opt_list.SEEDS[:n]]
