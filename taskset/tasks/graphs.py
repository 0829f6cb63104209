"""Which functions a TensorFlow function is made of."""

from collections.abc import Iterable, Iterator, Sequence

import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, function_pb2
from tensorflow.python.eager import context


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
