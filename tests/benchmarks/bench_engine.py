"""The compiled engine against the plain one and a C program: `python tests/benchmarks/bench_engine.py`.

Processor time on one core, without imports and without loading the compiled code. Pairs are measured in turn
and ratios are taken within a pair, as the machine may be busy.
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

from orderbook.trades import TradeWatch
from recorder.runtime.loading import load_engine
from recorder.tape.reader import Tape
from replay.running.api import run
from replay.running.settings import ReplaySettings
from tests.benchmarks.measuring import describe_machine, parser, print_line, spread, use_one_core
from tests.benchmarks.tapes import repeated_capture, synthetic_tape, traded_tape
from tests.support.constants import CAPTURES

LIMIT_PAIRS = 5  # for each pair of engines, as these take little time
REPEATED = {"advanced-2026-08-btc-eth": 20, "exchange-2018-04-btc": 10}


def replay_seconds(tape: Path, engine: str, *, trades: bool = False) -> float:
    """Return the processor time in seconds of a default replay, from opening the tape to its digest."""
    settings = ReplaySettings(trades=trades)
    started = time.process_time()
    run(tape, settings, keep=False, engine=load_engine(engine))  # type: ignore[arg-type]  # a name
    return time.process_time() - started


def core_seconds(tape: Path, engine_name: str, *, market: bool = False) -> float:
    """Return the processor time in seconds of the engine alone, with the tape's batches in memory.

    Args:
        tape: the tape.
        engine_name: name of the engine.
        market: whether it also makes what simulated orders meet, trades included.
    """
    engine = load_engine(engine_name)  # type: ignore[arg-type]  # a name
    opened = Tape.open(tape)
    elapsed = 0.0
    for product in opened.select(()):
        batches = list(opened.product(product).batches())
        state = engine.start(product, opened.feed)
        watch = TradeWatch(product, opened.venue) if market else None
        started = time.process_time()
        for batch in batches:
            state, _ = engine.step(state, batch, watch=watch)
        elapsed += time.process_time() - started
    return elapsed


def limit_program(directory: Path) -> Callable[[Path], float] | None:
    """Build the C program; return a function from a tape to its processor time, or None without gcc."""
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
    """Return the number of frames on a tape."""
    return sum(tally.frames for tally in run(tape, keep=False, engine="compiled").tallies.values())


def compare_with_limit(tape: Path, runs: int, limit: Callable[[Path], float]) -> None:
    """Measure and print pairs of a compiled replay and the C program, which run one after the other."""
    frames = frames_of(tape)
    measures = {"compiled": lambda: replay_seconds(tape, "compiled"), "C": lambda: limit(tape)}
    pairs = [
        {name: measures[name]() for name in (measures if number % 2 else reversed(measures))}
        for number in range(runs)
    ]
    print_line(f"a compiled replay and the C program, {runs} pairs")
    for name in measures:
        print_line(f"  {name}, frames/s: {spread([frames / pair[name] for pair in pairs], ',.0f')}")
    print_line(f"  compiled / C: {spread([pair['compiled'] / pair['C'] for pair in pairs], '.2f')}")


def compare_market(title: str, tape: Path, runs: int) -> None:
    """Measure and print pairs of the compiled engine with and without trades and changes for orders."""
    works: dict[str, Callable[[bool], float]] = {
        "books alone": lambda wanted: core_seconds(tape, "compiled", market=wanted),
        "replay": lambda wanted: replay_seconds(tape, "compiled", trades=wanted),
    }
    ratios: dict[str, list[float]] = {name: [] for name in works}
    for pair in range(runs):
        for name, work in works.items():
            seconds = {wanted: work(wanted) for wanted in (pair % 2 == 0, pair % 2 == 1)}
            ratios[name].append(seconds[True] / seconds[False])
    print_line(f"{title}: {runs} pairs")
    print_line(f"  books alone, with the market / without: {spread(ratios['books alone'], '.2f')}")
    print_line(f"  replay, --trades / without: {spread(ratios['replay'], '.2f')}")


def compare_engines(title: str, tape: Path, runs: int) -> None:
    """Measure and print pairs of both engines on one tape."""
    frames = frames_of(tape)
    rows: list[dict[str, float]] = []
    for pair in range(runs):
        row = {}
        for engine in ("plain", "compiled") if pair % 2 else ("compiled", "plain"):
            row[engine] = replay_seconds(tape, engine)
            row[f"core {engine}"] = core_seconds(tape, engine)
        rows.append(row)
    print_line(f"{title}: {frames:,} frames, {runs} pairs")
    for name in rows[0]:
        print_line(f"  {name}, frames/s: {spread([frames / row[name] for row in rows], ',.0f')}")
    print_line(
        f"  replay, plain / compiled: {spread([row['plain'] / row['compiled'] for row in rows], '.2f')}"
    )
    cores = [row["core plain"] / row["core compiled"] for row in rows]
    print_line(f"  books alone, plain / compiled: {spread(cores, '.2f')}")


def main() -> None:
    """Measure and print."""
    options = parser(__doc__.partition(":")[0], runs=5, frames=200_000).parse_args()
    use_one_core()
    depth = max(options.depth, 20_000)
    print_line(f"{describe_machine()}, one of them used, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as directory:
        limit = limit_program(Path(directory))
        tape = synthetic_tape(options.frames, depth)
        compare_engines(f"synthetic level2_batch, {depth:,} levels a side", tape, options.runs)
        if limit is not None:
            compare_with_limit(tape, LIMIT_PAIRS * options.runs, limit)
    compare_market("synthetic level2_batch", tape, LIMIT_PAIRS * options.runs)
    traded = traded_tape(options.frames, options.depth)
    compare_market("the same with trades", traded, LIMIT_PAIRS * options.runs)
    for capture, times in REPEATED.items():
        path = CAPTURES / f"{capture}.jsonl.gz"
        if path.exists():
            tape = repeated_capture(path, times)
            compare_engines(f"{capture}, {times} times", tape, options.runs)
            compare_market(f"{capture}, {times} times", tape, LIMIT_PAIRS * options.runs)
    print_line(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
