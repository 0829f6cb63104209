"""Associative_.. and Copy_..: generated sequences that need memory.

Vanilla cores have a tanh; initial states are zeros.
"""

import re
from typing import Any

from taskset.datasets.sequences import AssociativeData, CopyData
from taskset.registry import Facts, add_fixed, register_facts, register_schema
from taskset.samplers import schemas, shapes
from taskset.tasks.fixed.cores import core
from taskset.tasks.fixed.parts import DEFAULT, parsed

_CORE = r"(?P<kind>[A-Z]+)(?P<units>\d+)_BS(?P<bs>\d+)"
_ASSOCIATIVE = re.compile(rf"Associative_{_CORE}_Pairs(?P<pairs>\d+)_Tokens(?P<tokens>\d+)")
_COPY = re.compile(rf"Copy_{_CORE}_Length(?P<length>\d+)_Tokens(?P<tokens>\d+)")


def _schema(field: str) -> dict[str, Any]:
    return schemas.fields(
        core=schemas.RECURRENT_CORE,
        trainable_init=schemas.BOOLEAN,
        w_init=schemas.INITIALIZER,
        bs=schemas.SIZE,
        tokens=schemas.SIZE,
        **{field: schemas.SIZE},
    )


register_schema("associative", _schema("pairs"))
register_schema("copy", _schema("length"))


def _facts(config: dict[str, Any], data: AssociativeData | CopyData) -> Facts:
    symbols = data.num_symbols
    start = shapes.initial_state(config["core"]) if config["trainable_init"] else {}
    linear = shapes.linear("linear", config["core"][1]["core_dim"], symbols)
    return Facts(data, {**shapes.recurrent_core(config["core"], symbols), **start, **linear}, data.infeasible)


@register_facts("associative")
def associative_facts(config: dict[str, Any]) -> Facts:
    """Core and linear layer over tokens + 2 symbols; the keys of a sequence are distinct, so pairs <= tokens."""
    return _facts(config, AssociativeData(config["bs"], config["pairs"], config["tokens"]))


@register_facts("copy")
def copy_facts(config: dict[str, Any]) -> Facts:
    """Core and linear layer over tokens + 2 symbols."""
    return _facts(config, CopyData(config["bs"], config["length"], config["tokens"]))


def _config(pattern: re.Pattern[str], name: str, field: str) -> dict[str, Any]:
    fields = parsed(pattern, name)
    return {
        "core": core(fields["kind"], fields["units"]),
        "trainable_init": False,
        "w_init": DEFAULT,
        "bs": int(fields["bs"]),
        "tokens": int(fields["tokens"]),
        field: int(fields[field]),
    }


for _name in (
    "Associative_LSTM128_BS128_Pairs5_Tokens20",
    "Associative_LSTM128_BS128_Pairs20_Tokens50",
    "Associative_LSTM256_BS128_Pairs40_Tokens100",
    "Associative_LSTM128_BS128_Pairs10_Tokens50",
    "Associative_GRU128_BS128_Pairs10_Tokens50",
    "Associative_VRNN128_BS128_Pairs10_Tokens50",
    "Associative_LSTM256_BS128_Pairs20_Tokens50",
    "Associative_GRU256_BS128_Pairs20_Tokens50",
    "Associative_VRNN256_BS128_Pairs20_Tokens50",
):
    add_fixed(__name__, _name, "associative", _config(_ASSOCIATIVE, _name, "pairs"))

for _name in (
    "Copy_LSTM128_BS128_Length5_Tokens10",
    "Copy_LSTM128_BS128_Length20_Tokens20",
    "Copy_LSTM128_BS128_Length50_Tokens5",
    "Copy_LSTM128_BS128_Length20_Tokens10",
    "Copy_GRU128_BS128_Length20_Tokens10",
    "Copy_VRNN128_BS128_Length20_Tokens10",
    "Copy_LSTM256_BS128_Length40_Tokens50",
    "Copy_GRU256_BS128_Length40_Tokens50",
    "Copy_VRNN256_BS128_Length40_Tokens50",
):
    add_fixed(__name__, _name, "copy", _config(_COPY, _name, "length"))
