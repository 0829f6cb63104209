"""What to say of a name that is no optimizer's: a rate that is near, what to do with a rule alone, where other optimizers go."""

import math
from collections.abc import Iterable, Mapping

from taskset.errors import UnknownName, shown, unknown
from taskset.samplers import opt_list

_LISTED = "python -m taskset list --optimizers shows all."
_ANY_RATE = {
    "adam": "for any other: taskset.optimizers.adam(3e-4) in Python, keras.optimizers:Adam with score",
    "adagrad": "for any other: taskset.optimizers.adagrad(3e-4) in Python, keras.optimizers:Adagrad with score",
}
# Rules that people know by other names than those of the package, or that have no name without a setting.
_ALONE = {
    **{rule: f"give its rate, {rule}_lr_-3.00 (10^-3); {any_rate}" for rule, any_rate in _ANY_RATE.items()},
    "nadamw": "a seed draws its settings, nadamw_corrected_seed7; for others: taskset.optimizers.nadamw_corrected(..) in Python",
    "adamw": "schedule_free_adamw, nadamw_corrected_seed7 (a seed draws its settings); keras.optimizers:AdamW with score",
    **{
        rule: f"it has no names: taskset.optimizers.{rule}(0.1) makes it in Python, @taskset.register_optimizer gives it a name "
        "(examples/own_optimizer.py)"
        for rule in ("sgd", "momentum", "nesterov", "rmsprop")
    },
}


def no_optimizer(name: object, names: Iterable[str], rates: Mapping[str, Iterable[float]]) -> UnknownName:
    """The error for a name that is not among `names`. rates: {family: log10 of its learning rates} of names FAMILY_X."""
    if not isinstance(name, str):
        return unknown("optimizer", name, (), _LISTED)
    if name.lower() in _ALONE:
        return UnknownName(f"unknown optimizer {shown(name)}: {_ALONE[name.lower()]}. {_LISTED}")
    if name.startswith("opt_list:"):
        return _a_list(name)
    if ":" in name or name.endswith(".py"):
        return UnknownName(
            f"unknown optimizer {shown(name)}: FILE.py:NAME and MODULE:NAME are for `python -m taskset score`; elsewhere, "
            "@taskset.register_optimizer gives an optimizer a name, and --import FILE.py loads it (examples/own_optimizer.py)."
        )
    family, _, number = name.rpartition("_")
    near = _near(number, sorted(rates[family])) if family in rates else []
    if not near:
        return unknown("optimizer", name, names, _LISTED)
    guess = " or ".join(f"'{family}_{log10:.2f}' (rate {10**log10:.3g})" for log10 in near)
    return UnknownName(
        f"unknown optimizer {shown(name)}; did you mean {guess}? X of {family}_X is log10 of the rate, "
        f"{min(rates[family]):.2f} .. {max(rates[family]):.2f} in steps of a half; {_ANY_RATE[family.partition('_')[0]]}."
    )


def _a_list(name: str) -> UnknownName:
    """The error for `opt_list:N` where one optimizer is asked for, or for what is meant to be it."""
    longest = len(opt_list.SEEDS)
    example = name if 1 <= (opt_list.length_of(name) or 0) <= longest else "opt_list:10"
    return UnknownName(
        f"unknown optimizer {shown(name)}: opt_list:N is a list of N optimizers, at most {longest}; "
        f"`python -m taskset list --optimizers {example}` shows their names; baseline and score take it."
    )


def _near(text: str, grid: list[float]) -> list[float]:
    """What a number may stand for in a grid of log10(rate): itself where it is there, and what is near where it is a rate."""
    try:
        number = float(text)
    except ValueError:
        return []
    if not math.isfinite(number):
        return []
    found = [log10 for log10 in grid if math.isclose(number, log10, abs_tol=1e-9)]
    if number > 0:
        found += _beside(math.log10(number), grid)
    elif not found:
        found = _beside(number, grid)
    return list(dict.fromkeys(found))


def _beside(number: float, grid: list[float]) -> list[float]:
    """The entry of a grid that is a number, or the two beside it, the nearer first; beyond its ends, the end."""
    below, above = [x for x in grid if x <= number + 1e-9], [x for x in grid if x >= number - 1e-9]
    return sorted({*below[-1:], *above[:1]}, key=lambda x: abs(x - number))
