"""TensorFlow functions under names that depend only on what they compute.

TensorFlow numbers functions in the order in which a process makes them (`while_body_285`), and its cache of compiled programs on
disk looks them up by these names: a program is found again only by a process that made everything before it in the same order.
Here a traced function and all that it calls are registered once more, under the hash of their definitions and a number.
"""

from tensorflow.python.eager import context  # the only registry of functions there is

from taskset.tasks.graphs import digest, reachable, renamed


def canonical_name(name: str) -> str:
    """Register the function called `name`, and those that it calls, under canonical names; returns its canonical name."""
    found = reachable(name)
    prefix = f"taskset_{digest(name)}"
    names = {each: f"{prefix}_{i}" for i, each in enumerate(found)}
    for original in reversed(found.values()):  # functions before those that call them
        definition = renamed(original, names)
        if not context.context().has_function(definition.signature.name):
            context.context().add_function_def(definition)
    return names[name]
