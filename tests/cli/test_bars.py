"""The bar of jobs: what it says of those that fail, and of an interruption."""

import io

import pytest
from rich.console import Console

from taskset.cli import bars
from taskset.jobs.pool import Progress


def consoles():
    return [Console(file=io.StringIO(), force_terminal=True, width=80, soft_wrap=True) for _ in range(2)]


def test_failures_are_said_once_and_earlier_jobs_count():
    out, err = consoles()
    with bars.jobs(out, err, before=3, total=2) as report:
        assert out.file.getvalue() == ""  # no bar before there is work
        for _ in range(2):
            report(Progress(finished=["a"], failed={"b": "no data"}, working={"c": 0.5}))
    assert err.file.getvalue().count("failed b: no data") == 1
    assert "4/5" in out.file.getvalue() and "c 50%" in out.file.getvalue() and "/100" not in out.file.getvalue()


def test_a_total_that_is_reported_counts():
    out, err = consoles()
    with bars.jobs(out, err) as report:
        report(Progress(finished=["a"], total=4))
    assert "1/4" in out.file.getvalue() and "/100" not in out.file.getvalue() and err.file.getvalue() == ""


def test_an_interruption_says_how_to_go_on():
    out, err = consoles()

    def work():
        with bars.jobs(out, err) as report:
            report(Progress())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert bars.INTERRUPTED in err.file.getvalue()


def test_a_log_gets_a_line_now_and_then(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(bars.time, "monotonic", lambda: now[0])
    out, err = (Console(file=io.StringIO(), force_terminal=False, width=80, soft_wrap=True) for _ in range(2))
    with bars.jobs(out, err, before=1, total=99) as report:
        for second in range(3600):
            now[0] = 1000.0 + second
            report(Progress(finished=["a"] * (second // 60), working={"a_task": 0.5}))
    lines = err.file.getvalue().splitlines()
    assert lines[0] == "1 of 100 finished after 0:00:30; at work: a_task 50%" and lines[1].startswith(
        "2 of 100 finished after 0:01:00"
    )
    assert len(lines) < 40 and all(len(line) <= 80 for line in lines)


def test_a_terminal_gets_no_lines(monkeypatch):
    now = iter(range(0, 100_000, 100))
    monkeypatch.setattr(bars.time, "monotonic", lambda: float(next(now)))
    out, err = consoles()
    with bars.jobs(out, err, total=2) as report:
        report(Progress(working={"a": 0.5}))
    assert err.file.getvalue() == ""
