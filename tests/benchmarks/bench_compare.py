"""What 1,000 thresholds cost more than one and than a replay: `python tests/benchmarks/bench_compare.py`.

Measured in turn on one core, in processor time, in an order that changes; ratios are taken within a round, so
that a machine that slows down meanwhile does it to all. Exit code 1 where a median is above its bound.
"""

import os
import statistics
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from orderbook.threshold import sweep_thresholds
from replay.comparing import compare
from replay.replayed import ReplaySettings
from replay.running import run
from tests.benchmarks.material import machine, parser, spread, synthetic_tape, tell, use_one_core

OVER_ONE, OVER_REPLAY = 1.15, 1.3
MANY = sweep_thresholds("0.02bps", "20bps", "0.02bps")
ONE = [0.001]


def compare_seconds(tape: Path, thresholds: Sequence[float]) -> float:
    """Return the processor time that a comparison takes, from opening the tape to its rows."""
    started = time.process_time()
    rows = compare(tape, thresholds).rows()
    elapsed = time.process_time() - started
    if len(rows) != len(thresholds):
        raise AssertionError(f"{len(rows)} rows for {len(thresholds)} thresholds")
    return elapsed


def replay_seconds(tape: Path) -> float:
    """Return the processor time of a replay with default settings."""
    started = time.process_time()
    run(tape, ReplaySettings(), keep=False)
    return time.process_time() - started


def main() -> int:
    """Measure, print, judge."""
    made = parser("What 1,000 thresholds cost more than one, and than a replay.", runs=25, frames=200_000)
    made.set_defaults(depth=20_000)
    options = made.parse_args()
    use_one_core()
    tell(f"{machine()}, one of them used, load {os.getloadavg()[0]:.1f}")
    tape = synthetic_tape(options.frames, options.depth)
    tell(f"{options.frames:,} frames, {options.depth:,} levels a side; {len(MANY):,} thresholds against 1")
    measured = {
        "replay": partial(replay_seconds, tape),
        "one": partial(compare_seconds, tape, ONE),
        "many": partial(compare_seconds, tape, MANY),
    }
    for measure in measured.values():
        measure()
    over_one, over_replay = [], []
    for number in range(options.runs):
        order = list(measured) if number % 2 else list(reversed(measured))
        took = {name: measured[name]() for name in order}
        over_one.append(took["many"] / took["one"])
        over_replay.append(took["many"] / took["replay"])
        tell("  " + ", ".join(f"{name} {took[name]:.3f} s" for name in measured))
    tell(f"1,000 thresholds / one: {spread(over_one)}; at most {OVER_ONE} allowed")
    tell(f"1,000 thresholds / replay: {spread(over_replay)}; at most {OVER_REPLAY} allowed")
    within = statistics.median(over_one) <= OVER_ONE and statistics.median(over_replay) <= OVER_REPLAY
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
