"""What a step of a learned optimizer costs where it is used, beside Adam's and beside the gradient's own.

    python -m benchmarks.deployed [--repeats 30] [--side keras_xla keras_graph torch jax numpy] [--results FILE] [--publish]

An MLP 784-720-600-10 (1,003,810 parameters), batches of 128, one thread, one core. Each side is a process of its own: `gradient`
computes loss and gradients; `adam` and the learned optimizers do that and a step. They run in turn, and an optimizer's cost is
the median of its CPU time less that of `gradient`. Sides whose framework isn't installed are left out. NumPy has a table of all
rules. Weights are random, which doesn't change what a step costs, except for those of the pretrained `anchored_controller`: the
last layer of its network is 0, and nothing is computed of it. --results: a JSON file in which results are kept; sides that are in
it already are not measured again. Writes the section "deployed" of docs/benchmarks.md.
"""

import argparse
import importlib.util
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from taskset.execution.runtime import start_tensorflow
from tools import report

SIDES = {"keras_xla": "keras", "keras_graph": "keras", "torch": "torch", "jax": "jax", "numpy": "numpy"}
TITLES = {"keras_xla": "Keras, XLA", "keras_graph": "Keras, graph", "torch": "PyTorch", "jax": "JAX", "numpy": "NumPy"}
WIDTHS, BATCH, STEPS = (784, 720, 600, 10), 128, 10_000
SHIPPED = "anchored_controller"  # pretrained weights of the rule `anchored`
EVERYWHERE = ("anchored", SHIPPED, "anchored_muon")  # measured on all sides
RULES = (*EVERYWHERE, "mlp", "mlp2019", "adafac_mlp", "hierarchical", "lstm")


def start():
    """{name: array} of the MLP."""
    rng, params = np.random.default_rng(0), {}
    for i, (inputs, outputs) in enumerate(itertools.pairwise(WIDTHS)):
        params[f"w{i}"] = (rng.normal(size=(inputs, outputs)) * inputs**-0.5).astype(np.float32)
        params[f"b{i}"] = np.zeros(outputs, np.float32)
    return params


def data():
    """(x [128, 784], labels [128])."""
    rng = np.random.default_rng(1)
    return rng.normal(size=(BATCH, WIDTHS[0])).astype(np.float32), rng.integers(0, WIDTHS[-1], BATCH)


def weights(name):
    """(rule, weights {path: array}): random ones of a rule, or those of a pretrained optimizer."""
    from learned import optimizers
    from learned.deploy.weights import load_weights

    if name == SHIPPED:
        return "anchored", load_weights(name).theta
    rng, learned = np.random.default_rng(2), optimizers.get(name)
    return name, {path: (0.1 * rng.normal(size=shape)).astype(np.float32) for path, shape in learned.shapes.items()}


def keras_side(names, compiled):
    """{what: function of one step} in Keras on TensorFlow."""
    start_tensorflow(threads=1)
    import keras
    import tensorflow as tf

    from learned.deploy.keras import LearnedOptimizer

    def made(optimizer):
        model = keras.Sequential([keras.Input((WIDTHS[0],)), *(keras.layers.Dense(n, "relu") for n in WIDTHS[1:-1])])
        model.add(keras.layers.Dense(WIDTHS[-1]))
        model.set_weights(list(start().values()))
        x, labels = map(tf.constant, data())
        if optimizer:
            optimizer.build(model.trainable_variables)

        @tf.function(jit_compile=compiled, autograph=False)
        def step():
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(x, training=True)))
                loss = optimizer.scale_loss(loss) if optimizer else loss
            gradients = tape.gradient(loss, model.trainable_variables)
            if optimizer is None:
                return gradients
            optimizer.apply(gradients, model.trainable_variables)
            return loss

        return step

    learned = {name: made(LearnedOptimizer(*weights(name), steps=STEPS)) for name in names}
    return {"gradient": made(None), "adam": made(keras.optimizers.Adam()), **learned}


def torch_side(names):
    """{what: function of one step} in PyTorch."""
    import torch

    from learned.deploy import torch_update

    torch.set_num_threads(1)
    x, labels = map(torch.tensor, data())

    def made(optimizer_of):
        params = [torch.nn.Parameter(torch.tensor(p)) for p in start().values()]
        optimizer = optimizer_of(params)

        def step():
            for p in params:
                p.grad = None
            h = x
            for i in range(len(WIDTHS) - 1):
                h = torch.addmm(params[2 * i + 1], torch.relu(h) if i else h, params[2 * i])
            loss = torch.nn.functional.cross_entropy(h, labels)
            loss.backward()
            if isinstance(optimizer, torch_update.LearnedOptimizer):
                optimizer.step(loss=loss)
            elif optimizer:
                optimizer.step()

        return step

    learned = {}
    for name in names:
        learned[name] = made(lambda params, name=name: torch_update.LearnedOptimizer(params, *weights(name), STEPS))
    return {"gradient": made(lambda params: None), "adam": made(lambda params: torch.optim.Adam(params, foreach=True)), **learned}


