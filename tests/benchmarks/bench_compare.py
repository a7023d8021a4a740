"""What 1,000 thresholds cost more than one: `python tests/benchmarks/bench_compare.py`.

Measured in pairs, which are interleaved and change their order, so that a machine that slows down or speeds
up meanwhile does it to both. Exit code 1 where the median of the ratios is above the bound.
"""

import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from orderbook.threshold import sweep_thresholds
from replay.comparing import compare
from tests.benchmarks.material import machine, parser, spread, synthetic_tape, tell

BOUND = 1.15
MANY = sweep_thresholds("0.02bps", "20bps", "0.02bps")
ONE = [0.001]


def seconds(tape: Path, thresholds: Sequence[float]) -> float:
    """Return how long a comparison takes, from opening the tape to its rows."""
    started = time.perf_counter()
    rows = compare(tape, thresholds).rows()
    elapsed = time.perf_counter() - started
    if len(rows) != len(thresholds):
        raise AssertionError(f"{len(rows)} rows for {len(thresholds)} thresholds")
    return elapsed


def main() -> int:
    """Measure, print, judge."""
    options = parser("What 1,000 thresholds cost more than one.", runs=9).parse_args()
    tell(machine())
    tape = synthetic_tape(options.frames, options.depth)
    tell(f"{options.frames:,} frames, {options.depth:,} levels a side; {len(MANY):,} thresholds against 1")
    seconds(tape, ONE)
    seconds(tape, MANY)
    ratios = []
    for pair in range(options.runs):
        measured = {len(each): seconds(tape, each) for each in ((ONE, MANY) if pair % 2 else (MANY, ONE))}
        ratios.append(measured[len(MANY)] / measured[1])
        tell(f"  pair {pair + 1}: {measured[1]:.3f} s, {measured[len(MANY)]:.3f} s, ratio {ratios[-1]:.3f}")
    tell(f"ratio: {spread(ratios)}; at most {BOUND} allowed")
    return int(statistics.median(ratios) > BOUND)


if __name__ == "__main__":
    sys.exit(main())
