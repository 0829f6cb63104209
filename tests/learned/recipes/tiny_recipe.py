"""A recipe that takes seconds."""

from learned.outer_training.options import Options
from learned.recipes.base import Recipe

TINY = Recipe(
    name="tiny",
    about="SGD's learning rate on a few quadratic tasks",
    options=Options("learnable_sgd", pairs=2, steps=5, lengths="10", slots=2, tasks_per_step=1, learning_rate=0.1, warm_up=0),
    length=40,
    patterns=("quadratic_family_seed1?",),
    per_family={"train": 2, "test": 2},
    save_every=2,
    parts=2,
    seeds=1,
)
