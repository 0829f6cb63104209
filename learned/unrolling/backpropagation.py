"""Gradients of truncations with respect to theta, by backpropagation through the inner steps."""

import tensorflow as tf

from learned.unrolling.unroll import Unroll, at, where


def _zeros(tree):
    return tf.nest.map_structure(tf.zeros_like, tree)


def _vjp(function, theta, inner, cotangents):
    """(d theta, d inner) of sum <cotangents, function(theta, inner)>; zeros where nothing depends."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch((theta, inner))
        results = function(theta, inner)
    zero = tf.UnconnectedGradients.ZERO
    gradients = tape.gradient(tf.nest.flatten(results), (theta, inner), tf.nest.flatten(cotangents), unconnected_gradients=zero)
    return tf.nest.map_structure(tf.convert_to_tensor, gradients)


class BackpropagatedUnroll(Unroll):
    """An `Unroll` that gives gradients, too.

    The loop over steps is differentiated by hand: the states before each step are kept, and a second loop goes back over the
    steps, computing each again with its derivatives. So only a single step of a single copy meets automatic differentiation,
    whatever the layout; differentiating the batched loop instead leaves shapes that XLA can't resolve. All leaves of an inner
    state must be real numbers.
    """

    def __init__(self, problem, pairs, signs, steps, mode=None, layout=None):
        super().__init__(problem, pairs, signs, steps, mode, layout)
        self.gradients = self._compiled(self._gradients)

    def _try(self):
        theta, inner, *arguments = self._example()
        return self._step_vjp(theta, inner, *arguments, _zeros(inner), tf.zeros([self.copies], theta.dtype))

    def _step_vjp(self, theta, inner, steps, horizons, raw, key, cotangents, loss_cotangents):
        """(d theta [C, P], d inner) of one step of all copies."""
        each, step_key = self._each(theta, inner, steps, horizons, raw, key)
        each = {"one": each, "loss": loss_cotangents, "after": cotangents}

        def one_vjp(each):
            def step(theta, inner):
                return self._one_step({**each["one"], "theta": theta, "inner": inner}, step_key)

            return _vjp(step, each["one"]["theta"], each["one"]["inner"], (each["loss"], each["after"]))

        return self._map(one_vjp, each)

    def _start_vjp(self, theta, fresh, cotangents):
        """d theta [C, P] of the states that trainings start with."""

        def one_vjp(each):
            theta, fresh, cotangents = each
            return _vjp(lambda theta, _: self.problem.start(theta, fresh), theta, {}, cotangents)[0]

        return self._map(one_vjp, (theta, self._per_sign(fresh), cotangents))

    def _gradients(self, theta, inner, fresh, first, reset_at, horizons, raw, key):
        """(losses [K, C], states behind the truncation, gradients [C, P]).

        gradients: of each copy's mean loss over the truncation with respect to its own theta [C, P], the state at the truncation's
        beginning being given. Arguments as of `Unroll.run`.
        """
        begin, count = self._start(theta, fresh), self.steps
        first, reset_at, horizons = self._per_sign((first, reset_at, horizons))

        def step_arguments(i):
            return self._step_arguments(i, first, reset_at, horizons, raw, key)

        def forward(i, inner, kept, losses):
            inner = self._reset(reset_at, i, begin, inner)
            kept = tf.nest.map_structure(lambda all_, x: tf.tensor_scatter_nd_update(all_, [[i]], x[None]), kept, inner)
            loss, inner = self._step(theta, inner, *step_arguments(i))
            return i + 1, inner, kept, tf.tensor_scatter_nd_update(losses, [[i]], loss[None])

        kept = tf.nest.map_structure(lambda x: tf.zeros([count, *x.shape], x.dtype), inner)
        losses = tf.zeros([count, self.copies], theta.dtype)
        start = (tf.constant(0), inner, kept, losses)
        _, last, kept, losses = tf.while_loop(lambda i, *_: i < count, forward, start, parallel_iterations=1)

        def backward(i, cotangents, at_begin, gradients):
            share = tf.fill([self.copies], tf.constant(1 / count, theta.dtype))
            d_theta, d_inner = self._step_vjp(theta, at(kept, i), *step_arguments(i), cotangents, share)
            now = tf.equal(reset_at, i)
            at_begin, d_inner = where(now, d_inner, at_begin), where(now, _zeros(d_inner), d_inner)
            return i - 1, d_inner, at_begin, gradients + d_theta

        start = (tf.constant(count - 1), _zeros(inner), _zeros(inner), tf.zeros_like(theta))
        _, _, at_begin, gradients = tf.while_loop(lambda i, *_: i >= 0, backward, start, parallel_iterations=1)
        return losses, last, gradients + self._start_vjp(theta, fresh, at_begin)
