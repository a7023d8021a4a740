"""Frames per second of the plain engine, alone and in a flow: `python tests/benchmarks/bench_replay.py`."""

import sys
import time
from pathlib import Path

from replay.running.settings import ReplaySettings

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pyarrow as pa

from orderbook.engine import PlainEngine
from recorder.tape.reader import Tape
from recorder.tape.row_batches import copy_rows
from replay.running.api import run
from tests.benchmarks.measuring import describe_machine, parser, print_line, spread
from tests.benchmarks.tapes import synthetic_tape

PRODUCT = "BTC-USD"
SINGLE_ROWS = 5_000


def engine_rate(batches: list[pa.RecordBatch]) -> float:
    """Return the rows per second of `PlainEngine.step`, with the tape in memory."""
    engine = PlainEngine()
    state = engine.start(PRODUCT, "exchange")
    started = time.perf_counter()
    for batch in batches:
        state, _ = engine.step(state, batch)
    elapsed = time.perf_counter() - started
    rows: int = sum(batch.num_rows for batch in batches)
    return rows / elapsed


def replay_rate(tape: Path, batch_rows: int) -> float:
    """Return the frames per second of a replay through bytewax, from disk to tally."""
    started = time.perf_counter()
    result = run(tape, ReplaySettings(batch_rows=batch_rows), keep=False)
    return result.tallies[PRODUCT].frames / (time.perf_counter() - started)


def single_rows(batches: list[pa.RecordBatch]) -> tuple[float, float]:
    """Return the microseconds of a row: in one step with all rows, and in a step with this row alone."""
    engine = PlainEngine()
    rows = batches[1].slice(0, SINGLE_ROWS)
    times = []
    for parts in ([copy_rows(rows)], [copy_rows(rows.slice(place, 1)) for place in range(rows.num_rows)]):
        state, _ = engine.step(engine.start(PRODUCT, "exchange"), batches[0])
        started = time.perf_counter()
        for part in parts:
            state, _ = engine.step(state, part)
        times.append((time.perf_counter() - started) / rows.num_rows * 1e6)
    together, alone = times
    return together, alone


def main() -> None:
    """Measure and print."""
    options = parser(__doc__.partition(":")[0], runs=5).parse_args()
    print_line(describe_machine())
    tape = synthetic_tape(options.frames, options.depth)
    print_line(f"{options.frames:,} frames, {options.depth:,} levels a side; {options.runs} runs each")
    batches = list(Tape.open(tape).product(PRODUCT).batches())
    print_line(
        f"engine alone, frames/s: {spread([engine_rate(batches) for _ in range(options.runs)], ',.0f')}"
    )
    for batch_rows in (8192, 256, 16):
        rates = [replay_rate(tape, batch_rows) for _ in range(options.runs)]
        print_line(f"replay, batches of {batch_rows:,} rows, frames/s: {spread(rates, ',.0f')}")
    pairs = [single_rows(batches) for _ in range(options.runs)]
    print_line(f"a row in a large step, us: {spread([together for together, _ in pairs], ',.1f')}")
    print_line(f"a row alone in a step, us: {spread([alone for _, alone in pairs], ',.1f')}")
    overhead = [alone - together for together, alone in pairs]
    print_line(f"overhead of a step of one row, us: {spread(overhead, ',.1f')}")


if __name__ == "__main__":
    main()
