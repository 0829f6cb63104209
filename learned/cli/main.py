"""The command line: `python -m learned suite | train | evaluate | choose | compare | export | pretrained | recipe`.

Each command is a thin layer over the function it names, in the file of its group. Errors that a user can mend are one line on
stderr and exit status 2.
"""

import typer

from learned.cli import evaluation, recipe, training, weights
from taskset.cli import suite
from taskset.cli.main import Version, is_script
from taskset.cli.main import main as run

app = typer.Typer(
    add_completion=is_script("learned"),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Learned optimizers: train them on suites of tasks, judge them, use them elsewhere.",
)
app.command()(training.train)
app.command()(weights.export)
app.command("pretrained")(weights.list_pretrained)
app.command()(suite.suite)
app.command()(evaluation.evaluate)
app.command()(evaluation.choose)
app.command()(evaluation.compare)
app.command()(recipe.recipe)


@app.callback()
def callback(version: Version = False) -> None:
    """Learned optimizers: train them on suites of tasks, judge them, use them elsewhere."""


def main() -> None:
    """Run the command line; the process's exit status says how it went."""
    run(app, "python -m learned")
