"""TensorFlow functions under names that depend only on what they compute.

TensorFlow numbers functions in the order in which a process makes them (`while_body_285`), and its cache of compiled programs on
disk looks them up by these names: a program is found again only by a process that made everything before it in the same order.
Here a traced function and all that it calls are registered once more, under the hash of their definitions and a number.
"""

import hashlib
import re
from collections.abc import Mapping

from tensorflow.core.framework import function_pb2
from tensorflow.python.eager import context  # the only registry of functions there is

from taskset.tasks.graphs import forget, named_functions, reachable


def canonical_name(name: str) -> str:
    """Register the function called `name`, and those that it calls, under canonical names; returns its canonical name."""
    found = reachable(name)
    places = {name: str(i) for i, name in enumerate(found)}
    anonymous = [_renamed(definition, places) for definition in found.values()]
    digest = hashlib.sha256(b"".join(d.SerializeToString(deterministic=True) for d in anonymous)).hexdigest()[:32]
    names = {name: f"taskset_{digest}_{i}" for name, i in places.items()}
    for original in reversed(found.values()):  # functions before those that call them
        definition = _renamed(original, names)
        if not context.context().has_function(definition.signature.name):
            context.context().add_function_def(definition)
    return names[name]


def _renamed(definition: function_pb2.FunctionDef, names: Mapping[str, str]) -> function_pb2.FunctionDef:
    """A copy in which `names` {old: new} are replaced everywhere, also as parts of the names of arguments."""
    pattern = re.compile("|".join(sorted(map(re.escape, names), key=len, reverse=True)))

    def swap(text: str) -> str:
        return pattern.sub(lambda match: names[match[0]], text)

    copy = type(definition)()
    copy.CopyFrom(definition)
    signature = copy.signature
    signature.name = swap(signature.name)
    for argument in (*signature.input_arg, *signature.output_arg):
        argument.name = swap(argument.name)
    signature.control_output[:] = map(swap, signature.control_output)
    for table in (copy.ret, copy.control_ret):
        swapped = {swap(key): swap(value) for key, value in table.items()}
        table.clear()
        table.update(swapped)
    forget(copy)
    for node in copy.node_def:
        node.name, node.op = swap(node.name), swap(node.op)
        node.input[:] = map(swap, node.input)
        for value in node.attr.values():
            for function in named_functions(value):
                function.name = swap(function.name)
    return copy
