"""The example at the top of the package: what is cheap of it is executed, and all of its calls fit what they call."""

import ast
import inspect

import learned
from learned.evaluation import runs

CHEAP = ("import ", "from ", "tasks = ", "suite = ", "options = ")


def example():
    """The statements of the example, as a syntax tree."""
    lines = inspect.getdoc(learned).splitlines()
    return ast.parse("\n".join(line.removeprefix("    ") for line in lines if line.startswith("    "))).body


def test_the_first_example_can_run():
    known, lines = {}, example()
    for line in lines:
        if ast.unparse(line).startswith(CHEAP):
            exec(ast.unparse(line), known)
    suite, options = known["suite"], known["options"]
    assert suite.of_split("train") and not suite.unmeasured and options.optimizer == "learnable_adam"
    calls = [call for line in lines for call in ast.walk(line) if isinstance(call, ast.Call)]
    names = {ast.unparse(call.func): call for call in calls}
    for name in ("learned.Options", "learned.train", "learned.evaluate", "learned.compare", "learned.load"):
        given = names[name]
        signature = inspect.signature(getattr(learned, name.removeprefix("learned.")))
        signature.bind(*given.args, **{keyword.arg: keyword.value for keyword in given.keywords})
    given = {keyword.arg: ast.literal_eval(keyword.value) for keyword in names["learned.evaluate"].keywords}
    tasks, _, horizon = runs.tasks_of(suite, horizon=given["horizon"])
    assert tasks and horizon == 200 and given["batches"] == 5  # those of the baselines that it is compared with
