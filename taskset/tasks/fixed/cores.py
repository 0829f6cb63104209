"""The recurrent cores that names of fixed tasks speak of."""


def core(kind, units, act_fn="tanh"):
    """`[kind, arguments]` for "LSTM", "GRU", "VRNN" or "IRNN" with `units` units; `act_fn` is that of the last two.

    IRNN: a vanilla RNN whose hidden matrix starts as the identity (Le et al. 2015, arXiv 1504.00941).
    """
    arguments = {
        "LSTM": {},
        "GRU": {},
        "VRNN": {"act_fn": act_fn},
        "IRNN": {"hidden_to_hidden": ["identity", None], "act_fn": act_fn},
    }[kind]
    return ["vrnn" if kind == "IRNN" else kind.lower(), {**arguments, "core_dim": int(units)}]
