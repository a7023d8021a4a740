"""Speed-up by a second process on four equal products: `python tests/benchmarks/bench_processes.py`.

Wall time of the commands `replay` and `compare` with one process and with two, including process start,
imports and loading compiled code. The tape has four products with the same frames. Runs alternate and ratios
are taken within a round. It needs two idle cores.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pyarrow as pa
import pyarrow.compute as pc

from orderbook.schema import TAPE_SCHEMA, TIME
from recorder.tape.reader import Tape
from recorder.tape.writer import TapeWriter
from tests.benchmarks.measuring import ENVIRONMENT, describe_machine, parser, print_line, spread
from tests.benchmarks.tapes import SPACING_NS, START_NS, add_segment, cache_dir, synthetic_tape

PRODUCTS = ("AAA-USD", "BBB-USD", "CCC-USD", "DDD-USD")
WORK = {
    "replay": ("replay",),
    "compare, 1,000 thresholds": ("compare", "--sweep", "0.02bps", "20bps", "0.02bps"),
    "replay, plain engine": ("replay", "--engine", "plain"),
}


def four_products(source: Path, times: int) -> Path:
    """Return a tape of four products, each with the rows of `source` as `times` connections."""
    tape = cache_dir() / f"four-products-{source.name}-{times}-times"
    if tape.exists():
        return tape
    print_line(f"writing {tape}")
    table = pa.Table.from_batches(Tape.open(source).product("BTC-USD").batches())
    with tempfile.TemporaryDirectory(dir=cache_dir()) as directory:
        unfinished = Path(directory) / "tape"
        TapeWriter.open(unfinished, "exchange", PRODUCTS, "bench").close()
        for product in PRODUCTS:
            payloads = pc.replace_substring(table.column("payload").combine_chunks(), "BTC-USD", product)
            for repetition in range(times):
                first = repetition * table.num_rows
                seq = pa.array(range(first, first + table.num_rows), pa.int64())
                recv_times = pc.add(pc.multiply(seq, pa.scalar(SPACING_NS)), pa.scalar(START_NS))
                connection = pa.array([repetition] * table.num_rows, pa.int32())
                kinds = table.column("kind").combine_chunks()
                columns = [seq, recv_times.view(TIME), connection, kinds, payloads]
                add_segment(unfinished, product, pa.RecordBatch.from_arrays(columns, schema=TAPE_SCHEMA))
        shutil.move(unfinished, tape)
    return tape


def seconds(tape: Path, work: tuple[str, ...], processes: int) -> float:
    """Return the wall time of a command in seconds."""
    command, *options = work
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "booktape", command, tape, *options, "--processes", str(processes), "--json"],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    arguments = parser("Speed-up by a second process on four equal products.", runs=5, frames=200_000)
    arguments.add_argument("--times", type=int, default=25, help="repetitions of the frames (%(default)s)")
    options = arguments.parse_args()
    print_line(f"{describe_machine()}, load {os.getloadavg()[0]:.1f}")
    source = synthetic_tape(options.frames, options.depth)
    for name, work in WORK.items():
        tape = four_products(source, 1 if "plain" in work else options.times)
        rows = []
        for number in range(options.runs):
            order = (1, 2) if number % 2 else (2, 1)
            rows.append({processes: seconds(tape, work, processes) for processes in order})
        alone, shared = ([row[processes] for row in rows] for processes in (1, 2))
        print_line(f"{name}: one process {spread(alone, '.2f')} s; two {spread(shared, '.2f')} s")
        print_line(f"  {name}: {spread([row[1] / row[2] for row in rows], '.2f')} times as fast with two")
    print_line(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
