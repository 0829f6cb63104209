"""The recurrent cores in the names of fixed tasks."""

from typing import Any

from taskset.samplers.parts import GRU_MATRICES
from taskset.tasks.fixed.parts import DEFAULT, GLOROT_UNIFORM


def core(kind: str, units: int | str, act_fn: str | None = "tanh") -> list[Any]:
    """`[kind, arguments]` for "LSTM", "GRU", "VRNN" or "IRNN" with `units` units; `act_fn` is that of the last two.

    GRU: its matrices start glorot uniform, TensorFlow 1's default, since that of the release set none of its own.
    IRNN: a vanilla RNN whose hidden matrix starts as the identity (Le et al. 2015, arXiv 1504.00941).
    """
    vanilla = {"in_to_hidden": DEFAULT, "act_fn": act_fn}
    cores: dict[str, tuple[str, dict[str, Any]]] = {
        "LSTM": ("lstm", {"w_gates": DEFAULT}),
        "GRU": ("gru", dict.fromkeys(GRU_MATRICES, GLOROT_UNIFORM)),
        "VRNN": ("vrnn", {"hidden_to_hidden": DEFAULT, **vanilla}),
        "IRNN": ("vrnn", {"hidden_to_hidden": ["identity", None], **vanilla}),
    }
    kind_of_core, arguments = cores[kind]
    return [kind_of_core, {**arguments, "core_dim": int(units)}]
