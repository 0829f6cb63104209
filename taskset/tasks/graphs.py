"""Which functions a TensorFlow function is made of, and what they compute, whatever they are called."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence

import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, function_pb2
from tensorflow.python.eager import context

_UNIQUE_TO_A_PROCESS = ("_gradient_op_type", "_original_func_name", "forward_function_name", "backward_function_name")


def reachable(name: str) -> dict[str, function_pb2.FunctionDef]:
    """{name: definition} of a function and all that it calls, in the order in which they are met."""
    found: dict[str, function_pb2.FunctionDef] = {}
    waiting = [name]
    while waiting:
        name = waiting.pop(0)
        if name not in found and context.context().has_function(name):
            found[name] = context.context().get_function_def(name)
            waiting += _called(found[name])
    return found


def _called(definition: function_pb2.FunctionDef) -> Iterator[str]:
    for node in definition.node_def:
        yield node.op
        for key in sorted(node.attr):
            yield from (function.name for function in named_functions(node.attr[key]))


def named_functions(value: attr_value_pb2.AttrValue) -> Sequence[attr_value_pb2.NameAttrList]:
    """The functions that an attribute of a node names."""
    return [value.func] if value.HasField("func") else value.list.func


def digest(name: str) -> str:
    """32 hex digits that are equal for functions that compute the same in the same order, whatever they and theirs are called."""
    found = reachable(name)
    places = {name: str(i) for i, name in enumerate(found)}
    anonymous = (renamed(definition, places) for definition in found.values())
    return hashlib.sha256(b"".join(d.SerializeToString(deterministic=True) for d in anonymous)).hexdigest()[:32]


def renamed(definition: function_pb2.FunctionDef, names: Mapping[str, str]) -> function_pb2.FunctionDef:
    """A copy of a function in which `names` {old: new} are replaced everywhere, also as parts of the names of arguments."""
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
    copy.arg_attr.clear()  # the caller's names for arguments
    _forget(copy.attr)
    for node in copy.node_def:
        node.name, node.op = swap(node.name), swap(node.op)
        node.input[:] = map(swap, node.input)
        node.ClearField("experimental_debug_info")
        _forget(node.attr)
        for value in node.attr.values():
            for function in named_functions(value):
                function.name = swap(function.name)
    return copy


def _forget(attributes: MutableMapping[str, attr_value_pb2.AttrValue]) -> None:
    for key in _UNIQUE_TO_A_PROCESS:
        attributes.pop(key, attr_value_pb2.AttrValue())


def kinds(graph: tf.Graph, operations: Iterable[tf.Operation]) -> Iterator[str]:
    """The kinds of `operations` and of all that they call."""
    waiting, seen = [*operations], set[str]()
    while waiting:
        operation = waiting.pop()
        yield operation.type
        for name in _called_by(operation):
            if name not in seen and (function := graph._get_function(name)) is not None:
                seen.add(name)
                waiting += function.graph.get_operations()


def _called_by(operation: tf.Operation) -> Iterator[str]:
    for value in operation.node_def.attr.values():
        yield from (function.name for function in named_functions(value))


_DRAWS = ("Random", "TruncatedNormal", "ParameterizedTruncatedNormal", "Multinomial", "SampleDistortedBoundingBox")  # beginnings
_NO_DRAWS = ("RandomGammaGrad", "RandomIndexShuffle")  # a derivative; a function of the seed that it is given


def draws_hidden(kind: str) -> bool:
    """Whether operations of a kind draw from TensorFlow's global random state: the same seeds give other numbers each time."""
    return (kind.startswith(_DRAWS) or kind.endswith("CandidateSampler")) and kind not in _NO_DRAWS


def global_draw(name: str) -> str | None:
    """The first operation of a function, or of those it calls, that draws from TensorFlow's global random state; None."""
    nodes = (node.op for definition in reachable(name).values() for node in definition.node_def)
    return next((op for op in nodes if draws_hidden(op)), None)
