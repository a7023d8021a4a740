"""A replay of a prepared tape against one of its frames: `python tests/benchmarks/bench_prepared.py`.

By the clock and in processor time, on one core. Pairs are measured in turn, as the machine may be busy.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from orderbook.engine import Engine
from recorder.runtime.loading import load_engine, load_packer
from replay.checking.prepare import Prepared, prepare
from replay.running.api import run
from replay.running.settings import ReplaySettings
from tests.benchmarks.measuring import describe_machine, parser, print_line, spread, use_one_core
from tests.benchmarks.tapes import repeated_capture, synthetic_tape, traded_tape
from tests.support.constants import CAPTURES


class Rates(NamedTuple):
    """The frames per second of a replay, from opening the tape to its digest."""

    clock: float
    processor: float


def replay_rates(tape: Path, engine: Engine) -> Rates:
    """Measure a replay."""
    started, used = time.perf_counter(), time.process_time()
    found = run(tape, ReplaySettings(), keep=False, engine=engine)
    elapsed, used = time.perf_counter() - started, time.process_time() - used
    frames = sum(tally.frames for tally in found.tallies.values())
    return Rates(frames / elapsed, frames / used)


def size_ratio(made: Mapping[str, Prepared]) -> float:
    """Return the size of what is prepared over that of the segments."""
    return sum(each.bytes for each in made.values()) / sum(each.sealed_bytes for each in made.values())


def once_ratio(capture: Path) -> float:
    """Return the size ratio of a tape that holds a capture once: of repetitions a larger block has more."""
    with tempfile.TemporaryDirectory() as directory:
        return size_ratio(prepare(shutil.copytree(repeated_capture(capture, 1), Path(directory) / "tape")))


def compare_forms(title: str, source: Path, engine: Engine, runs: int, ratio: float | None) -> None:
    """Measure and print pairs of a replay of a tape and of its prepared copy, and a size ratio."""
    with tempfile.TemporaryDirectory() as directory:
        tape = Path(shutil.copytree(source, Path(directory) / "tape"))
        started = time.process_time()
        made = prepare(tape)
        seconds = time.process_time() - started
        pairs = [(replay_rates(source, engine), replay_rates(tape, engine)) for _ in range(runs)]
    size = size_ratio(made) if ratio is None else ratio
    print_line(f"{title}: {runs} pairs, prepared in {seconds:.2f} s, size / that of the segments {size:.2f}")
    for time_of in Rates._fields:
        raw, prepared = ([getattr(each[side], time_of) for each in pairs] for side in (0, 1))
        ratios = [after / before for before, after in zip(raw, prepared, strict=True)]
        print_line(f"  by {time_of}, frames, frames/s: {spread(raw, ',.0f')}")
        print_line(f"  by {time_of}, prepared, frames/s: {spread(prepared, ',.0f')}")
        print_line(f"  by {time_of}, prepared / frames: {spread(ratios, '.2f')}")


def main() -> None:
    """Measure and print."""
    options = parser(__doc__.partition(":")[0], runs=5, frames=1_000_000).parse_args()
    use_one_core()
    engine = load_engine("compiled")
    load_packer()
    print_line(f"{describe_machine()}, one of them used, load {os.getloadavg()[0]:.1f}")
    tapes: dict[str, tuple[Path, float | None]] = {
        "synthetic level2_batch": (synthetic_tape(options.frames, options.depth), None),
        "the same with trades": (traded_tape(options.frames, options.depth), None),
    }
    for capture, times in (("advanced-2026-08-btc-eth", 20), ("exchange-2018-04-btc", 10)):
        path = CAPTURES / f"{capture}.jsonl.gz"
        if path.exists():
            tapes[f"{capture}, {times} times"] = repeated_capture(path, times), once_ratio(path)
    for title, (tape, ratio) in tapes.items():
        compare_forms(title, tape, engine, options.runs, ratio)


if __name__ == "__main__":
    main()