def jax_side(names):
    """{what: function of one step} in JAX; Adam is written out, so that Optax needn't be there."""
    import jax
    import jax.numpy as jnp

    from learned.deploy import jax_update

    x, labels = data()

    def loss_of(params):
        h = x
        for i in range(len(WIDTHS) - 1):
            h = (jnp.maximum(h, 0) if i else h) @ params[f"w{i}"] + params[f"b{i}"]
        return -jax.nn.log_softmax(h)[np.arange(BATCH), labels].mean()

    def adam_init(params):
        return {"t": jnp.zeros([]), **{slot: jax.tree.map(jnp.zeros_like, params) for slot in "mv"}}

    def adam(gradients, state, params, value):
        t = state["t"] + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state["m"], gradients)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, state["v"], gradients)
        rate = 0.001 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        return jax.tree.map(lambda m, v: -rate * m / (jnp.sqrt(v) + 1e-8), m, v), {"t": t, "m": m, "v": v}

    def made(init, update):
        holder = {"params": jax.tree.map(jnp.asarray, start())}
        holder["state"] = init(holder["params"])

        def function(params, state):
            value, gradients = jax.value_and_grad(loss_of)(params)
            updates, state = update(gradients, state, params, value=value)
            return jax.tree.map(jnp.add, params, updates), state

        compiled = jax.jit(function, donate_argnums=(0, 1))

        def step():
            holder["params"], holder["state"] = jax.block_until_ready(compiled(holder["params"], holder["state"]))

        return step

    gradients, params = jax.jit(jax.value_and_grad(loss_of)), jax.tree.map(jnp.asarray, start())
    learned = {name: made(*jax_update.learned_optimizer(*weights(name), STEPS)) for name in names}
    return {"gradient": lambda: jax.block_until_ready(gradients(params)), "adam": made(adam_init, adam), **learned}


def numpy_side(names):
    """{what: function of one step} in NumPy."""
    from learned.deploy import numpy_update

    x, labels = data()

    def gradients_of(params):
        inputs, h = [], x
        for i in range(len(WIDTHS) - 1):
            inputs.append(np.maximum(h, 0) if i else h)
            h = inputs[i] @ params[f"w{i}"] + params[f"b{i}"]
        h -= h.max(1, keepdims=True)
        probabilities = np.exp(h)
        sums = probabilities.sum(1, keepdims=True)
        probabilities /= sums
        loss, gradients = (np.log(sums[:, 0]) - h[np.arange(BATCH), labels]).mean(), {}
        probabilities[np.arange(BATCH), labels] -= 1
        d = probabilities / BATCH
        for i in reversed(range(len(WIDTHS) - 1)):
            gradients[f"w{i}"], gradients[f"b{i}"] = inputs[i].T @ d, d.sum(0)
            d = (d @ params[f"w{i}"].T) * (inputs[i] > 0) if i else d
        return loss, gradients

    def made(name):
        optimizer, holder = numpy_update.LearnedOptimizer(*weights(name), STEPS), {"params": start(), "step": 0}
        holder["state"] = optimizer.init(holder["params"])

        def step():
            loss, gradients = gradients_of(holder["params"])
            arguments = gradients, holder["state"], holder["params"], holder["step"], loss, loss
            holder["params"], holder["state"] = optimizer.update(*arguments)
            holder["step"] += 1

        return step

    params, m, v = start(), *({path: np.zeros_like(p) for path, p in start().items()} for _ in range(2))

    def adam():
        for path, g in gradients_of(params)[1].items():
            m[path] += 0.1 * (g - m[path])
            v[path] += 0.001 * (g * g - v[path])
            params[path] -= 0.001 * m[path] / (np.sqrt(v[path]) + 1e-8)

    return {"gradient": lambda: gradients_of(params), "adam": adam, **{name: made(name) for name in names}}


