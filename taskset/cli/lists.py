"""What there is, in lists for people: families of tasks, patterns of optimizers' names. In lines of 80 characters."""

import textwrap
from collections import Counter

from taskset import catalogue, registry
from taskset.errors import cut
from taskset.samplers import about

_MORE = """
A seed is any integer below 2**31; globs stand for 0 to 999.

python -m taskset list 'mlp_family_seed1?'    names that match
python -m taskset list --all                  every name, one a line
python -m taskset list --families             more of each family
python -m taskset list --optimizers           the optimizers
python -m taskset show mlp_family_seed12      one task"""
_OTHERS = """
python -m taskset list --optimizers 'adam_lr_*'    names that match
python -m taskset list --optimizers --all          every name, one a line
python -m learned pretrained                       weights, such as muon_mined
python -m taskset score --help                     optimizers of any library"""


def _fixed() -> Counter[str]:
    """{family: number of its fixed tasks}."""
    return Counter(map(catalogue.family_of, catalogue.fixed_tasks()))


def family_names() -> list[str]:
    """All families that have tasks, sorted: those that are sampled, and those of fixed tasks alone."""
    return sorted({*catalogue.families(), *_fixed()})


def overview() -> list[str]:
    """A table of all families, and where there is more."""
    fixed, sampled = _fixed(), catalogue.families()
    rows = [
        f"{name:<30}  {fixed[name] + registry.SEEDS * (name in sampled):>5}  {cut(about.family(name).what, 41)}".rstrip()
        for name in family_names()
    ]
    return [f"{'family':<30}  tasks  what it is", *rows, *_MORE.split("\n")]


def families() -> list[str]:
    """Of each family: what it is, its data, its sizes, its tasks. Further lines of one are indented."""
    fixed, sampled, lines = _fixed(), catalogue.families(), []
    for name in family_names():
        told = about.family(name)
        parts = [told.what, f"data: {told.data}" if told.data else ""]
        if told.parameters:
            parts.append(f"{told.parameters[0]:,} to {told.parameters[1]:,} parameters")
        ways = ["by seed" if name in sampled else "", f"{fixed[name]} fixed" if fixed[name] else ""]
        parts.append(f"tasks: {' and '.join(filter(None, ways))}")
        text = f"{name}: {'; '.join(filter(None, parts))}"
        lines += textwrap.wrap(text, 80, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return lines


def optimizers() -> list[str]:
    """A table of patterns of names, and where there are others."""
    rows = [f"{pattern:<24}  {what}" for pattern, what in about.OPTIMIZERS.items()]
    own = [f"{name:<24}  registered by you" for name in registry.own_optimizers()]
    return [f"{'name':<24}  what it is", *rows, *own, *_OTHERS.split("\n")]
