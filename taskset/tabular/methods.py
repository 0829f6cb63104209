"""Methods of hyperparameter search, as plain functions of a `Search`: examples, and what others are compared with."""

from collections.abc import Iterable

from taskset.errors import StoreError, shown, whole_number
from taskset.random import seeds
from taskset.tabular.problem import Search


def random_search(search: Search, steps: int, seed: int = 0) -> Search:
    """Configurations in random order without replacement, each to its end, until `steps` steps are spent or none is left.

    Raises StoreError for steps below 1, ConfigError for a seed that is none.
    """
    _check(search, steps=steps)
    problem = search.problem
    order = seeds.generator(seeds.check(seed), "random search", problem.task).permutation(len(problem.optimizers))
    return in_turn(search, [problem.optimizers[i] for i in order], steps)


def in_turn(search: Search, optimizers: Iterable[str], steps: int) -> Search:
    """The configurations in the order given, each to its end; the last one as far as what is left of `steps` reaches.

    A run that diverges leaves what it didn't need to the next. Raises StoreError for steps below 1.
    """
    _check(search, steps=steps)
    _check_names("optimizers", optimizers)
    for optimizer in optimizers:
        left = steps - search.steps
        if search.trials and left < search.problem.first_step:
            break
        search.advance(optimizer, min((search.paid(optimizer) or 0) + left, search.problem.horizon))
    return search


def successive_halving(search: Search, first: int, eta: int = 3, candidates: Iterable[str] | None = None) -> Search:
    """All candidates for `first` steps, the best 1 / eta of them for eta times as many, and so on to the horizon.

    first: steps of the first round, at least `Problem.first_step`; eta: integer of at least 2; candidates: names, None: all of
    the problem. The rank of a candidate is its loss at the end of a round (not its lowest); ties and diverged ones go by the
    order given. Raises StoreError for what is not allowed.
    """
    _check(search)
    _check_names("candidates", candidates)
    least, note = search.problem.first_step, f", the first step at which {search.problem.task} was evaluated after its start"
    step = whole_number("first", first, least, error=StoreError, note=note)
    eta = whole_number("eta", eta, least=2, error=StoreError)
    alive = list(search.problem.optimizers if candidates is None else candidates)
    while alive:
        step = min(step, search.problem.horizon)
        losses = {optimizer: search.advance(optimizer, step) for optimizer in alive}
        if step == search.problem.horizon:
            break
        alive = sorted(alive, key=losses.__getitem__)[: max(1, len(alive) // eta)]
        step *= eta
    return search


def _check(search: Search, steps: int = 1) -> None:
    if not isinstance(search, Search):
        raise StoreError(f"search {shown(search)}: allowed is an account of one, as `Problem.search()` opens it")
    whole_number("steps", steps, error=StoreError, note=", the steps that all runs together may take")


def _check_names(name: str, given: object) -> None:
    if isinstance(given, str):  # a text is iterable, letter by letter
        raise StoreError(f"{name} {given!r}: allowed is a list of names")
