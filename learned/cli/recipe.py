"""`python -m learned recipe`."""

from pathlib import Path
from typing import Annotated

import typer

from learned import recipes
from taskset.cli.options import Baselines, DataDir, out, refuse_others
from taskset.errors import ConfigError
from taskset.execution.runtime import start_tensorflow


def recipe(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="Recipe; without a name, all of them are listed.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Directory of all files, needed with a name; run the same command again to resume.", show_default=False
        ),
    ] = None,
    hours: Annotated[float, typer.Option(help="Hours of outer training, evaluation not included.")] = 2.0,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    baselines: Baselines = None,
    judged_by: Annotated[
        Path | None,
        typer.Option(
            help="Other baselines of the held-out tasks to judge by, of as many seeds as the evaluation.", show_default=False
        ),
    ] = None,
    until: Annotated[str, typer.Option(help="Last step to take: suite, screening, training or judgement.")] = "judgement",
    note: Annotated[str, typer.Option(help="Sentence on the conditions of the run, for the report.", show_default=False)] = "",
    publish: Annotated[
        bool, typer.Option("--publish", help="Write the report into docs/ and the weights among those that ship.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Make a pretrained optimizer again, by its recipe.

    Its parts are a suite, screening of its tasks, training for some hours, and judgement on held-out tasks.
    """
    if name is None:
        refuse_others(context, "recipe without a name")
        for each in recipes.names():
            out.print(f"{each}: {recipes.get(each).about}", markup=False)
        out.print("Other pretrained weights have none; docs/one_run_history.md has the commands behind them.", markup=False)
        return
    chosen = recipes.get(name)
    if output is None:
        raise ConfigError(f"where to? allowed is `python -m learned recipe {name} --hours H --out DIR`")
    start_tensorflow(threads=1)
    from learned.recipes import steps

    steps.run(
        chosen,
        output,
        hours=hours,
        workers=workers,
        baselines=baselines,
        judged_by=judged_by,
        data_dir=data_dir,
        note=note,
        publishing=publish,
        until=until,
        say=lambda line: out.print(line, markup=False),
    )
