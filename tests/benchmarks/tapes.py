"""Tapes for the benchmarks, which are written once and kept for later runs."""

import gzip
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from orderbook.digest import BLOCK
from orderbook.times import NS, format_time
from orderbook.venues.base import TextTrade
from orderbook.venues.exchange.server import ExchangeServer
from recorder.api import import_captures
from recorder.tape.format.layout import product_dir, segment_file
from recorder.tape.format.segment_entry import SegmentEntry
from recorder.tape.format.segment_list import append_entry
from recorder.tape.format.segment_writer import write_segment
from replay.synthetic.market import SyntheticMarket
from replay.synthetic.settings import MarketSettings
from tests.benchmarks.measuring import print_line
from tests.support.tool_environments import cache_dir

START_NS = 1_767_225_600 * NS  # 2026-01-01
SPACING_NS = 20_000_000

_NO_DIGEST = "0" * 64


def frames(number: int, depth: int, spacing_ns: int) -> Iterator[str]:
    """Yield a snapshot and `number` updates of a synthetic market."""
    market = SyntheticMarket(MarketSettings(depth=depth, tick="0.01"))
    server = ExchangeServer()
    yield server.snapshot("BTC-USD", *market.snapshot(), START_NS)
    for place in range(1, number + 1):
        yield server.update("BTC-USD", market.update(), START_NS + place * spacing_ns)


def repeated_capture(path: Path, times: int) -> Path:
    """Return a tape of a capture repeated `times` times, each time from its snapshots on."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    first, last = records[0]["recv_ns"], records[-1]["recv_ns"]

    def repeated() -> Iterator[dict[str, object]]:
        for time in range(times):
            for record in records:
                yield {**record, "recv_ns": record["recv_ns"] + time * (last - first + SPACING_NS)}

    return _imported(f"{path.name.partition('.')[0]}-times-{times}", repeated())


def synthetic_tape(number: int, depth: int, spacing_ns: int = SPACING_NS) -> Path:
    """Return a tape of a synthetic market with a frame every `spacing_ns` nanoseconds."""
    records = (
        {"recv_ns": START_NS + place * spacing_ns, "frame": frame}
        for place, frame in enumerate(frames(number, depth, spacing_ns))
    )
    return _imported(f"{number}-frames-{depth}-levels-{spacing_ns}-ns", records)


def traded_tape(number: int, depth: int, spacing_ns: int = SPACING_NS) -> Path:
    """Return a tape of a synthetic market that also tells its trades, each just after its update."""
    market, server = SyntheticMarket(MarketSettings(depth=depth, tick="0.01")), ExchangeServer()

    def records() -> Iterator[dict[str, object]]:
        snapshot = server.snapshot("BTC-USD", *market.snapshot(), START_NS)
        yield {"recv_ns": START_NS, "frame": snapshot}
        for place in range(1, number + 1):
            time = START_NS + place * spacing_ns
            yield {"recv_ns": time, "frame": server.update("BTC-USD", market.update(), time)}
            trades = [TextTrade(*each, time) for each in market.trades]
            for frame in server.trades("BTC-USD", trades, time):
                yield {"recv_ns": time + 1, "frame": frame}

    return _imported(f"{number}-frames-and-trades-{depth}-levels-{spacing_ns}-ns", records())


def add_segment(tape: Path, product: str, batch: pa.RecordBatch) -> None:
    """Append rows of one connection as a sealed segment, without recording them.

    The segment has no valid digests, which `verify` would report.
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
        chain_seq=(first_seq + rows - 1) // BLOCK * BLOCK,
    )
    append_entry(directory, entry)


def _imported(name: str, records: Iterable[dict[str, object]]) -> Path:
    """Return the tape of this name; import it from the records if it does not exist yet."""
    tape = cache_dir() / name
    if tape.exists():
        return tape
    print_line(f"writing {tape}")
    with tempfile.TemporaryDirectory(dir=cache_dir()) as directory:
        capture = Path(directory) / "capture.jsonl"
        with capture.open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(record)}\n" for record in records)
        unfinished = Path(directory) / "tape"
        import_captures([capture], unfinished)
        shutil.move(unfinished, tape)
    return tape
