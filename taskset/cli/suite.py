"""`python -m taskset suite`: a suite of tasks. `python -m learned suite` is the same and knows the tiny ones."""

import math
from pathlib import Path
from typing import Annotated

import typer

from taskset import plugins
from taskset.cli.options import Baselines, Modules, Source, out, refuse_others
from taskset.errors import ConfigError


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
        float, typer.Option(help="Only tasks whose training step took at most so many milliseconds in the baselines.")
    ] = math.inf,
    max_params: Annotated[float, typer.Option(help="Only tasks with at most so many parameters.")] = math.inf,
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
    """Make a suite: the matching tasks that can run, have a normalizer and are small enough; split by a hash of their names."""
    from taskset.scoring import suites
    from taskset.scoring.suites import by_name
    from taskset.scoring.suites.suite import SPLITS

    if show:
        refuse_others(context, "--list")
        _list()
        return
    plugins.load(modules or [])
    if bool(rule) != bool(join) and not patterns:
        given = {
            "--source": source != "synthetic", "--horizon": horizon is not None, "--max-ms": max_ms != math.inf,
            "--max-params": max_params != math.inf, "--unmeasured": unmeasured, "--name": bool(rule and name),
        }  # fmt: skip
        if ignored := [option for option, is_given in given.items() if is_given]:
            way = "--named" if rule else "--join"
            raise ConfigError(f"{way} takes no {', '.join(ignored)}: what it makes has its own; give patterns for another suite")
    if output is not None and rule and not (patterns or join):
        made = by_name.rule(rule).suite(baselines)
    elif output is not None and join and len(join) > 1 and not (patterns or rule):
        made = suites.joined(name or output.stem, [by_name.find(one) for one in join])
    elif output is not None and patterns and horizon is not None and not (rule or join):
        called, own = name or output.stem, tuple(modules or ())
        if unmeasured:
            made = suites.make_unmeasured(called, patterns, source, horizon, max_ms, max_params, modules=own)
        else:
            made = suites.make(called, patterns, baselines, source, horizon, max_ms, max_params, modules=own)
    else:
        raise ConfigError(
            "allowed are `suite PATTERNS --horizon STEPS --out FILE`, `suite --named NAME --out FILE`, "
            "`suite --join SUITE --join SUITE --out FILE`, `suite --list`"
        )
    suites.save(made, output)
    counts = ", ".join(f"{split} {len(made.of_split(split))}" for split in SPLITS)
    out.print(f"{output}: {len(made.tasks)} tasks of {len({e.family for e in made.tasks})} families; {counts}", markup=False)


def _list() -> None:
    from taskset.scoring.suites import by_name, tiers

    for one in by_name.rules():
        out.print(f"{one}: {one.about}; source {one.source}, horizon {one.horizon}", markup=False)
    for tier in tiers.names():
        out.print(f"{tier}: {tiers.about(tier)}", markup=False)
