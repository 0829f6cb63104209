"""An optimizer from outside the package: `python -m taskset .. --optimizer sign_momentum --import examples/own_optimizer.py`."""

import tensorflow as tf

import taskset
from taskset.optimizers.base import Elementwise, as_given


def formula(t, w, g, m, *, learning_rate, decay):
    """m <- decay m + (1 - decay) g; w <- w - learning_rate sign(m)."""
    m = decay * m + (1 - decay) * g
    return w - learning_rate * tf.sign(m), m


@taskset.register_optimizer("sign_momentum_fast", learning_rate=0.01, decay=0.9)
@taskset.register_optimizer("sign_momentum", learning_rate=0.001, decay=0.9)
def sign_momentum(**settings):
    return Elementwise("sign_momentum", "sign_momentum", formula, ("m",), settings, as_given)
