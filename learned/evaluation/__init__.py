"""Judging learned optimizers: runs from checkpoints, and tables of them beside hand-designed optimizers.

runs        a checkpoint trains tasks; curves like those of `python -m taskset baseline`
scores      curves -> normalized losses, one number a run
rivals      who is compared, with how many trials
statistics  mean, median, interquartile mean, bootstrap intervals
speedup     the second view: how many steps the best Adam takes to the same loss
comparison  all of it as a table; picture: curves as PNG
"""
