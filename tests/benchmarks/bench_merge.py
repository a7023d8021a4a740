"""Time of a merge against that of a replay: `python tests/benchmarks/bench_merge.py`.

A synthetic tape is the truth. Two recorders have cut it: each has interruptions, in which the other one was
up, and begins every connection with a snapshot of the book. The merge of the two is compared with a replay of
the merged tape, in turn within a round, in processor time of one process, as the machine may be busy.
"""

import resource
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import replay
from orderbook.connection_marks import Connected, Disconnected, encode_mark
from orderbook.display import size
from orderbook.venues.registry import venue
from recorder.runtime.loading import load_engine
from recorder.settings import SealPolicy
from recorder.tape.reader import Tape
from recorder.tape.row_batches import RowTuple, numbered_batch, split_at, tuples_of
from recorder.tape.seal_threads import SealThreads
from recorder.tape.sealed_rows import SealedRows
from recorder.tape.writer import TapeWriter
from replay.merging.api import merge
from replay.running.settings import ReplaySettings
from tests.benchmarks.measuring import describe_machine, parser, print_line, spread
from tests.benchmarks.tapes import synthetic_tape
from tests.support.tool_environments import cache_dir

T = TypeVar("T")

PRODUCT = "BTC-USD"
HOLES = 1
"""Interruptions of each recorder."""


def main() -> int:
    """Measure and print."""
    options = parser(__doc__ or "", runs=5, frames=400_000).parse_args()
    whole = synthetic_tape(options.frames, options.depth)
    tapes = [recorded(whole, name, number) for number, name in enumerate("ab")]
    merged = cache_dir() / "merged"
    print_line(describe_machine())
    engine = load_engine("auto")
    ratios, seconds = [], []
    for _ in range(options.runs):
        shutil.rmtree(merged, ignore_errors=True)
        merging, found = cpu(lambda: merge(tapes, merged, engine))
        replaying, run = cpu(lambda: replay.run(merged, ReplaySettings(), engine=engine))
        both, _ = cpu(lambda: [replay.run(tape, ReplaySettings(), engine=engine) for tape in tapes])
        ratios.append((replaying / merging, both / merging))
        seconds.append((merging, replaying))
        if run.digest != found.digest:
            print_line("the replay of the merged tape has another digest")
            return 1
    made = found.products[PRODUCT]
    print_line(f"{made.tally.rows:,} rows, {made.seams} seams, {made.interruptions} interruptions")
    print_line(f"merge: {spread([made.tally.rows / each for each, _ in seconds], ',.0f')} rows/s written")
    print_line(f"replay: {spread([made.tally.rows / each for _, each in seconds], ',.0f')} rows/s")
    print_line(f"speed of a merge, of that of a replay of its result: {spread([each for each, _ in ratios])}")
    print_line(f"speed of a merge, of that of replays of its tapes: {spread([each for _, each in ratios])}")
    stored = [Tape.open(path).product(PRODUCT).stored_bytes() for path in (merged, whole)]
    print_line(f"{size(stored[0])} merged, {size(stored[1])} as it was recorded")
    print_line(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")
    return 0 if statistics.median(each for _, each in ratios) >= 0.5 else 1


def recorded(whole: Path, name: str, number: int) -> Path:
    """Return the tape of a recorder that has seen a tape but for its interruptions; written once."""
    path = cache_dir() / f"{whole.name}-recorder-{name}"
    if path.exists():
        return path
    print_line(f"writing {path}")
    source = Tape.open(whole)
    rows = source.product(PRODUCT).sealed_rows()
    holes = [rows * (2 * place + 1 + number) // (2 * HOLES + 2) for place in range(HOLES)]
    failures: list[Exception] = []
    unfinished = path.with_name(f"_{path.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    with TapeWriter.open(unfinished, source.feed, [PRODUCT], "benchmark"):
        seals = SealThreads(failures.append)
        sealed = SealedRows(unfinished, PRODUCT, source.feed, load_engine("auto"), SealPolicy(), seals)
        seq = 0
        for batch in seen(source, holes, rows // 100, name):
            sealed.add(numbered_batch(seq, batch))
            seq += len(batch)
        sealed.finish()
        seals.join()
    if failures:
        raise failures[0]
    unfinished.rename(path)
    return path


def seen(source: Tape, holes: list[int], length: int, name: str) -> Iterator[list[RowTuple]]:
    """Yield the rows that a recorder has, which is down for `length` rows at each hole."""
    engine = load_engine("auto")
    state = engine.start(PRODUCT, source.feed)
    number = 0
    cuts = sorted({0, *holes, *(hole + length for hole in holes)})
    for rows in split_at(source.product(PRODUCT).batches(), cuts):
        first, time = rows.column("seq")[0].as_py(), rows.column("recv_time")[0].value
        mine: list[RowTuple] = []
        if first in holes:
            yield [(time, number, "disconnected", encode_mark(Disconnected(1006, "cut")))]
            number += 1
        if first - length in holes:
            levels = engine.levels(state)
            assert levels is not None
            bids, asks = (
                [(f"{price // 10**8}.{price % 10**8:08d}", f"0{size}") for price, size in side]
                for side in levels
            )
            text = venue(source.feed).server(None).snapshot(PRODUCT, bids, asks, time)
            opened = Connected(f"{name}-{number}", "wss://example", [PRODUCT])
            mine = [(time, number, "connected", encode_mark(opened)), (time, number, "frame", text)]
        state, _ = engine.step(state, rows)
        if not any(hole <= first < hole + length for hole in holes):
            yield mine + [(at, number, kind, payload) for at, _, kind, payload in tuples_of(rows)]


def cpu(work: Callable[[], T]) -> tuple[float, T]:
    """Return the processor time of a call, in seconds, and what it returns."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


if __name__ == "__main__":
    sys.exit(main())
