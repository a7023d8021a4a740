"""What a second process wins on four products of equal size: `python tests/benchmarks/bench_processes.py`.

One tape of four products with the same frames. `replay` and `compare` of all of it with one process and with
two, as commands and in wall time, from start to end: starting a process, importing and loading count as well.
Runs alternate; ratios are taken within a round. Needs two cores that nobody else uses.
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
from tests.benchmarks.material import (
    SPACING_NS,
    START_NS,
    add_segment,
    home,
    machine,
    parser,
    spread,
    synthetic_tape,
    tell,
)

ROOT = Path(__file__).resolve().parents[2]
PRODUCTS = ("AAA-USD", "BBB-USD", "CCC-USD", "DDD-USD")
WORK = {
    "replay": ("replay",),
    "compare, 1,000 thresholds": ("compare", "--sweep", "0.02bps", "20bps", "0.02bps"),
    "replay, plain engine": ("replay", "--engine", "plain"),
}


def four_products(source: Path, times: int) -> Path:
    """Return a tape of four products, each with so many repetitions of a tape of one, a connection each."""
    tape = home() / f"four-products-{source.name}-{times}-times"
    if tape.exists():
        return tape
    tell(f"making {tape}")
    table = pa.Table.from_batches(Tape.open(source).product("BTC-USD").batches())
    with tempfile.TemporaryDirectory(dir=home()) as directory:
        aside = Path(directory) / "tape"
        TapeWriter.open(aside, "exchange", PRODUCTS, "bench").close()
        for product in PRODUCTS:
            payloads = pc.replace_substring(table.column("payload").combine_chunks(), "BTC-USD", product)
            for repetition in range(times):
                first = repetition * table.num_rows
                seq = pa.array(range(first, first + table.num_rows), pa.int64())
                moments = pc.add(pc.multiply(seq, pa.scalar(SPACING_NS)), pa.scalar(START_NS))
                connection = pa.array([repetition] * table.num_rows, pa.int32())
                kinds = table.column("kind").combine_chunks()
                columns = [seq, moments.view(TIME), connection, kinds, payloads]
                add_segment(aside, product, pa.RecordBatch.from_arrays(columns, schema=TAPE_SCHEMA))
        shutil.move(aside, tape)
    return tape


def seconds(tape: Path, work: tuple[str, ...], processes: int) -> float:
    """Return the wall time of a command, from its start to its end."""
    command, *options = work
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "booktape", command, tape, *options, "--processes", str(processes), "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    made = parser("What a second process wins.", runs=5, frames=200_000)
    made.add_argument("--times", type=int, default=25, help="repetitions of the frames (%(default)s)")
    options = made.parse_args()
    tell(f"{machine()}, load {os.getloadavg()[0]:.1f}")
    source = synthetic_tape(options.frames, options.depth)
    for name, work in WORK.items():
        tape = four_products(source, 1 if "plain" in work else options.times)
        rows = []
        for number in range(options.runs):
            order = (1, 2) if number % 2 else (2, 1)
            rows.append({processes: seconds(tape, work, processes) for processes in order})
        alone, shared = ([row[processes] for row in rows] for processes in (1, 2))
        tell(f"{name}: one process {spread(alone, '.2f')} s; two {spread(shared, '.2f')} s")
        tell(f"  {name}: {spread([row[1] / row[2] for row in rows], '.2f')} times as fast with two")
    tell(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
