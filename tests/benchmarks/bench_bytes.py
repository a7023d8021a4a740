"""Bytes of a frame on disk, as sealed and by other writer options: `python tests/benchmarks/bench_bytes.py`.

First it compares sealed segments (complete files with all columns) with JSON lines of the same frames in one
zstd -3 stream: the payloads alone, and with receive times as `{"recv_ns": ..., "frame": ...}`. Then it writes
the segments with one option changed at a time, and prints the bytes of a row and the processor time of
writing a row and of reading it (`iter_batches`, checksums verified). Candidates are measured in turn and
ratios are taken within a round, as the machine may be busy.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from orderbook.schema import TAPE_SCHEMA
from recorder.api import import_captures
from recorder.tape.format.segment_writer import ROW_GROUP_ROWS, WRITER_OPTIONS
from recorder.tape.reader import Tape
from recorder.tape.row_batches import BATCH_ROWS
from tests.benchmarks.measuring import describe_machine, parser, print_line
from tests.benchmarks.tapes import synthetic_tape
from tests.support.constants import CAPTURES

LINES_LEVEL = 3


@dataclass(slots=True)
class Candidate:
    """Options for writing a segment, and their measurements.

    Attributes:
        name: the option that differs from those of a sealed segment.
        row_group: rows in a row group.
        options: of the Parquet writer, in addition to those of a sealed segment.
        size: bytes of all files.
        write_seconds, read_seconds: processor time in each round.
    """

    name: str
    row_group: int = ROW_GROUP_ROWS
    options: Mapping[str, Any] = field(default_factory=dict)
    size: int = 0
    write_seconds: list[float] = field(default_factory=list)
    read_seconds: list[float] = field(default_factory=list)

    def write(self, path: Path, table: pa.Table) -> float:
        """Write a table and return the processor time in seconds."""
        started = time.process_time()
        options = {**WRITER_OPTIONS, **self.options}
        with pq.ParquetWriter(path, TAPE_SCHEMA, **options) as writer:
            writer.write_table(table, row_group_size=self.row_group)
        return time.process_time() - started


def payload_as(encoding: str) -> dict[str, Any]:
    """Return the options that encode the payload in this way."""
    return {"column_encoding": {**WRITER_OPTIONS["column_encoding"], "payload": encoding}}


def candidates() -> list[Candidate]:
    """Return the options of a sealed segment, and those that differ from them in one option."""
    levels = [{"compression_level": level} for level in (1, 3, 6, 9, 12, 15)]
    pages = [{"data_page_size": n * 2**10} for n in (64, 256, 4096, 16384)]
    encodings = [payload_as(name) for name in ("DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY")]
    others: list[dict[str, Any]] = [
        {"use_dictionary": False},
        {"write_batch_size": ROW_GROUP_ROWS},
        {"data_page_version": "2.0"},
        {"write_statistics": True},
    ]
    return [
        Candidate("as sealed"),
        *(Candidate(f"row groups of {n:,}", n) for n in (8_192, 32_768, 65_536, 131_072)),
        *(Candidate(_name(options), options=options) for options in levels + pages + encodings + others),
    ]


def _name(options: Mapping[str, Any]) -> str:
    ((name, value),) = options.items()
    return f"{name} {value['payload'] if name == 'column_encoding' else value}"


def read_seconds(path: Path) -> float:
    """Return the processor time in seconds of reading a file as a replay does."""
    started = time.process_time()
    with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
        for _ in file.iter_batches(BATCH_ROWS, use_threads=False):
            pass
    return time.process_time() - started


def tables_of(tape: Tape) -> list[pa.Table]:
    """Return the rows of each product."""
    return [
        pa.Table.from_batches(tape.product(product).batches(), TAPE_SCHEMA).combine_chunks()
        for product in tape.select(())
    ]


def line_bytes(tables: Sequence[pa.Table]) -> tuple[int, int, int]:
    """Return the number of frames, and the bytes of their compressed lines without and with times."""
    frames: list[tuple[int, str]] = []
    for table in tables:
        kept = table.filter(pc.equal(table.column("kind"), "frame"))
        times = kept.column("recv_time").cast(pa.int64()).to_pylist()
        frames += zip(times, kept.column("payload").to_pylist(), strict=True)
    frames.sort(key=lambda frame: frame[0])
    bare = "".join(f"{text}\n" for _, text in frames)
    timed = "".join(f"{json.dumps({'recv_ns': time, 'frame': text})}\n" for time, text in frames)
    sizes = [
        len(zstandard.ZstdCompressor(LINES_LEVEL).compress(lines.encode(errors="surrogatepass")))
        for lines in (bare, timed)
    ]
    return len(frames), sizes[0], sizes[1]


def compare_with_lines(name: str, tape: Tape) -> list[pa.Table]:
    """Print the bytes of a tape and of compressed lines; return the tape's rows."""
    tables = tables_of(tape)
    frames, bare, timed = line_bytes(tables)
    sealed = sum(entry.bytes for product in tape.select(()) for entry in tape.product(product).segments())
    print_line(f"{name}: {frames:,} frames; bytes a frame: sealed {sealed / frames:.2f}")
    for which, lines in (("payloads alone", bare), ("with their times", timed)):
        print_line(
            f"  zstd -{LINES_LEVEL} lines, {which}: {lines / frames:.2f}, ratio = {sealed / lines:.3f}"
        )
    return tables


def compare_candidates(name: str, tables: Sequence[pa.Table], runs: int, directory: Path) -> None:
    """Print the size and times of each candidate for these rows."""
    tried = candidates()
    rows = sum(table.num_rows for table in tables)
    for _ in range(runs):
        for candidate in tried:
            candidate.size = 0
            write = read = 0.0
            for table in tables:
                path = directory / "candidate.parquet"
                write += candidate.write(path, table)
                read += read_seconds(path)
                candidate.size += path.stat().st_size
            candidate.write_seconds.append(write)
            candidate.read_seconds.append(read)
    ours = tried[0]
    print_line(f"\n{name}: {rows:,} rows, medians of {runs}")
    print_line(f"{'':42} {'bytes':>8} {'write us':>9} {'read us':>8} {'reading against ours':>24}")
    for each in tried:
        ratios = [one / other for one, other in zip(each.read_seconds, ours.read_seconds, strict=True)]
        write, read = (statistics.median(s) / rows * 1e6 for s in (each.write_seconds, each.read_seconds))
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print_line(f"{each.name:42} {each.size / rows:8.2f} {write:9.2f} {read:8.3f} {ratio:>24}")


def main() -> None:
    """Measure all captures and the synthetic tape."""
    options = parser(__doc__.splitlines()[0], runs=7).parse_args()
    print_line(describe_machine())
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for capture in sorted(CAPTURES.glob("*.jsonl.gz")):
            tape = directory / capture.name
            import_captures([capture], tape)
            tables = compare_with_lines(capture.name, Tape.open(tape))
            compare_candidates(capture.name, tables, options.runs, directory)
            print_line("")
        tape = synthetic_tape(options.frames, options.depth)
        tables = tables_of(Tape.open(tape))
        compare_with_lines(tape.name, Tape.open(tape))
        compare_candidates(tape.name, tables, options.runs, directory)


if __name__ == "__main__":
    main()
