"""Which functions a TensorFlow function is made of, and what they compute, whatever they are called."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, function_pb2
from tensorflow.python.eager import context

_UNIQUE_TO_A_PROCESS = ("_gradient_op_type", "_original_func_name", "forward_function_name", "backward_function_name")
_CALLS_OF_PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc")  # in every step; each call has a number, its token


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
    """Hex digits, equal for functions that compute the same in the same order, whatever they and their parts are called."""
    found = reachable(name)
    places = {name: str(i) for i, name in enumerate(found)}
    nameless = (_nameless(definition, places) for definition in found.values())
    return hashlib.sha256(b"".join(d.SerializeToString(deterministic=True) for d in nameless)).hexdigest()


def _nameless(definition: function_pb2.FunctionDef, functions: Mapping[str, str]) -> function_pb2.FunctionDef:
    """A copy with numbers for the names of arguments, nodes and results. functions: {name: number}."""
    copy = type(definition)()
    copy.CopyFrom(definition)
    signature = copy.signature
    numbers = {part.name: str(i) for i, part in enumerate((*signature.input_arg, *copy.node_def))}

    def place(text: str) -> str:
        """Of "name", "name:output:0" or, of a node that has to be done before, "^name"."""
        name, colon, output = text.removeprefix("^").partition(":")
        return text[: text.startswith("^")] + numbers[name] + colon + output

    results = [place(copy.ret[result.name]) for result in signature.output_arg]
    also_done = [place(copy.control_ret[name]) for name in signature.control_output]
    for table, places in ((copy.ret, results), (copy.control_ret, also_done)):
        table.clear()
        table.update({str(i): place for i, place in enumerate(places)})
    signature.name = functions[signature.name]
    for arguments in (signature.input_arg, signature.output_arg):
        for i, argument in enumerate(arguments):
            argument.name = str(i)
    signature.control_output[:] = map(str, range(len(also_done)))
    forget(copy)
    for node in copy.node_def:
        node.name, node.op = numbers[node.name], functions.get(node.op, node.op)
        node.input[:] = map(place, node.input)
        for key in ("_class", *(["token"] if node.op in _CALLS_OF_PYTHON else [])):  # the class has other nodes' names
            node.attr.pop(key, attr_value_pb2.AttrValue())
        for value in node.attr.values():
            for function in named_functions(value):
                function.name = functions.get(function.name, function.name)
    return copy


def forget(definition: function_pb2.FunctionDef) -> None:
    """Remove from a function what is another in each process, and what is for people alone."""
    definition.arg_attr.clear()  # the caller's names for arguments
    for part in (definition, *definition.node_def):
        for key in _UNIQUE_TO_A_PROCESS:
            part.attr.pop(key, attr_value_pb2.AttrValue())
    for node in definition.node_def:
        node.ClearField("experimental_debug_info")


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
