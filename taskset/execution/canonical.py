"""Functions of TensorFlow under names that follow from what they compute.

TensorFlow numbers functions as a process makes them (`while_body_285`), and its cache of compiled programs on disk looks them up
by these names: it finds a program again only in a process that made everything before it in the same order. Here a traced
function and all that it calls are registered once more, numbered from itself and named by a hash of their definitions.
"""

import hashlib
import re

from tensorflow.core.framework import attr_value_pb2
from tensorflow.python.eager import context  # the only registry of functions there is

from taskset.tasks.graphs import named_functions, reachable

_UNIQUE_TO_A_PROCESS = ("_gradient_op_type", "_original_func_name", "forward_function_name", "backward_function_name")


def canonical_name(name):
    """Register the function called `name`, and those that it calls, under canonical names; returns its own."""
    found = reachable(name)
    places = {name: str(i) for i, name in enumerate(found)}
    anonymous = [_renamed(definition, places) for definition in found.values()]
    digest = hashlib.sha256(b"".join(d.SerializeToString(deterministic=True) for d in anonymous)).hexdigest()[:32]
    names = {name: f"taskset_{digest}_{i}" for name, i in places.items()}
    for definition in reversed(found.values()):  # what is called before what calls it
        definition = _renamed(definition, names)
        if not context.context().has_function(definition.signature.name):
            context.context().add_function_def(definition)
    return names[name]


def _renamed(definition, names):
    """A copy in which `names` {old: new} are replaced wherever they stand, also as parts of the names of arguments."""
    pattern = re.compile("|".join(sorted(map(re.escape, names), key=len, reverse=True)))

    def swap(text):
        return pattern.sub(lambda match: names[match[0]], text)

    made = type(definition)()
    made.CopyFrom(definition)
    signature = made.signature
    signature.name = swap(signature.name)
    for argument in (*signature.input_arg, *signature.output_arg):
        argument.name = swap(argument.name)
    signature.control_output[:] = map(swap, signature.control_output)
    for table in (made.ret, made.control_ret):
        swapped = {swap(key): swap(value) for key, value in table.items()}
        table.clear()
        table.update(swapped)
    made.arg_attr.clear()  # what the caller called them
    _forget(made.attr)
    for node in made.node_def:
        node.name, node.op = swap(node.name), swap(node.op)
        node.input[:] = map(swap, node.input)
        node.ClearField("experimental_debug_info")
        _forget(node.attr)
        for value in node.attr.values():
            for function in named_functions(value):
                function.name = swap(function.name)
    return made


def _forget(attributes):
    for key in _UNIQUE_TO_A_PROCESS:
        attributes.pop(key, attr_value_pb2.AttrValue())
