"""`mlp` by persistent evolution strategies, on a few tasks of each family that the baselines measured, all on synthetic data.

Many tasks per outer step and few pairs for each: most of the variance of the gradient is that over tasks. Short episodes
first: moving in the right direction at all is learned from them, at a quarter of the cost.
"""

from learned.outer_training.options import Options
from learned.recipes.base import Recipe

LENGTH = 200  # steps of the longest episodes, and of the judgement

RECIPE = Recipe(
    name="mlp_pes",
    about="mlp by PES for the train loss of many families, episodes of up to 200 steps",
    options=Options(
        optimizer="mlp",
        estimator="pes",
        objective="train",
        pairs=4,
        steps=20,
        sigma=0.01,
        first_lengths="spread",
        lengths=f"linear:40:{LENGTH}:800",
        slots=16,
        tasks_per_step=8,
        learning_rate=0.005,
        warm_up=50,
        clip=0.1,
    ),
    length=LENGTH,
)
