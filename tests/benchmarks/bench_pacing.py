"""Lateness of rows and error of the duration in a paced replay: `python tests/benchmarks/bench_pacing.py`.

`booktape replay TAPE --speed X --json` of one product, 60 s at 200 frames/s. The lateness is the one that the
replay reports. The error of the duration is computed here, from the time between the start of the replay and
its last row and from the times on the tape.

The exit code is 1 if a bound is missed: p99 under 2 ms at speed 1, under 0.2 ms with --precise; the duration
within 5 ms at every speed with which the machine can keep up. Speed 1,000 is 200,000 frames/s on this tape,
which shows a replay that falls behind, and 20,000 frames/s on another tape with a tenth of the frames.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.measuring import ENVIRONMENT, describe_machine, parser, print_line
from tests.benchmarks.tapes import synthetic_tape

SPACING_NS = 5_000_000
MAX_P99_MS = 2.0
MAX_P99_PRECISE_MS = 0.2
MAX_ERROR_MS = 5.0


@dataclass(frozen=True, slots=True)
class Case:
    """A replay to measure.

    Attributes:
        speed: value of --speed.
        precise: whether to pass --precise.
        sparse: whether to replay the tape with a tenth of the frames.
        max_p99_ms: bound of the 99th percentile of the lateness, or None.
        keeps_up: whether the duration has a bound.
    """

    speed: str
    precise: bool = False
    sparse: bool = False
    max_p99_ms: float | None = None
    keeps_up: bool = True


CASES = (
    Case("1", max_p99_ms=MAX_P99_MS),
    Case("1", precise=True, max_p99_ms=MAX_P99_PRECISE_MS),
    Case("0.5"),
    Case("7.5"),
    Case("7.5", precise=True),
    Case("100"),
    Case("1000", keeps_up=False),
    Case("1000", sparse=True),
)


def measure(tape: Path, case: Case) -> tuple[str, bool]:
    """Run the command; return the figures as a line, and whether they are within the bounds."""
    options = ["--speed", case.speed, *(["--precise"] if case.precise else [])]
    done = subprocess.run(
        [sys.executable, "-m", "booktape", "replay", str(tape), *options, "--json"],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        check=True,
    )
    document = json.loads(done.stdout)
    pacing = document["pacing"]
    (product,) = document["products"].values()
    error_ms = (pacing["duration_s"] - span_s(product) / float(case.speed)) * 1e3
    is_good = case.max_p99_ms is None or pacing["late_ms_p99"] < case.max_p99_ms
    is_good = is_good and (not case.keeps_up or abs(error_ms) < MAX_ERROR_MS)
    rate = 20 if case.sparse else 200
    line = (
        f"{rate} frames/s {' '.join(options)}: late by {pacing['late_ms_p50']:.3f} ms"
        f" (p50), {pacing['late_ms_p99']:.3f} ms (p99), {pacing['late_ms_max']:.3f} ms at most; duration "
        f"{pacing['duration_s']:.3f} s, off by {error_ms:+.3f} ms; {pacing['behind_rows']:,} of "
        f"{product['rows']:,} rows over 10 ms late"
    )
    return line, is_good


def span_s(product: dict[str, str]) -> float:
    """Return the seconds from a product's first row to its last; their ISO times have 9 decimals."""
    first, last = (product[name] for name in ("first_time", "last_time"))
    whole = datetime.fromisoformat(last[:19]) - datetime.fromisoformat(first[:19])
    return whole.total_seconds() + (int(last[20:29]) - int(first[20:29])) / 1e9


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 if a bound is missed."""
    options = parser(
        "Lateness of rows and error of the duration in a paced replay.", runs=1, frames=12_000
    ).parse_args(arguments)
    print_line(describe_machine())
    dense = synthetic_tape(options.frames, options.depth, SPACING_NS)
    sparse = synthetic_tape(options.frames // 10, options.depth, SPACING_NS * 10)
    missed = 0
    for run in range(options.runs):
        print_line(f"run {run + 1}")
        for case in CASES:
            line, is_good = measure(sparse if case.sparse else dense, case)
            missed += not is_good
            print_line(f"  {line}{'' if is_good else '  MISSED'}")
    bounds = (
        f"p99 under {MAX_P99_MS:g} ms, {MAX_P99_PRECISE_MS:g} ms precise, duration within {MAX_ERROR_MS:g} ms"
    )
    print_line(f"{missed} outside the bounds ({bounds})")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
