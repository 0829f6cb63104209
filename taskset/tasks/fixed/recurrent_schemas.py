"""JSON schemas that the fixed recurrent tasks share: the sampled families', with initializers that may be left out."""

from taskset.samplers import parts, schemas

_INITIALIZER = schemas.tagged(
    {
        **{name: {"type": "null"} for name in (*parts.PLAIN_INITIALIZERS, "identity")},
        **{name: schemas.number(exclusiveMinimum=0) for name in parts.SCALED_INITIALIZERS},
    }
)


def with_defaults(names, **required):
    """A dict with the required fields and, where wanted, the initializers called `names`; those left out are Sonnet's default."""
    whole = schemas.fields(**required, **dict.fromkeys(names, _INITIALIZER))
    return {**whole, "required": list(required)}


CORE = schemas.tagged(
    {
        "vrnn": with_defaults(("in_to_hidden", "hidden_to_hidden"), act_fn=schemas.ACTIVATION, core_dim=schemas.SIZE),
        "gru": with_defaults(parts.GRU_MATRICES, core_dim=schemas.SIZE),
        "lstm": with_defaults(("w_gates",), core_dim=schemas.SIZE),
    }
)
