"""The classical test functions in two dimensions, of losg_tasks_family's kind optimization_test_problems.

Most formulas stand in Jamil and Yang 2013, "A literature survey of benchmark functions for global optimization problems"
(arXiv 1308.4008); the exponentials of log-sum-exp in Boyd and Vandenberghe, "Convex Optimization", 9.3. Michalewicz' function and
that of Styblinski and Tang have a constant added, so that all are positive (the release does so).
"""

import math

import tensorflow as tf

from taskset.tasks import starts
from taskset.tasks.losg_problems import Args, Problem, additive_noise, length, problem_kind, vector


def rosenbrock(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """(1 - x)^2 + 100 (y - x^2)^2; minimum 0 at (1, 1)."""
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def ackley(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """-20 exp(-0.2 sqrt((x^2 + y^2) / 2)) - exp((cos 2 pi x + cos 2 pi y) / 2) + e + 20; minimum 0 at 0, a cone."""
    distance = length(tf.stack([x, y])) / math.sqrt(2)
    waves = tf.cos(2 * math.pi * x) + tf.cos(2 * math.pi * y)
    return -20 * tf.exp(-0.2 * distance) - tf.exp(0.5 * waves) + math.e + 20


def beale(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """(1.5 - x + x y)^2 + (2.25 - x + x y^2)^2 + (2.625 - x + x y^3)^2; minimum 0 at (3, 0.5)."""
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def branin(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """(y - 5.1 / (4 pi^2) x^2 + 5 / pi x - 6)^2 + 10 (1 - 1 / (8 pi)) cos x + 10; minimum 0.39789 at three points."""
    valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * tf.cos(x) + 10


def logsumexp(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """log(e^(x + 3y - 0.1) + e^(x - 3y - 0.1) + e^(-x - 0.1) + 1)."""
    return tf.reduce_logsumexp(tf.stack([x + 3 * y - 0.1, x - 3 * y - 0.1, -x - 0.1, tf.zeros_like(x)]))


def matyas(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """0.26 (x^2 + y^2) - 0.48 x y; minimum 0 at 0."""
    return 0.26 * (x**2 + y**2) - 0.48 * x * y


def michalewicz(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """2 - sin x sin(x^2 / pi)^(2m) - sin y sin(2 y^2 / pi)^(2m), m = 5; minimum 0.19338 at (2.18531, 1.57080).

    (The figure 1.8013 often quoted is for m = 10.)
    """
    return 2 - tf.sin(x) * _tenth_power(tf.sin(x**2 / math.pi)) - tf.sin(y) * _tenth_power(tf.sin(2 * y**2 / math.pi))


def _tenth_power(x: tf.Tensor) -> tf.Tensor:
    square = x**2
    fourth = square**2
    return fourth**2 * square


def styblinski_tang(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """80 + (x^4 - 16 x^2 + 5 x + y^4 - 16 y^2 + 5 y) / 2; minimum 1.66767 at x = y = -2.90353."""
    return 80 + 0.5 * (x**4 - 16 * x**2 + 5 * x + y**4 - 16 * y**2 + 5 * y)


# name in configs: (function, start)
FUNCTIONS = {
    "StyblinskiTang": (styblinski_tang, starts.uniform(-5.0, 5.0)),
    "ackley": (ackley, starts.uniform(-32.768, 32.768)),
    "beale": (beale, starts.uniform(-4.5, 4.5)),
    "branin": (branin, starts.uniform([-5.0, 0.0], [10.0, 15.0])),
    "logsumexp": (logsumexp, starts.normal()),
    "matyas": (matyas, starts.uniform(-10.0, 10.0)),
    "michalewicz": (michalewicz, starts.uniform(0.0, math.pi)),
    "rosenbrock": (rosenbrock, starts.uniform(-5.0, 10.0)),
}


@problem_kind("optimization_test_problems")
def optimization_test_problem(args: Args, number: int) -> Problem:
    """The function called `problem`, from a start in its customary box."""
    function, start = FUNCTIONS[args["problem"]]
    return vector((2,), lambda x, batch: function(x[0], x[1]), start, additive_noise(args["noise_stdev"]))
