"""Results of replays and checks on a terminal."""

import io
from pathlib import Path

import numpy as np
from rich.console import Console

import booktape as bt
from booktape.console.results import print_inspection, print_run
from replay.running.lateness import Lateness, Timing
from replay.running.results import RunResult
from replay.running.settings import ReplaySettings


def test_pacing() -> None:
    """A paced replay prints how late it was and how long it took, and says so if it fell behind."""
    late, punctual = Lateness(), Lateness()
    late.add(np.repeat([250_000.0, 3_012_500_000.0], [5_000, 12]))
    punctual.add(np.array([250_000.0]))
    texts = []
    for timing in (
        Timing(late, 60_100_000_000, 59_999_875_000.0, 2_000_000_000),
        Timing(punctual, 60_100_000_000, 60_100_500_000.0),
    ):
        text = io.StringIO()
        result = RunResult(Path("tape"), ReplaySettings(speed=1.0), "plain", timing=timing)
        print_run(Console(file=text, width=120), result)
        texts.append(text.getvalue())
    behind, kept_up = texts
    assert "ms (p99), 3,012 ms (max); 2.000 s of silence cut" in behind
    assert "60.100 s, +100.1 ms" in behind
    assert "12 rows were more than 10 ms late, none was skipped" in behind
    assert "-0.5000 ms" in kept_up
    assert "behind" not in kept_up


def test_a_narrow_terminal_keeps_both_times() -> None:
    """At 80 columns the first and the last time of a product share a column, and no column is missing."""
    text = io.StringIO()
    print_inspection(
        Console(file=text, width=80, force_terminal=True, color_system=None), bt.open("sample:").inspect()
    )
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    first = next(place for place, line in enumerate(lines) if line.startswith("BTC-USD "))
    assert "2026-01-01 00:00:00.073" in lines[first]
    assert lines[first].rstrip().endswith("KiB")
    assert lines[first + 1].strip() == "2026-01-01 00:02:01.810"
