"""Experiments on what learned optimizers do: each script has its question, its settings, a figure and a table.

python -m tools.experiments.NAME --publish        writes its section of docs/experiments.md and its picture
python -m tools.experiments.NAME --out DIR        writes them into DIR

gradient_variance, sharp_function,  estimators of outer gradients: their variance, their bias, the surface that they see
    truncation_bias, outer_surface
outer_recipes, outer_problem        how to train: estimator, clipping, persistence; with a learned optimizer
task_counts, architectures          on how many tasks, and what is trained
objectives, input_noise             for the train loss, the validation loss, the loss on noisy images
one_task, conv_and_mlp, ladders     one task; from one kind of net to another; ever further from the training tasks
implicit_regularisation             where in a valley of equal minima an optimizer ends
large_image                         a ResNet on real images

training, tiny_problem              trainings that several of them make
judging, kept, page                 by what they judge; results of hours, as files; where a figure and a table go
"""
