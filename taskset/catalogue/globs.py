"""Tasks by globs of their names."""

from collections.abc import Sequence

from taskset import registry
from taskset.catalogue.configs import resolve
from taskset.catalogue.names import families, listed_tasks
from taskset.errors import TasksetError, cut, nearest, shown
from taskset.patterns import matching


def list_tasks(pattern: str | None = None) -> list[str]:
    """Task names: the fixed ones and seeds 0 .. 999 of each family; `pattern` is a glob (`"mlp_family_seed1?"`).

    Seeds beyond 999 are included if the pattern spells them out in digits and ranges: `"mlp_family_seed100[0-2]"`.
    """
    names = listed_tasks()
    return names if pattern is None else matching(pattern, names, families())


def match_tasks(patterns: Sequence[str]) -> list[str]:
    """Task names for names and globs, in order, each once.

    Raises: UnknownName for a name of no task, TasksetError for a glob without a match.
    """
    names: dict[str, None] = {}
    for pattern in patterns:
        if is_glob(pattern):
            found = list_tasks(pattern)
            if not found:
                raise TasksetError(no_match(pattern))
        else:
            resolve(pattern)
            found = [pattern]
        names.update(dict.fromkeys(found))
    return list(names)


def is_glob(pattern: str) -> bool:
    """Whether a pattern may stand for several names."""
    return any(c in pattern for c in "*?[")


def no_match(pattern: str | None, nothing: str = "no task") -> str:
    """The error message for a glob without a match. nothing: how it begins, such as "nothing" where optimizers count as well."""
    whole = cut(str(pattern))
    head = whole.rpartition("_seed")[0] or whole.strip("*?")
    near = nearest(head, families(), 1)
    guess = f"; did you mean {near[0]}_seed..?" if near and f"{near[0]}_seed" not in whole else ""
    return (
        f"{nothing} matches {shown(pattern)}{guess}: python -m taskset list shows what there is; "
        f"* and ? stand for seeds 0 .. {registry.SEEDS - 1}, ranges such as seed100[0-2] for others, too"
    )
