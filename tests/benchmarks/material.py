"""What the benchmarks share: a synthetic tape that is made once, and how a measurement is told."""

import argparse
import gzip
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from orderbook.times import NS, format_time
from recorder.record import import_captures
from recorder.tape.catalog import SegmentEntry, append_entry
from recorder.tape.layout import product_dir, segment_file
from recorder.tape.segment import write_segment
from replay.synthetic.dialects import ExchangeDialect
from replay.synthetic.market import MarketSettings, SyntheticMarket

START_NS = 1_767_225_600 * NS  # 2026-01-01
SPACING_NS = 20_000_000

_NO_DIGEST = "0" * 64


def parser(description: str, *, runs: int, frames: int = 100_000) -> argparse.ArgumentParser:
    """Return the options that every benchmark has."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--frames", type=int, default=frames, help="updates on the tape (default: %(default)s)")
    made.add_argument("--depth", type=int, default=2_500, help="levels a side (default: %(default)s)")
    made.add_argument("--runs", type=int, default=runs, help="measurements (default: %(default)s)")
    return made


def tell(text: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def machine() -> str:
    """Return what the figures were measured on."""
    return f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}"


def use_one_core() -> None:
    """Let this process run on one core only, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def spread(values: Sequence[float], form: str = ",.3f") -> str:
    """Return minimum, median and maximum."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"min {low:{form}}, median {middle:{form}}, max {high:{form}}"


def frames(number: int, depth: int, spacing_ns: int) -> Iterator[str]:
    """Yield a snapshot and then so many updates of a synthetic market; nothing of it is real."""
    market = SyntheticMarket(MarketSettings(depth=depth, tick="0.01"))
    dialect = ExchangeDialect()
    yield dialect.snapshot("BTC-USD", market.snapshot(), START_NS)
    for place in range(1, number + 1):
        yield dialect.update("BTC-USD", market.update(), START_NS + place * spacing_ns)


def repeated_capture(path: Path, times: int) -> Path:
    """Return a tape of so many repetitions of a capture, each beginning with its snapshots."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    first, last = records[0]["recv_ns"], records[-1]["recv_ns"]

    def repeated() -> Iterator[dict[str, object]]:
        for time in range(times):
            for record in records:
                yield {**record, "recv_ns": record["recv_ns"] + time * (last - first + SPACING_NS)}

    return _imported(f"{path.name.partition('.')[0]}-times-{times}", repeated())


def synthetic_tape(number: int, depth: int, spacing_ns: int = SPACING_NS) -> Path:
    """Return a tape of a synthetic market, a frame every so often, made where it is not there yet."""
    records = (
        {"recv_ns": START_NS + place * spacing_ns, "frame": frame}
        for place, frame in enumerate(frames(number, depth, spacing_ns))
    )
    return _imported(f"{number}-frames-{depth}-levels-{spacing_ns}-ns", records)


def add_segment(tape: Path, product: str, batch: pa.RecordBatch) -> None:
    """Append rows of one connection as a sealed segment in the tape's own format, without recording them.

    Its digests are none, and `verify` would say so.
    """
    rows = batch.num_rows
    first_seq, connection = batch.column("seq")[0].as_py(), batch.column("connection")[0].as_py()
    first, last = (batch.column("recv_time")[place].value for place in (0, rows - 1))
    directory = product_dir(tape, product)
    name = segment_file(first_seq, first)
    written = write_segment(directory / name, product, first_seq, rows, [batch])
    entry = SegmentEntry(
        file=name,
        first_seq=first_seq,
        rows=rows,
        first_recv_time=format_time(first),
        last_recv_time=format_time(last),
        connections=(connection, connection),
        bytes=written.bytes,
        sha256=written.sha256,
        digest=_NO_DIGEST,
        chain=_NO_DIGEST,
        chain_seq=first_seq,
    )
    append_entry(directory, entry)


def home() -> Path:
    """Return where benchmarks keep what the next run takes up again."""
    place = Path(tempfile.gettempdir()) / f"booktape-bench-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def _imported(name: str, records: Iterable[dict[str, object]]) -> Path:
    """Return the tape of that name, made of the records where it is not there yet."""
    tape = home() / name
    if tape.exists():
        return tape
    tell(f"making {tape}")
    with tempfile.TemporaryDirectory(dir=home()) as directory:
        capture = Path(directory) / "capture.jsonl"
        with capture.open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(record)}\n" for record in records)
        aside = Path(directory) / "tape"
        import_captures([capture], aside, "jsonl")
        shutil.move(aside, tape)
    return tape
