"""tools/one_run/muon_blocks.py: that its rows are runs with blocks of different sizes."""

import sys

import learned  # noqa: F401 (registers the task)
import taskset
from tools.one_run import muon_blocks


def test_runs_have_blocks_of_their_size(monkeypatch):
    monkeypatch.setattr(muon_blocks, "SEEDS", (0,))
    task = taskset.get_task("Digits_mlp32_bs128", "synthetic")
    whole, two, usual = (muon_blocks.runs(task, rows, 20)[0] for rows in (10**6, 2, 128))
    assert whole == usual != two
    assert sys.modules["taskset.optimizers.muon"].BLOCK == 128
