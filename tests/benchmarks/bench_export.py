"""Frames per second of an export, against a replay: `python tests/benchmarks/bench_export.py`.

Processor time on one core, from the tape on disk to complete files. All run once in each round, and ratios
are taken within a round. The exit code is 1 if the median of hftbacktest's ratio is below its bound.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recorder.runtime.loading import load_engine
from replay.export.api import export_tape
from replay.export.settings import ExportSettings, FormatName
from replay.running.api import run
from tests.benchmarks.measuring import describe_machine, parser, print_line, spread, use_one_core
from tests.benchmarks.tapes import synthetic_tape, traded_tape

LEAST = 500_000 / 1_100_000
"""Of hftbacktest's npz: 500,000 frames/s on the machine where a replay makes 1,100,000."""
FORMATS: tuple[FormatName, ...] = ("hftbacktest", "parquet", "tardis")


def timed(work: Callable[[], int]) -> float:
    """Do the work, and return its frames per second of processor time."""
    started = time.process_time()
    frames = work()
    return frames / (time.process_time() - started)


def replay(tape: Path) -> int:
    """Replay the tape, and return how many frames it has."""
    return run(tape, keep=False, engine="compiled").frames


def export(tape: Path, form: FormatName, directory: Path) -> int:
    """Export the tape, and return how many frames it has."""
    out = directory / form
    shutil.rmtree(out, ignore_errors=True)
    return export_tape(tape, ExportSettings(form, ()), out, engine="compiled").frames


def main() -> int:
    """Measure and print; return 1 if the export is too slow."""
    options = parser("Frames per second of an export, against a replay.", runs=7, frames=200_000).parse_args()
    use_one_core()
    print_line(f"{describe_machine()}, one of them used, load {os.getloadavg()[0]:.1f}")
    load_engine("compiled")
    medians = []
    for name, make in (("book alone", synthetic_tape), ("with trades", traded_tape)):
        tape = make(options.frames, options.depth)
        print_line(f"{options.frames:,} updates, {options.depth:,} levels a side, {name}")
        with tempfile.TemporaryDirectory() as place:
            works = {form: partial(export, tape, form, Path(place)) for form in FORMATS}
            rates: dict[str, list[float]] = {each: [] for each in ("replay", *FORMATS)}
            for number in range(options.runs + 1):
                round_rates = {"replay": timed(partial(replay, tape))}
                round_rates |= {form: timed(work) for form, work in works.items()}
                if number:  # the first one loads code and warms the page cache
                    for each, rate in round_rates.items():
                        rates[each].append(rate)
        print_line(f"  replay, frames/s: {spread(rates['replay'], ',.0f')}")
        for form in FORMATS:
            ratios = [mine / ours for mine, ours in zip(rates[form], rates["replay"], strict=True)]
            print_line(f"  {form}, frames/s: {spread(rates[form], ',.0f')}")
            print_line(f"    of a replay: {spread(ratios)}")
            if form == "hftbacktest":
                medians.append(statistics.median(ratios))
    print_line(f"hftbacktest's npz: at least {LEAST:.3f} of a replay with the book alone is asked for")
    return 0 if medians[0] >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
