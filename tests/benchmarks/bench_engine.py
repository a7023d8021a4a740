"""The compiled engine against the plain one and a C program: `python tests/benchmarks/bench_engine.py`.

Pairs are measured in turn on one core, in processor time, and ratios are taken within a pair: the machine may
be busy. Imports and loading the compiled code are not included.
"""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from recorder.engines import ready_engine
from recorder.tape.reader import Tape
from replay.replayed import ReplaySettings
from replay.running import run
from tests.benchmarks.material import (
    machine,
    parser,
    repeated_capture,
    spread,
    synthetic_tape,
    tell,
    use_one_core,
)

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures"
LIMIT_PAIRS = 5  # for each of the others: they take little time
REPEATED = {"advanced-2026-08-btc-eth": 20, "exchange-2018-04-btc": 10}


def replay_seconds(tape: Path, engine: str) -> float:
    """Return the processor time of a replay with default settings, from opening the tape to its digest."""
    started = time.process_time()
    run(tape, ReplaySettings(), keep=False, engine=ready_engine(engine))  # type: ignore[arg-type]  # a name
    return time.process_time() - started


def core_seconds(tape: Path, engine_name: str) -> float:
    """Return the processor time of the books alone, with the tape's batches in memory."""
    engine = ready_engine(engine_name)  # type: ignore[arg-type]  # a name
    opened = Tape.open(tape)
    elapsed = 0.0
    for product in opened.select(()):
        batches = list(opened.product(product).batches())
        state = engine.start(product, opened.feed)
        started = time.process_time()
        for batch in batches:
            state, _ = engine.step(state, batch)
        elapsed += time.process_time() - started
    return elapsed


def limit_program(directory: Path) -> Callable[[Path], float] | None:
    """Build the C program; return what gives the seconds that it takes for a tape, None without gcc."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    built = directory / "limit.so"
    source = Path(__file__).with_name("limit.c")
    options = ["-O3", "-march=native", "-shared", "-fPIC"]
    subprocess.run([compiler, *options, source, "-o", built], check=True)
    library = ctypes.CDLL(str(built))
    library.run.restype = ctypes.c_int64

    def seconds(tape: Path) -> float:
        library.reset()
        started = time.process_time()
        opened = Tape.open(tape)
        for batch in opened.product(opened.select(())[0]).batches():
            _, offsets, data = batch.column("payload").buffers()
            out = np.empty((batch.num_rows, 4))
            library.run(
                ctypes.c_void_p(data.address),
                ctypes.c_void_p(offsets.address),
                ctypes.c_int64(batch.num_rows),
                ctypes.c_void_p(out.ctypes.data),
            )
        return time.process_time() - started

    return seconds


def frames_of(tape: Path) -> int:
    """Return how many frames a tape has."""
    return sum(tally.frames for tally in run(tape, keep=False, engine="compiled").tallies.values())


def compare_with_limit(tape: Path, runs: int, limit: Callable[[Path], float]) -> None:
    """Measure pairs of a compiled replay and the C program, one right behind the other, and tell."""
    frames = frames_of(tape)
    measures = {"compiled": lambda: replay_seconds(tape, "compiled"), "C": lambda: limit(tape)}
    pairs = [
        {name: measures[name]() for name in (measures if number % 2 else reversed(measures))}
        for number in range(runs)
    ]
    tell(f"a compiled replay beside the C program, {runs} pairs")
    for name in measures:
        tell(f"  {name}, frames/s: {spread([frames / pair[name] for pair in pairs], ',.0f')}")
    tell(f"  compiled / C: {spread([pair['compiled'] / pair['C'] for pair in pairs], '.2f')}")


def compare_engines(name: str, tape: Path, runs: int) -> None:
    """Measure pairs of both engines on one tape and tell."""
    frames = frames_of(tape)
    rows: list[dict[str, float]] = []
    for pair in range(runs):
        row = {}
        for engine in ("plain", "compiled") if pair % 2 else ("compiled", "plain"):
            row[engine] = replay_seconds(tape, engine)
            row[f"core {engine}"] = core_seconds(tape, engine)
        rows.append(row)
    tell(f"{name}: {frames:,} frames, {runs} pairs")
    for what in rows[0]:
        tell(f"  {what}, frames/s: {spread([frames / row[what] for row in rows], ',.0f')}")
    tell(f"  replay, plain / compiled: {spread([row['plain'] / row['compiled'] for row in rows], '.2f')}")
    cores = [row["core plain"] / row["core compiled"] for row in rows]
    tell(f"  books alone, plain / compiled: {spread(cores, '.2f')}")


def main() -> None:
    """Measure and print."""
    options = parser(__doc__.partition(":")[0], runs=5, frames=200_000).parse_args()
    use_one_core()
    depth = max(options.depth, 20_000)
    tell(f"{machine()}, one of them used, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as directory:
        limit = limit_program(Path(directory))
        tape = synthetic_tape(options.frames, depth)
        compare_engines(f"synthetic level2_batch, {depth:,} levels a side", tape, options.runs)
        if limit is not None:
            compare_with_limit(tape, LIMIT_PAIRS * options.runs, limit)
    for capture, times in REPEATED.items():
        path = CAPTURES / f"{capture}.jsonl.gz"
        if path.exists():
            compare_engines(f"{capture}, {times} times", repeated_capture(path, times), options.runs)
    tell(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
