"""Which functions a TensorFlow function is made of."""

from tensorflow.python.eager import context


def reachable(name):
    """{name: definition} of a function and all that it calls, in the order in which they are met."""
    found, waiting = {}, [name]
    while waiting:
        name = waiting.pop(0)
        if name not in found and context.context().has_function(name):
            found[name] = context.context().get_function_def(name)
            waiting += _called(found[name])
    return found


def _called(definition):
    for node in definition.node_def:
        yield node.op
        for key in sorted(node.attr):
            yield from (function.name for function in named_functions(node.attr[key]))


def named_functions(value):
    """The functions that an attribute of a node names."""
    return [value.func] if value.HasField("func") else value.list.func
