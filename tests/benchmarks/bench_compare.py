"""Time of 1,000 thresholds, against one and against a replay: `python tests/benchmarks/bench_compare.py`.

Processor time on one core. The order alternates between rounds and ratios are taken within a round, so that a
slow phase of the machine affects all of them. The exit code is 1 if a median is above its bound.
"""

import os
import statistics
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import booktape as bt

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from orderbook.thresholds import sweep_thresholds
from replay.running.api import run
from tests.benchmarks.measuring import describe_machine, parser, print_line, spread, use_one_core
from tests.benchmarks.tapes import synthetic_tape

OVER_ONE, OVER_REPLAY = 1.3, 1.6
MANY = sweep_thresholds("0.02bps", "20bps", "0.02bps")
ONE = [0.001]


def compare_seconds(tape: Path, thresholds: Sequence[float]) -> float:
    """Return the processor time of a comparison in seconds, from opening the tape to its result."""
    started = time.process_time()
    rows = bt.compare(tape, thresholds).rows()
    elapsed = time.process_time() - started
    if len(rows) != len(thresholds):
        raise AssertionError(f"{len(rows)} rows for {len(thresholds)} thresholds")
    return elapsed


def replay_seconds(tape: Path) -> float:
    """Return the processor time of a replay with default settings, in seconds."""
    started = time.process_time()
    run(tape, keep=False)
    return time.process_time() - started


def main() -> int:
    """Measure and print; return 1 if a median is above its bound."""
    arguments = parser("Time of 1,000 thresholds, against one and against a replay.", runs=25, frames=200_000)
    arguments.set_defaults(depth=20_000)
    options = arguments.parse_args()
    use_one_core()
    print_line(f"{describe_machine()}, one of them used, load {os.getloadavg()[0]:.1f}")
    tape = synthetic_tape(options.frames, options.depth)
    print_line(
        f"{options.frames:,} frames, {options.depth:,} levels a side; {len(MANY):,} thresholds against 1"
    )
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
        print_line("  " + ", ".join(f"{name} {took[name]:.3f} s" for name in measured))
    print_line(f"1,000 thresholds / one: {spread(over_one)}; at most {OVER_ONE} allowed")
    print_line(f"1,000 thresholds / replay: {spread(over_replay)}; at most {OVER_REPLAY} allowed")
    within = statistics.median(over_one) <= OVER_ONE and statistics.median(over_replay) <= OVER_REPLAY
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
