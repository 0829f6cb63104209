"""How far the rules for one run still move parameters that get their first gradients late.

    python -m tools.one_run.late_parameters [--publish]

Two matrices a and b [16, 16] with the loss mean((a - A)^2) / 2 + mean((b - B)^2) / 2; A, B and the starts are normal, the starts
of a quarter of the size. b gets no gradient in the first part of the run. Before, its gradients are 0, or are left out (None); or
it gets an optimizer of its own then, which is told the steps that remain. What is left of mean((b - B)^2) at the end, of what it
was at the start, is averaged over five draws. In NumPy and float64. --publish writes the section "late_parameters" of
docs/one_run.md.
"""

import argparse
from collections.abc import Callable

import numpy as np

from tools import report
from tools.one_run import DOCUMENT

RULES, STEPS, SHARES, DRAWS, SIDE = ("muon_mined", "anchored_wide"), (200, 2000), (0.05, 0.25, 0.5), 5, 16


def left(load: Callable, steps: int, begins: int, before: str, seed: int) -> float:
    """What is left of b's error after so many steps. load(steps): the rule; before: "zeros", "none" or "own"."""
    random = np.random.default_rng(seed)
    params = {name: random.normal(size=(SIDE, SIDE)) / 4 for name in "ab"}
    targets = {name: random.normal(size=(SIDE, SIDE)) for name in "ab"}
    at_first = np.mean(np.square(params["b"] - targets["b"]))
    groups = {"a": ("a", 0), "b": ("b", begins)} if before == "own" else {"both": ("ab", 0)}  # {group: (names, its first step)}
    rules = {group: load(steps - first) for group, (_, first) in groups.items()}
    states = {group: rules[group].init({name: params[name] for name in names}) for group, (names, _) in groups.items()}
    for step in range(steps):
        errors = {name: params[name] - targets[name] for name in "ab"}
        loss = float(sum(np.mean(np.square(error)) for error in errors.values())) / 2
        grads = {name: error / error.size for name, error in errors.items()}
        if step < begins:
            grads["b"] = np.zeros_like(grads["b"]) if before == "zeros" else None
        for group, (names, first) in groups.items():
            if step >= first:
                of_group = [{name: tree[name] for name in names} for tree in (grads, params)]
                moved, states[group] = rules[group].update(of_group[0], states[group], of_group[1], step - first, loss=loss)
                params = {**params, **moved}
    return float(np.mean(np.square(params["b"] - targets["b"])) / at_first)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    report.publish_option(parser, "the section of docs/one_run.md")
    arguments = parser.parse_args()
    from learned.deploy import numpy_update, pretrained

    rows = []
    for name in RULES:
        for steps in STEPS:
            for share in SHARES:

                def mean(before, name=name, steps=steps, share=share):
                    def load(n):
                        return numpy_update.load(pretrained.find(name), steps=n)

                    return np.mean([left(load, steps, round(share * steps), before, seed) for seed in range(DRAWS)])

                found = [f"{mean(before):.3f}" for before in ("zeros", "none", "own")]
                rows.append([name, f"{steps:,}", f"{share:.0%}", *found])
    header = ["rule", "steps", "begins after", "gradients of 0 before", "none before", "an optimizer of its own"]
    text = f"{report.table(header, rows)}\n\nMeans over {DRAWS} draws; {report.conditions('numpy')}."
    report.show(arguments, "late_parameters", text, DOCUMENT)


if __name__ == "__main__":
    main()
