"""A seal at the list of a year against one of a new tape: `python tests/benchmarks/bench_year.py`.

A year of segments of 15 minutes is 35,040 lines a product. Their segments are not written, but those of the
last day and of two in the middle: nothing that is measured may look at others. Both tapes take the same rows,
and seal them in turn, on one thread; the ratio is that of processor time (user and system), each the median
of the rounds. Also printed is what opening and reading such tapes takes. `--format 1` measures a year in the
one list of format 1.

The exit code is 1 if a seal at the list of a year takes more than 1.1 times as long, in format 2.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pyarrow as pa

from orderbook.schema import TAPE_SCHEMA, TIME
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from orderbook.times import NS, format_time
from recorder.settings import SealPolicy
from recorder.tape.format.layout import day_of, product_dir, segment_file
from recorder.tape.format.segment_entry import SegmentEntry, encode_entry
from recorder.tape.reader import Tape
from recorder.tape.writer import TapeWriter
from tests.benchmarks.measuring import describe_machine, parser, print_line
from tests.benchmarks.tapes import SPACING_NS, frames

START_NS: Final = 1_767_225_600 * NS  # 2026-01-01
SEGMENT_NS: Final = 900 * NS
SEGMENTS: Final = 365 * 96
SEGMENT_ROWS: Final = 36_000
"""Rows of a listed segment, at 40 a second; those sealed here are fewer, as their work would hide more."""
MOST: Final = 1.1
_HASH: Final = "0123456789abcdef" * 4


def names(number: int) -> list[str]:
    """Return the ids of products."""
    return [f"P{place}-USD" for place in range(number)]


def year(size: int) -> list[SegmentEntry]:
    """Return a year of segments, each a file of so many bytes."""
    entries = []
    for number in range(SEGMENTS):
        begins = START_NS + number * SEGMENT_NS
        first_seq = number * SEGMENT_ROWS
        entries.append(
            SegmentEntry(
                file=segment_file(first_seq, begins),
                first_seq=first_seq,
                rows=SEGMENT_ROWS,
                first_recv_time=format_time(begins),
                last_recv_time=format_time(begins + SEGMENT_NS - 1),
                connections=(0, 0),
                bytes=size,
                sha256=_HASH,
                digest=_HASH,
                chain=_HASH,
                chain_seq=first_seq // 4096 * 4096,
                lags={0: (10**6, 2 * 10**7)},
                book_sha256=_HASH,
            )
        )
    return entries


def add_year(directory: Path, entries: Sequence[SegmentEntry], form: int) -> None:
    """Give a product a year of segments, of which only those of the last day have a file."""
    lists = directory / "_segments"
    for day, of_day in groupby(entries, key=lambda entry: day_of(entry.file)):
        (directory / f"date={day}").mkdir()
        lines = b"".join(map(encode_entry, of_day))
        if form == 1:
            with lists.with_suffix(".jsonl").open("ab") as file:
                file.write(lines)
        else:
            (lists / f"{day}.jsonl").write_bytes(lines)
    if form == 1:
        lists.rmdir()
    middle = len(entries) // 2
    for entry in entries if form == 1 else [*entries[middle - 96 : middle + 96], *entries[-96:]]:
        (directory / entry.file).write_bytes(b"x" * entry.bytes)


def make_tape(path: Path, products: Sequence[str], entries: Sequence[SegmentEntry], form: int) -> None:
    """Make a tape whose products have these segments."""
    TapeWriter.open(path, "exchange", products, "bench").close()
    for product in products if entries else ():
        add_year(product_dir(path, product), entries, form)
    if entries and form == 1:
        manifest = json.loads((path / "_tape.json").read_bytes())
        (path / "_tape.json").write_text(json.dumps({**manifest, "format": 1}), encoding="utf-8")


def rows_from(writer: TapeWriter, product: str, texts: Sequence[str]) -> pa.RecordBatch:
    """Return the next rows of a product."""
    position = writer.products[product].written_rows + writer.products[product].position.seq
    count = len(texts)
    begins = START_NS + SEGMENTS * SEGMENT_NS + position * SPACING_NS % (3600 * NS)
    columns = [
        pa.array(range(position, position + count), pa.int64()),
        pa.array([begins + place for place in range(count)], pa.int64()).view(TIME),
        pa.array([1] * count, pa.int32()),
        pa.array(["frame"] * count, pa.string()),
        pa.array(texts, pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=TAPE_SCHEMA)


def cpu_s(work: Callable[[], object]) -> float:
    """Return the processor time of some work."""
    before = time.process_time()
    work()
    return time.process_time() - before


def seal_s(writer: TapeWriter, texts: Sequence[str]) -> float:
    """Return the processor time of sealing one segment of each product."""
    for product, each in writer.products.items():
        each.append(rows_from(writer, product, texts))
    tally = Tally(DEFAULT_THRESHOLD)

    def seal() -> None:
        for each in writer.products.values():
            each.seal_all(tally, 2**62)

    return cpu_s(seal)


def reading(tape: Path, product: str) -> dict[str, Callable[[], object]]:
    """Return what is asked of the list of a product of an open tape."""
    middle = START_NS + SEGMENTS // 2 * SEGMENT_NS

    return {
        "its last segment": lambda: Tape.open(tape).product(product).last_segment(),
        "the segment before a time": lambda: Tape.open(tape).product(product).part_before(middle),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 if a seal takes too long."""
    options = parser("A seal at the list of a year.", runs=20, frames=1_000)
    options.add_argument("--products", type=int, default=1, help="products (default: %(default)s)")
    options.add_argument("--format", type=int, choices=(1, 2), default=2, help="format of the year")
    options.add_argument("--directory", type=Path, help="where the tapes are made")
    asked = options.parse_args(arguments)
    print_line(describe_machine())
    texts = list(frames(asked.frames, 100, SPACING_NS))[1:]
    products = names(asked.products)
    with tempfile.TemporaryDirectory(dir=asked.directory) as directory, ExitStack() as stack:
        entries = year(100)
        tapes = {"new": Path(directory) / "new", "a year": Path(directory) / "year"}
        make_tape(tapes["new"], products, (), 2)
        make_tape(tapes["a year"], products, entries, asked.format)
        writers = {}
        for name, path in tapes.items():

            def start(name: str = name, path: Path = path) -> None:
                policy = SealPolicy(seconds=1e6)
                now = START_NS + SEGMENTS * SEGMENT_NS
                writer = TapeWriter.open(path, "exchange", products, "bench", policy, lambda: now)
                writers[name] = stack.enter_context(writer)

            print_line(f"{name}: a recorder starts in {cpu_s(start) / len(products) * 1e3:.1f} ms a product")
        taken: dict[str, list[float]] = {name: [] for name in tapes}
        for number in range(asked.runs + 1):
            for name, writer in writers.items():
                seconds = seal_s(writer, texts)
                if number:  # the first one begins a day
                    taken[name].append(seconds / len(products))
        middle = {name: statistics.median(each) for name, each in taken.items()}
        for name, seconds in middle.items():
            print_line(f"{name}: a seal of {len(texts):,} rows takes {seconds * 1e3:.2f} ms")
        for name, work in reading(tapes["a year"], products[0]).items():
            took = statistics.median([cpu_s(work) for _ in range(5)])
            print_line(f"a year: {name} takes {took * 1e3:.1f} ms")
    ratio = middle["a year"] / middle["new"]
    print_line(f"{ratio:.3f} times as long; {MOST} times allowed")
    return int(asked.format == 2 and ratio > MOST)


if __name__ == "__main__":
    sys.exit(main())
