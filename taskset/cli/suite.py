"""`python -m taskset suite`: a suite of tasks. `python -m learned suite` is the same and knows the tiny ones."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taskset import plugins
from taskset.cli.options import Baselines, Modules, Source, err, out, refuse_others
from taskset.errors import ConfigError, argument, counted

if TYPE_CHECKING:
    from taskset.scoring.suites.suite import Suite


FEW = 5  # names of tasks that were left out for one reason


def suite(
    context: typer.Context,
    patterns: Annotated[list[str] | None, typer.Argument(help="Task names or globs.")] = None,
    output: Annotated[
        Path | None, typer.Option("--out", help="JSON file to write the suite to; needed except with --list.")
    ] = None,
    horizon: Annotated[
        int | None,
        typer.Option(min=1, help="Horizon of the baselines that losses are normalized by, in steps; needed with patterns."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the suite; default: the file's name.", show_default=False)] = None,
    source: Source = "synthetic",
    baselines: Baselines = None,
    max_ms: Annotated[
        float,
        typer.Option(
            help="Only tasks whose training step took at most so many milliseconds in the baselines.", show_default=False
        ),
    ] = math.inf,
    max_params: Annotated[float, typer.Option(help="Only tasks with at most so many parameters.", show_default=False)] = math.inf,
    unmeasured: Annotated[
        bool,
        typer.Option(
            "--unmeasured",
            help="Use no baselines: take all tasks that can run, for `learned train --unmeasured measure`.",
        ),
    ] = False,
    rule: Annotated[
        str | None,
        typer.Option("--named", help="Make the suite by a rule of the package instead of patterns.", show_default=False),
    ] = None,
    join: Annotated[
        list[str] | None, typer.Option(help="Suite file, or name of a suite, to join with the others. Give it twice or more.")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List the suites that have a name.")] = False,
    modules: Modules = None,
) -> None:
    """Make a suite of tasks, or list those that have a name.

    It has the matching tasks that can run, have a normalizer and are small enough; a hash of their names splits them.
    """
    from taskset.scoring import suites
    from taskset.scoring.suites.suite import TASK_SPLITS

    if show:
        refuse_others(context, "--list")
        _list()
        return
    plugins.load(modules or [])
    if sum(map(bool, (patterns, rule, join))) != 1:
        raise _unclear()
    if not patterns:
        given = {
            "--source": source != "synthetic", "--horizon": horizon is not None, "--max-ms": max_ms != math.inf,
            "--max-params": max_params != math.inf, "--unmeasured": unmeasured, "--name": bool(rule and name),
        }  # fmt: skip
        _refuse_own("--named" if rule else "--join", [option for option, is_given in given.items() if is_given])
    if output is None:
        raise _unclear()
    called, own = name or output.stem, tuple(modules or ())
    if rule:
        made = _by_rule(rule, baselines)
    elif join:
        made = _joined(called, join, baselines)
    elif horizon is None or patterns is None:
        raise _unclear()
    elif unmeasured:
        if baselines is not None:
            raise ConfigError(f"--baselines {argument(baselines)} with --unmeasured, which uses none: allowed is one of the two")
        made = suites.make_unmeasured(called, patterns, source, horizon, max_ms, max_params, modules=own)
    else:
        left_out: dict[str, list[str]] = {}
        made = suites.make(
            called, patterns, baselines, source, horizon, max_ms, max_params, modules=own,
            left_out=lambda task, reason: left_out.setdefault(reason, []).append(task),
        )  # fmt: skip
        for reason, names in left_out.items():
            _show_left_out(reason, names)
    suites.save(made, output)
    counts = ", ".join(f"{split} {len(made.of_split(split))}" for split in TASK_SPLITS)
    tasks, families = len(made.tasks), len({entry.family for entry in made.tasks})
    said = f"{counted(tasks, 'task')} of {counted(families, 'family', 'families')}"
    out.print(f"{output}: {said}; {counts}", markup=False)


def _show_left_out(reason: str, tasks: list[str]) -> None:
    """Tasks that matched and aren't in the suite, and why; of many, the first."""
    more = f" and {len(tasks) - FEW:,} more" if len(tasks) > FEW else ""
    err.print(f"left out, {reason}: {', '.join(tasks[:FEW])}{more}", markup=False)


def _refuse_own(way: str, given: list[str]) -> None:
    """Raise `ConfigError` where options are given of what `way` doesn't choose."""
    if given:
        raise ConfigError(f"{way} takes no {', '.join(given)}: what it makes has its own; give patterns for another suite")


def _by_rule(rule: str, baselines: Path | None) -> Suite:
    from taskset.scoring.suites import by_name

    return by_name.rule(rule).suite(baselines)


def _joined(name: str, parts: list[str], baselines: Path | None) -> Suite:
    """The suites, of which rules follow the baselines, as one. Raises `ConfigError` for baselines where none is a rule."""
    from taskset.scoring import suites
    from taskset.scoring.suites import by_name
    from taskset.scoring.suites.shipped import refuse_baselines

    if len(parts) < 2:
        raise _unclear()
    if not any(map(by_name.follows_baselines, parts)):
        refuse_baselines(" and ".join(parts), baselines, None)
    return suites.joined(name, [by_name.get_suite_beside(one, baselines) for one in parts])


def _unclear() -> ConfigError:
    return ConfigError(
        "allowed are `suite PATTERNS --horizon STEPS --out FILE`, `suite --named NAME --out FILE`, "
        "`suite --join SUITE --join SUITE --out FILE`, `suite --list`"
    )


def _list() -> None:
    from taskset.scoring.suites import by_name, tiers

    rows = [(str(one), one.source, one.horizon, one.about) for one in by_name.rules()]
    rows += [(str(one), one.source, one.horizon, tiers.about(one)) for one in tiers.SHIPPED]
    print(f"{'name':<15}  {'source':<9}  horizon  what it has")
    for name, source, horizon, what in rows:
        first, *more = textwrap.wrap(what, 43, break_on_hyphens=False)
        print(f"{name:<15}  {source:<9}  {horizon:>7}  {first}", *(f"{'':<37}{line}" for line in more), sep="\n")
    print("\nMinutes are those of one core for one optimizer, by the cost model.")