def measure(side, repeats):
    """{what: median CPU milliseconds of a step}, all in turn, of a side; the gradient is in each of them."""
    names = RULES if side == "numpy" else EVERYWHERE
    makers = {"keras_xla": lambda: keras_side(names, True), "keras_graph": lambda: keras_side(names, False)}
    makers |= {"torch": lambda: torch_side(names), "jax": lambda: jax_side(names), "numpy": lambda: numpy_side(names)}
    steps = makers[side]()
    found = {what: [] for what in steps}
    for i in range(repeats + 2):
        for what, step in steps.items():
            before = time.process_time()
            step()
            if i >= 2:  # what is compiled, and memory
                found[what].append(1e3 * (time.process_time() - before))
    return {what: float(np.median(times)) for what, times in found.items()}


def in_a_process(side, repeats):
    """`measure` in a process with one thread, on one core."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    flags = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "benchmarks.deployed", "--measure", side, "--repeats", str(repeats)]
    done = subprocess.run(command, env={**os.environ, **one, **flags}, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _not_reached(found):
    """Where the cost is more than was wanted."""
    missed = [
        f"`{name}` in {TITLES[side]}"
        for side in ("keras_xla", "keras_graph", "torch")
        for name in EVERYWHERE
        if side in found and found[side][name] > 3 * found[side]["gradient"]  # which is in each of them
    ]
    times = found.get("numpy", {})
    return missed + [f"`{name}` in NumPy" for name in RULES if times and times[name] - times["gradient"] > 100]


def section(found):
    """The text of the section, from {side: {what: ms}}."""
    rows = []
    for side, times in found.items():
        gradient = times["gradient"]
        adam, *learned = (times[what] - gradient for what in ("adam", *EVERYWHERE))
        each = [text for one in learned for text in (f"{one:.1f}", f"{one / gradient:.2f}")]
        rows.append([TITLES[side], f"{gradient:.1f}", f"{adam:.1f}", *each])
    header = ["", "gradient, ms", "Adam, ms", *(text for name in EVERYWHERE for text in (f"`{name}`, ms", "/ gradient"))]
    text = f"""## Learned optimizers in use

An MLP 784-720-600-10 (1,003,810 parameters), batches of {BATCH}, one thread, one core: CPU milliseconds, medians of steps in
turn. An optimizer's cost is that of a step less the gradient's; in no rule does it depend on the batch. `anchored` is the rule
with its whole network, whatever the weights. In the pretrained `{SHIPPED}` the network's last layer is 0, so that the direction
is NAdam's and the network need not be computed: the steps are the same, up to rounding. `anchored_muon` makes matrices
orthogonal, in blocks of at most 128 rows, by products of matrices. The aim is at most twice the gradient in Keras
and PyTorch, 100 ms in NumPy. Load average when this was written: {os.getloadavg()[1]:.0f}; where it is above the number of cores,
caches are shared with other work. Made by `python -m benchmarks.deployed`.

{report.table(header, rows)}
"""
    if "numpy" in found:
        times = found["numpy"]
        rows = [[f"`{name}`", f"{times[name] - times['gradient']:.0f}"] for name in RULES]
        text += f"""
In NumPy, further rules, a step of as many parameters:

{report.table(["rule", "ms"], rows)}
"""
    text += f"\nNot reached: {', '.join(_not_reached(found)) or 'nothing'}.\n"
    packages = [{"keras": "tensorflow"}.get(package, package) for package in (SIDES[side] for side in found)]
    return f"{text}\n{report.conditions(*dict.fromkeys([*packages, 'numpy']))}."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=30, help="Steps of each kind that are timed.")
    parser.add_argument("--side", nargs="+", choices=SIDES, default=tuple(SIDES), help="Frameworks to measure.")
    parser.add_argument("--results", type=Path, help="JSON file of results, continued where it exists.")
    parser.add_argument("--measure", choices=SIDES, help=argparse.SUPPRESS)
    report.publish_option(parser)
    arguments = parser.parse_args()
    if arguments.measure:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        print(json.dumps(measure(arguments.measure, arguments.repeats)))
        return
    found = json.loads(arguments.results.read_text()) if arguments.results and arguments.results.exists() else {}
    for side in arguments.side:
        if side not in found and importlib.util.find_spec(SIDES[side]):
            found[side] = in_a_process(side, arguments.repeats)
            print(side, found[side], flush=True)
            if arguments.results:
                arguments.results.write_text(json.dumps(found))
    text = section({side: found[side] for side in SIDES if side in found})
    if arguments.publish and (missing := [side for side in SIDES if side not in found]):
        print(text)
        parser.error(f"--publish writes the whole section, and {', '.join(missing)} are missing: give --results with them")
    report.show(arguments, "deployed", text)


if __name__ == "__main__":
    main()
