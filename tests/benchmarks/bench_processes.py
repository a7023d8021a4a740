"""Speed-up by a second process, on one product and on four: `python tests/benchmarks/bench_processes.py`.

Wall and processor time of the commands `replay`, `compare` and `backtest` with one process and with two,
including process start, imports and loading compiled code. The tapes have one product, or four with the same
frames; those of a backtest have one, and trades.
Runs alternate and ratios are taken within a round. Wall time needs two idle cores; processor time tells on a
busy machine what the second process costs.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pyarrow as pa
import pyarrow.compute as pc

from orderbook.schema import TAPE_SCHEMA, TIME
from recorder.tape.reader import Tape
from recorder.tape.writer import TapeWriter
from replay.checking.index import index
from tests.benchmarks.measuring import ENVIRONMENT, describe_machine, parser, print_line, spread
from tests.benchmarks.tapes import SPACING_NS, START_NS, add_segment, synthetic_tape, traded_tape
from tests.support.tool_environments import cache_dir

PRODUCTS = ("AAA-USD", "BBB-USD", "CCC-USD", "DDD-USD")
COMPARE = ("compare", "--sweep", "0.02bps", "20bps", "0.02bps")
WORK = {
    "one product, replay": (1, ("replay",)),
    "one product, compare, 1,000 thresholds": (1, COMPARE),
    "four products, replay": (4, ("replay",)),
    "four products, compare, 1,000 thresholds": (4, COMPARE),
    "four products, replay, plain engine": (4, ("replay", "--engine", "plain")),
}
EXAMPLES = "booktape.examples"
BACKTESTS = {
    "500 settings": ("--sweep", "threshold=1bps:50.9bps:0.1bps"),
    "100 settings of a compiled market maker": (
        *("--strategy", f"{EXAMPLES}.compiled_market_making:market_maker"),
        *("--sweep", "half_spread=1bps:10.9bps:0.1bps"),
    ),
    "200 settings, with a RUN": ("--sweep", "threshold=1bps:20.9bps:0.1bps", "-o"),
}
"""Of one product with trades."""


class Seconds(NamedTuple):
    """Wall time, and processor time of a command and its processes."""

    wall: float
    processor: float


def repeated_tape(source: Path, products: Sequence[str], times: int) -> Path:
    """Return a tape of products that each have the rows of `source` as `times` connections, with sidecars."""
    tape = cache_dir() / f"{len(products)}-products-{source.name}-{times}-times"
    if tape.exists():
        return tape
    print_line(f"writing {tape}")
    table = pa.Table.from_batches(Tape.open(source).product("BTC-USD").batches())
    with tempfile.TemporaryDirectory(dir=cache_dir()) as directory:
        unfinished = Path(directory) / "tape"
        TapeWriter.open(unfinished, "exchange", tuple(products), "bench").close()
        for product in products:
            payloads = pc.replace_substring(table.column("payload").combine_chunks(), "BTC-USD", product)
            for repetition in range(times):
                first = repetition * table.num_rows
                seq = pa.array(range(first, first + table.num_rows), pa.int64())
                recv_times = pc.add(pc.multiply(seq, pa.scalar(SPACING_NS)), pa.scalar(START_NS))
                connection = pa.array([repetition] * table.num_rows, pa.int32())
                kinds = table.column("kind").combine_chunks()
                columns = [seq, recv_times.view(TIME), connection, kinds, payloads]
                add_segment(unfinished, product, pa.RecordBatch.from_arrays(columns, schema=TAPE_SCHEMA))
        index(unfinished)
        shutil.move(unfinished, tape)
    return tape


def seconds(tape: Path, work: tuple[str, ...], processes: int) -> Seconds:
    """Return how long a command takes; a RUN that it writes is removed."""
    command, *options = work
    with tempfile.TemporaryDirectory(dir=cache_dir()) as directory:
        output = [f"{directory}/run"] if options[-1:] == ["-o"] else []
        words = [command, str(tape), *options, *output, "--processes", str(processes), "--json"]
        started, before = time.perf_counter(), _processor()
        subprocess.run(
            [sys.executable, "-m", "booktape", *words],
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return Seconds(time.perf_counter() - started, _processor() - before)


def _processor() -> float:
    """Return the processor time of all children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure and print."""
    arguments = parser("Speed-up by a second process.", runs=5, frames=200_000)
    arguments.add_argument("--times", type=int, default=25, help="repetitions of the frames (%(default)s)")
    arguments.add_argument(
        "--traded", type=int, default=820_000, help="updates of a backtest's tape (%(default)s)"
    )
    arguments.add_argument("--only", default="", help="measure only what begins with this text")
    options = arguments.parse_args()
    print_line(f"{describe_machine()}, load {os.getloadavg()[0]:.1f}")
    works = [
        *((name, products, words) for name, (products, words) in WORK.items()),
        *((f"backtest, {name}", 0, ("backtest", *words)) for name, words in BACKTESTS.items()),
    ]
    for name, products, work in works:
        if not name.startswith(options.only):
            continue
        if products:
            source = synthetic_tape(options.frames, options.depth)
            tape = repeated_tape(source, PRODUCTS[:products], 1 if "plain" in work else options.times)
        else:
            tape = traded_tape(options.traded, 1000)
        rows = []
        for number in range(options.runs):
            order = (1, 2) if number % 2 else (2, 1)
            rows.append({processes: seconds(tape, work, processes) for processes in order})
        for place, kind in enumerate(Seconds._fields):
            alone, shared = ([row[processes][place] for row in rows] for processes in (1, 2))
            print_line(f"{name}, {kind}: one process {spread(alone, '.2f')} s; two {spread(shared, '.2f')} s")
        faster, cost = ([row[1][place] / row[2][place] for row in rows] for place in (0, 1))
        print_line(f"  {name}: {spread(faster, '.2f')} times as fast with two")
        print_line(f"  {name}: {spread([2 * each for each in cost], '.2f')} times, by processor time")
    print_line(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
