"""Experiments on what learned optimizers do: each script has its question, its settings, a figure and a table.

python -m tools.experiments.NAME --publish        writes its section of docs/experiments.md and its picture
python -m tools.experiments.NAME --out DIR        writes them into DIR
"""
