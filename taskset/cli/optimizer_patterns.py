"""Names of optimizers for what users write on the command line: names, globs, and `opt_list:N`."""

from collections.abc import Sequence

from taskset.catalogue import is_glob
from taskset.errors import ConfigError, TasksetError, nearest, shown
from taskset.patterns import matching
from taskset.samplers import installed, opt_list
from taskset.samplers.optimizers import (
    FIXED_FAMILIES,
    all_optimizers,
    by_seed,
    get_optimizer_config,
    is_optimizer_name,
    one_run_optimizers,
    opt_list_names,
)


def find_optimizers(pattern: str) -> list[str]:
    """Optimizer names that match a glob, also with seeds above 999, in the order in which they are listed."""
    return matching(pattern, [*all_optimizers(), *one_run_optimizers()], by_seed())


def match_optimizers(patterns: Sequence[str]) -> list[str]:
    """Optimizer names for names, globs, and `opt_list:N` (the first N of the learned list), in order, each once.

    Raises `TasksetError` for a pattern without a match, and for an optimizer with weights, which sweeps don't take.
    """
    names: dict[str, None] = {}
    for pattern in patterns:
        length = opt_list.length_of(pattern)
        if length is not None:
            found = opt_list_names(length)
        elif is_glob(pattern):
            found = find_optimizers(pattern)
            if not found:
                families = [f"{name}_" for name in [*by_seed(), *FIXED_FAMILIES]]
                near = nearest(pattern.rstrip("*?"), [*families, *one_run_optimizers()], 1)
                guess = f"; did you mean '{near[0]}*'?" if near else ":"
                raise TasksetError(f"no optimizer matches {shown(pattern)}{guess} python -m taskset list --optimizers shows all")
        else:
            found = [_of_sweeps(pattern)]
        names.update(dict.fromkeys(found))
    return list(names)


def _of_sweeps(name: str) -> str:
    """`name`. Raises `UnknownName` where it is no optimizer's, `ConfigError` where it is one of an installed package."""
    if check_optimizer(name):
        return name
    raise ConfigError(
        f"optimizer {name!r} has weights, and sweeps take optimizers that hyperparameters describe: "
        f"`python -m taskset score {name}` and `python -m learned evaluate {name}` record its curves"
    )


def check_optimizer(name: str) -> bool:
    """Whether hyperparameters describe the optimizer of this name, or it is one of an installed package, with weights.

    Raises `UnknownName` unless `taskset.get_optimizer` makes an optimizer of it.
    """
    if is_optimizer_name(name):
        return True
    if not installed.is_one(name):
        get_optimizer_config(name)  # raises, with what is near
    return False
