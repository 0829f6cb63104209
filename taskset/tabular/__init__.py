"""The baselines as a tabular benchmark: hyperparameter search on recorded curves, where a query costs nothing.

    from taskset import tabular

    problem = tabular.load("quadratic_family_seed3", horizon=10000)
    search = tabular.random_search(problem.search(choose_on="valid_outer"), steps=100_000, seed=0)
    search.best, search.steps, search.loss("test")

A `Problem` is one task with the optimizers that it was swept with: its configurations; `problems` lists all there are. A `Search`
keeps the account of one run of a search method: which part of which curve it has paid for, and the best it has seen. Methods are
plain functions of a search; three are here as examples: `random_search`, `successive_halving` (Jamieson and Talwalkar 2016,
arXiv 1502.07943), and `in_turn`, for a list such as the learned one of Metz et al. (2020, arXiv 2002.11887).
No TensorFlow.
"""

from taskset.tabular.loading import from_curves, load, problems
from taskset.tabular.methods import in_turn, random_search, successive_halving
from taskset.tabular.problem import Best, Curve, Problem, Search
from taskset.tabular.space import Axis, Space

__all__ = [
    "Axis",
    "Best",
    "Curve",
    "Problem",
    "Search",
    "Space",
    "from_curves",
    "in_turn",
    "load",
    "problems",
    "random_search",
    "successive_halving",
]
