"""How long the first step of a learned optimizer takes where XLA compiles it: in Keras, and in JAX where that is installed.

    python -m benchmarks.deployed_first_step [--layers 10 40] [--publish]

Nets with so many hidden layers of 64 units, of which each has two tensors; batches of 32. CPU seconds of the first step, gradient
included, each in a process of its own, without TensorFlow's cache of programs. Writes the section "deployed_first_step" of
docs/benchmarks.md.
"""

import argparse
import importlib.util
import itertools
import time

import numpy as np

from benchmarks import processes
from tools import report

SIDES = {"keras": "Keras", "jax": "JAX"}
OPTIMIZERS = ("Adam", "anchored_wide", "muon_mined")
UNITS, BATCH, STEPS, REPEATS = 64, 32, 100, 3


def data():
    """(x, y) of a batch."""
    rng = np.random.default_rng(0)
    return tuple(rng.normal(size=(BATCH, UNITS)).astype(np.float32) for _ in range(2))


def keras_seconds(name, layers):
    """CPU seconds of the first step in Keras."""
    import learned.keras  # first: TensorFlow then starts without its messages

    import keras  # isort: skip

    model = keras.Sequential([keras.Input((UNITS,)), *(keras.layers.Dense(UNITS, "relu") for _ in range(layers))])
    model.add(keras.layers.Dense(UNITS))
    model.compile(keras.optimizers.Adam() if name == "Adam" else learned.keras.from_checkpoint(name, steps=STEPS), "mse")
    start = time.process_time()
    model.train_on_batch(*data())
    return time.process_time() - start


def jax_seconds(name, layers):
    """CPU seconds of the first step in JAX."""
    import jax
    import jax.numpy as jnp

    from learned.deploy import jax_update
    from learned.deploy.pretrained import find

    x, y = data()
    shapes = list(itertools.pairwise([UNITS] * (layers + 2)))
    params = [(np.full(shape, 0.01, np.float32), np.zeros(shape[1], np.float32)) for shape in shapes]

    def loss_of(params):
        h = x
        for w, b in params[:-1]:
            h = jax.nn.relu(h @ w + b)
        return jnp.mean(jnp.square(h @ params[-1][0] + params[-1][1] - y))

    if name == "Adam":
        import optax

        optimizer = optax.with_extra_args_support(optax.adam(1e-3))
    else:
        optimizer = jax_update.load(find(name), steps=STEPS)

    @jax.jit
    def step(params, state):
        loss, gradients = jax.value_and_grad(loss_of)(params)
        updates, state = optimizer.update(gradients, state, params, value=loss)
        return jax.tree.map(jnp.add, params, updates), state

    state = optimizer.init(params)
    start = time.process_time()
    jax.block_until_ready(step(params, state))
    return time.process_time() - start


def measure(side, name, layers, pipe):
    """Send the CPU seconds of one case."""
    pipe.send({"keras": keras_seconds, "jax": jax_seconds}[side](name, layers))


def section(found):
    """Markdown. found: {(side, layers, optimizer): seconds}."""
    rows = [
        [SIDES[side], layers, 2 * layers + 2, *(f"{found[side, layers, name]:.1f}" for name in OPTIMIZERS)]
        for side, layers in dict.fromkeys(key[:2] for key in found)
    ]
    header = ["", "hidden layers", "tensors", *(name if name == "Adam" else f"`{name}`" for name in OPTIMIZERS)]
    return (
        "## The first step of learned optimizers\n\nXLA compiles it, for longer where there are more tensors. CPU seconds, "
        f"gradient included, with layers of {UNITS} units, medians of {REPEATS}; for Adam, Keras's and Optax's. Made by "
        f"`python -m benchmarks.deployed_first_step`.\n\n{report.table(header, rows)}\n\n"
        f"{report.conditions('tensorflow', 'keras', *(['jax'] if any(key[0] == 'jax' for key in found) else []))}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, nargs="+", default=[10, 40], help="Numbers of hidden layers.")
    report.publish_option(parser)
    arguments = parser.parse_args()
    report.require_whole(parser, arguments, "layers")
    processes.compile_everything()
    sides = [side for side in SIDES if importlib.util.find_spec(side)]
    cases = list(itertools.product(sides, arguments.layers, OPTIMIZERS))
    runs = [
        {(side, layers, name): processes.result_of(measure, side, name, layers) for side, layers, name in cases}
        for _ in range(REPEATS)
    ]
    text = section({case: float(np.median([run[case] for run in runs])) for case in cases})
    report.show(arguments, "deployed_first_step", text)


if __name__ == "__main__":
    main()
