"""Judging learned optimizers: `runs` trains tasks with a checkpoint, and writes curves like those of the baselines.

`taskset.scoring` makes tables of such curves: scores, rivals, statistics, speed-ups, comparison.
"""
