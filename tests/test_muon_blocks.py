"""tools/muon_blocks.py: that its rows are runs with blocks of different sizes."""

import sys

import learned  # noqa: F401 (registers the task)
import taskset
from tools import muon_blocks


def test_rows_are_runs_with_blocks_of_their_size(monkeypatch):
    monkeypatch.setattr(muon_blocks, "ROWS", {"whole": 10**6, "two": 2, "128": 128})
    monkeypatch.setattr(muon_blocks, "SEEDS", (0,))
    rows = list(muon_blocks.rows_of(taskset.get_task("Digits_mlp32_bs128", "synthetic"), 20))
    losses = [float(loss) for _, loss, _ in rows]
    assert [title for title, *_ in rows] == ["whole", "two", "128"]
    assert losses[0] == losses[2] != losses[1]
    assert sys.modules["taskset.optimizers.muon"].BLOCK == 128
