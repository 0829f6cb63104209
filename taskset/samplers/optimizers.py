"""Optimizers by name: the sampled families of TaskSet and the fixed learning-rate grids (Metz et al. 2020, arXiv 2002.11887).

An optimizer's config is a flat dict of hyperparameters; what they do is said in `taskset.optimizers`. No TensorFlow here.
"""

import numpy as np

from taskset import registry
from taskset.errors import ConfigError, shown, unknown
from taskset.samplers import opt_list
from taskset.samplers.draws import Draws

# Hand-made rules with the settings that are recommended for any task. They are called as their family; no published ones.
ONE_RUN = {
    "lion": {"learning_rate": 1e-4, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0},
    "prodigy": {"learning_rate": 1.0, "beta1": 0.9, "beta2": 0.999, "initial_distance": 1e-6, "constant_fraction": 0.0},
    "schedule_free_adamw": {"learning_rate": 0.0025, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0.0, "warmup_fraction": 0.0},
}
# Adam and Adagrad at 17 learning rates and TensorFlow 1's defaults for all else.
FIXED_FAMILIES = ("adam_lr", "adagrad_lr")
LOG10_LEARNING_RATES = np.linspace(-7, 1, 17)
# Python's powers, as NumPy's (in logspace) differ by a unit in the last place between processors.
LEARNING_RATES = np.array([10.0**log10 for log10 in np.linspace(-7, 1, 17).tolist()])


def sample_adam1p(seed):
    """The learning rate alone."""
    return {"learning_rate": Draws(seed + 4123).log_float(1e-8, 10)}


def _adam4p(draw):
    return {
        "learning_rate": draw.log_float(1e-8, 10),
        "beta1": 1 - draw.log_float(1e-4, 1),
        "beta2": 1 - draw.log_float(1e-6, 1),
        "epsilon": draw.log_float(1e-10, 1e3),
    }


def _decays(draw):
    # The bounds of the second stand in this order in the published procedure: they are the same range and another value.
    return {"linear_decay": draw.log_float(1e-7, 1e-4), "exponential_decay": draw.log_float(1e-3, 1e-6)}


def sample_adam4p(seed):
    """Learning rate, both betas and epsilon."""
    return _adam4p(Draws(seed))


def sample_adam6p(seed):
    """As adam4p, with linear and exponential decay of the learning rate."""
    draw = Draws(seed + 123455)
    return {**_adam4p(draw), **_decays(draw)}


def sample_adam8p(seed):
    """As adam6p, with l1 and l2 regularization."""
    draw = Draws(seed)
    return {**_adam4p(draw), "l1": draw.log_float(1e-8, 10), "l2": draw.log_float(1e-8, 10), **_decays(draw)}


def _weight_decays(draw):
    kind = draw.uniform(0, 1)
    adamw = 0.0 if 0.3333 <= kind < 0.6666 else draw.log_float(1e-5, 0.1)
    l2 = 0.0 if kind < 0.3333 else draw.log_float(1e-5, 0.1)
    return {"adamw_weight_decay": adamw, "l2_weight_decay": l2}


def sample_nadamw(seed):
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


def sample_adagrad(seed):
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
# The configs of nadamw_grid for an update without the release's slips; no family of its own in the published set.
_BY_SEED = {**_SAMPLED, "nadamw_corrected": sample_nadamw}


def optimizer_families():
    """The names of the six sampled optimizer families, sorted."""
    return sorted(_SAMPLED)


def fixed_optimizers():
    """The names of the fixed optimizers: `adam_lr_-7.00` .. `adam_lr_1.00`, then `adagrad_lr_-7.00` .. `adagrad_lr_1.00`."""
    return [f"{family}_{log10:.2f}" for family in FIXED_FAMILIES for log10 in LOG10_LEARNING_RATES]


def by_seed():
    """The families whose members have a seed: the six sampled ones and `nadamw_corrected`."""
    return list(_BY_SEED)


def all_optimizers():
    """The names of all optimizers: the fixed ones, and seeds 0 .. 999 of each sampled family and of `nadamw_corrected`."""
    return fixed_optimizers() + [f"{family}_seed{seed}" for family in _BY_SEED for seed in range(registry.SEEDS)]


def one_run_optimizers():
    """The names of the rules that are used without tuning, with the settings of their authors: lion, prodigy, .."""
    return sorted(ONE_RUN)


def _fixed_config(name):
    family, _, log10 = name.rpartition("_")
    rates = dict(zip((f"{log10:.2f}" for log10 in LOG10_LEARNING_RATES), LEARNING_RATES.tolist()))
    return [{"learning_rate": rates[log10]}, family]


def sample_optimizer(family, seed):
    """The config (a dict of hyperparameters) of one seed of an optimizer family.

    Raises `UnknownName` for another family, `ConfigError` for a seed that is no integer in 0 .. 2**31 - 1.
    """
    if not isinstance(family, str) or family not in _BY_SEED:
        raise unknown("optimizer family", family, list(_BY_SEED), f"Known are {', '.join(_BY_SEED)}.")
    return _BY_SEED[family](registry.check_seed(family, seed))


def get_optimizer_config(name):
    """`[config, family]` of an optimizer, a JSON value: `get_optimizer_config("adam8p_wide_grid_seed21")`.

    Names: `{family}_seed{N}` for the sampled families and for `nadamw_corrected` (the configs of nadamw_grid), and those of
    `fixed_optimizers()`, whose config is `{"learning_rate": ..}` and whose family is `adam_lr` or `adagrad_lr`; those of
    `one_run_optimizers()`, which are families themselves.
    Raises `UnknownName`.
    """
    if name in fixed_optimizers():
        return _fixed_config(name)
    if name in one_run_optimizers():
        return [dict(ONE_RUN[name]), name]
    parsed = registry.parse(name)
    if parsed and parsed[0] in _BY_SEED:
        return [sample_optimizer(*parsed), parsed[0]]
    sampled = ", ".join(f"{family}_seedN" for family in _BY_SEED)
    others = ", ".join(one_run_optimizers())
    hint = f"Known are {sampled}, {others}, and adam_lr_X, adagrad_lr_X with X = -7.00, -6.50 .. 1.00."
    raise unknown("optimizer", name, [*all_optimizers(), *one_run_optimizers()], hint)


def opt_list_names(n):
    """The first `n` names of the learned list, best first: `["nadamw_grid_seed251", ..]`.

    Raises `ConfigError` beyond its length.
    """
    if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or not 0 <= n <= len(opt_list.SEEDS):
        longest = len(opt_list.SEEDS)
        raise ConfigError(f"opt_list of {shown(n)} optimizers: the learned list has {longest}; ask for an integer 0 .. {longest}")
    return [f"nadamw_grid_seed{seed}" for seed in opt_list.SEEDS[:n]]
