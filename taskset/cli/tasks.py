"""`python -m taskset list | show | sample`: what tasks there are, and what is known of one without training it."""

import fnmatch
import json
import math
from collections.abc import Callable
from typing import Annotated

import typer
from rich.table import Table

from taskset import catalogue, plugins
from taskset.cli import lists
from taskset.cli.optimizer_patterns import match_optimizers
from taskset.cli.options import Modules, TaskName, out
from taskset.cli.tables import show_fact, show_table
from taskset.datasets import text_info
from taskset.datasets.info import IMAGES
from taskset.errors import ConfigError, TasksetError, shown, unknown
from taskset.execution import costs, known_starts, modes
from taskset.execution.runtime import start_tensorflow


def list_names(
    patterns: Annotated[list[str] | None, typer.Argument(help="Globs, such as 'mlp_family_seed1?'.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Print every name, one a line.")] = False,
    families: Annotated[bool, typer.Option("--families", help="Say of each family what it is.")] = False,
    family: Annotated[str | None, typer.Option(help="List only tasks of this family.", show_default=False)] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="List only tasks that read this data set: a name or glob, such as 'mnist'.", show_default=False),
    ] = None,
    feasible: Annotated[bool, typer.Option("--feasible", help="List only tasks that can run.")] = False,
    finite_start: Annotated[
        bool, typer.Option("--finite-start", help="Leave out tasks whose initial loss is known not to be finite.")
    ] = False,
    max_params: Annotated[
        int | None, typer.Option(help="List only tasks with at most this many parameters.", show_default=False)
    ] = None,
    max_ms: Annotated[
        float | None,
        typer.Option(
            help="List only tasks whose training step takes at most this many milliseconds on one core, measured or estimated.",
            show_default=False,
        ),
    ] = None,
    optimizers: Annotated[bool, typer.Option("--optimizers", help="List the optimizers instead of tasks.")] = False,
    modules: Modules = None,
) -> None:
    """List families, or the tasks that match.

    A task is a fixed one, or a family with a seed; globs stand for seeds 0 to 999.
    """
    plugins.load(modules or [])
    conditions: list[Callable[[str], bool]] = []
    if family is not None:
        catalogue.family(family)  # an unknown one is an error, not an empty list
        conditions.append(lambda name: catalogue.family_of(name) == family)
    if dataset is not None:
        conditions.append(lambda name: fnmatch.fnmatchcase(catalogue.facts(*catalogue.resolve(name)).reads, dataset))
    if feasible:
        conditions.append(catalogue.feasible)
    if finite_start:
        conditions.append(lambda name: known_starts.start(name) not in known_starts.NON_FINITE)
    if max_params is not None:
        conditions.append(lambda name: (size := catalogue.num_params(name)) is not None and size <= max_params)
    if max_ms is not None:
        conditions.append(lambda name: (cost := costs.milliseconds(name)) is not None and cost[0] <= max_ms)
    _check_lists(families, optimizers, everything, bool(patterns), bool(conditions))
    if families:
        print("\n".join(lists.family_names() if everything else lists.families()))
    elif optimizers:
        print("\n".join(match_optimizers(patterns or ["*"]) if everything or patterns else lists.optimizers()))
    elif patterns or conditions or everything:
        names = [name for name in _matching(patterns or ["*"]) if all(fits(name) for fits in conditions)]
        if not names:
            raise _nothing(patterns, dataset)
        print("\n".join(names))
    else:
        print("\n".join(lists.overview()))


def _matching(patterns: list[str]) -> list[str]:
    """The names of tasks that match any pattern, each once. Raises `TasksetError` for a pattern that none matches."""
    found: dict[str, None] = {}
    for pattern in patterns:
        names = catalogue.list_tasks(pattern)
        if not names:
            raise TasksetError(catalogue.no_match(pattern, "nothing"))
        found.update(dict.fromkeys(names))
    return list(found)


def _nothing(patterns: list[str] | None, dataset: str | None) -> TasksetError:
    """The error where no task meets the conditions."""
    known = [*IMAGES, *text_info.NAMES]
    if dataset is not None and not fnmatch.filter(known, dataset):
        return unknown("data set", dataset, known, "python -m taskset data status shows all.")
    what = " ".join(map(shown, patterns)) if patterns else "these options"
    return TasksetError(f"nothing matches {what}: python -m taskset list shows what there is")


def sample(
    family: Annotated[str, typer.Argument(help="Task family.")],
    seed: Annotated[int, typer.Argument(help="Seed. The published ones are 0 .. 999.")],
    modules: Modules = None,
) -> None:
    """Print the config of one seed of a family, as JSON."""
    plugins.load(modules or [])
    print(json.dumps(catalogue.sample(family, seed), indent=1))


def show(
    name: TaskName,
    starts: Annotated[
        bool, typer.Option("--starts", help="Also show what each parameter starts from, which takes seconds longer.")
    ] = False,
    modules: Modules = None,
) -> None:
    """Show a task: config, data, parameters, what a step costs.

    Where it can't run, the reason is shown instead of the last two.
    """
    plugins.load(modules or [])
    family, config = catalogue.resolve(name)
    facts = catalogue.facts(family, config)
    out.print(f"[bold]{name}[/bold]  (family {family})")
    print(json.dumps(config, indent=1))
    print()
    show_fact("data", str(facts.data) if facts.data is not None else "none", out)
    if facts.infeasible:
        show_fact("feasible", f"no: {facts.infeasible}", out)
        return
    show_fact("feasible", "yes", out)
    start, cost = known_starts.start(name), costs.milliseconds(name)
    if start:
        show_fact("start", f"{start} ({known_starts.start_condition()})", out)
    if cost:
        show_fact("step", f"{cost[0]:.3g} ms {cost[1]} ({costs.cost_condition(name)})", out)
    if execution := modes.described(facts):
        show_fact("executed", execution, out)
    if facts.parameter_shapes is not None and not starts:
        show_table(_parameters(facts.parameter_shapes), out)
        return
    # What parameters are drawn from is known once the task is built, seconds later; no data is read for that.
    start_tensorflow()
    task = catalogue.get_task(name, source="synthetic")
    show_table(_parameters(task.parameter_shapes, task.parameter_starts), out)


def _parameters(shapes, starts=None):
    """The table of a task's parameters: paths, shapes, sizes, and the distributions they start from where these are known."""
    table = Table(box=None, pad_edge=False)
    for column in ("parameter", "shape"):
        table.add_column(column)
    table.add_column("size", justify="right")
    if starts is not None:
        table.add_column("starts from")
    for path, shape in shapes.items():
        drawn = [] if starts is None else [str(starts[path])]
        table.add_row(path, " x ".join(map(str, shape)) or "scalar", f"{math.prod(shape):,}", *drawn)
    table.add_row("total", "", f"{sum(map(math.prod, shapes.values())):,}", style="bold")
    return table


def _check_lists(families: bool, optimizers: bool, everything: bool, patterns: bool, conditions: bool) -> None:
    """Raise `ConfigError` where `list` would ignore something of what it was given."""
    why = None
    if families and optimizers:
        why = "--families and --optimizers are two lists: leave out one of them"
    elif families and patterns:
        why = "--families takes no pattern: leave out --families, or what it doesn't go with"
    elif (families or optimizers) and conditions:
        which = "--families" if families else "--optimizers"
        why = f"conditions are for tasks: leave out {which}, or what it doesn't go with"
    elif everything and (patterns or conditions):
        why = "--all takes no pattern and no condition: leave out --all, or what it doesn't go with"
    if why:
        raise ConfigError(why)
