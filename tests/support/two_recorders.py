"""A true stream of frames, recorded by several simulated recorders, and the oracle of their merged tape.

Every frame has its number in the true stream under a key that no decoder reads, so the oracle knows what is
missing and what comes twice. It shares no code with the merge.
"""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orderbook.connection_marks import Connected, Disconnected, encode_mark
from orderbook.engine import PlainEngine
from orderbook.times import format_time
from recorder.settings import SealPolicy
from recorder.tape.row_batches import RowTuple, numbered_batch
from recorder.tape.seal_threads import SealThreads
from recorder.tape.sealed_rows import SealedRows
from recorder.tape.writer import TapeWriter
from tests.support.constants import BTC, MS, START
from tests.support.tapes import tape_rows

Levels = dict[tuple[str, str], str]
"""Size by side and price, as texts."""


@dataclass(frozen=True)
class TrueFrame:
    """A frame of the true stream.

    Attributes:
        time: when the exchange sent it, in nanoseconds since START.
        text: its JSON as a dict.
        book: the whole book after it.
        trade_id: the last trade so far.
    """

    time: int
    text: dict[str, Any]
    book: Levels
    trade_id: int = 0


@dataclass(frozen=True)
class Line:
    """A connection of a recorder, by numbers of true frames: it has the snapshot of the first.

    Attributes:
        first, last: the frames.
        end: whether a row tells of its end.
    """

    first: int
    last: int
    end: bool = True


@dataclass
class Recorder:
    """A simulated recorder.

    Attributes:
        name: of its tape.
        lines: its connections, in order.
        offset: nanoseconds by which its clock is ahead.
        jitter: frames take up to so many nanoseconds.
        seed: of the jitter.
    """

    name: str
    lines: list[Line] = field(default_factory=list)
    offset: int = 0
    jitter: int = 5 * MS
    seed: int = 0


def true_stream(rng: random.Random, number: int, gap_ms: int = 40, prices: int = 40) -> list[TrueFrame]:
    """Return updates and trades of a small book, which often has the same levels again."""
    book: Levels = {("buy", str(100 - n)): "1" for n in range(1, prices)}
    book |= {("sell", str(100 + n)): "1" for n in range(1, prices)}
    time, trade_id, frames = 0, 1000, []
    for _ in range(number):
        time += rng.randrange(1, 2 * gap_ms) * MS
        if rng.random() < 0.2:
            trade_id += 1
            trade = {"type": "match", "trade_id": trade_id, "maker_order_id": "m", "taker_order_id": "t"}
            text: dict[str, Any] = {**trade, "side": "buy", "size": "1", "price": "99", "sequence": trade_id}
        else:
            changes = []
            for _ in range(rng.randrange(1, 4)):
                side = rng.choice(("buy", "sell"))
                step = rng.randrange(1, prices)
                price = str(100 - step if side == "buy" else 100 + step)
                size = rng.choice(("0", "1", "2", "2.50", f"{rng.random():.4f}"))
                changes.append([side, price, size])
                book.pop((side, price), None)
                if size.strip("0."):
                    book[side, price] = size
            text = {"type": "l2update", "changes": changes}
        frames.append(TrueFrame(time, text, dict(book), trade_id))
    return frames


def random_lines(rng: random.Random, number: int, mean_up: int, mean_down: int) -> list[Line]:
    """Return connections that are interrupted at random."""
    lines, place = [], rng.randrange(mean_down)
    while place < number - 2:
        last = min(number - 1, place + rng.randrange(1, 2 * mean_up))
        lines.append(Line(place, last, rng.random() < 0.8))
        place = last + 1 + rng.randrange(2 * mean_down)
    return lines


def record(directory: Path, recorder: Recorder, stream: Sequence[TrueFrame], segment_rows: int = 60) -> Path:
    """Write the tape of a recorder; return it."""
    return write_tape(directory / recorder.name, BTC, list(_rows(recorder, stream)), segment_rows)


def write_tape(
    tape: Path, product: str, rows: Sequence[RowTuple], segment_rows: int = 1000, feed: str = "exchange"
) -> Path:
    """Write a tape of rows; return it."""
    with TapeWriter.open(tape, feed, [product], "test", SealPolicy(), lambda: START):
        failures: list[Exception] = []
        seals = SealThreads(failures.append)
        sealed = SealedRows(tape, product, feed, PlainEngine(), SealPolicy(rows=segment_rows), seals)
        if rows:
            sealed.add(numbered_batch(0, rows))
            sealed.finish()
        seals.join()
        assert not failures
    return tape


def _rows(recorder: Recorder, stream: Sequence[TrueFrame]) -> Iterator[RowTuple]:
    rng = random.Random(f"{recorder.name}/{recorder.seed}")
    now = 0
    for number, line in enumerate(recorder.lines):

        def at(time: int, number: int = number) -> tuple[int, int]:
            nonlocal now
            now = max(now, START + time + recorder.offset + rng.randrange(1, recorder.jitter + 2))
            return now, number

        first = stream[line.first]
        opened = Connected(f"{recorder.name}-{number}", "wss://ws-feed.exchange.coinbase.com", [BTC])
        yield *at(first.time), "connected", encode_mark(opened)
        sides = {
            name: [[price, size] for (side, price), size in first.book.items() if side == kind]
            for name, kind in (("bids", "buy"), ("asks", "sell"))
        }
        snapshot = {"type": "snapshot", "product_id": BTC, **sides, "n": line.first}
        yield *at(first.time), "frame", json.dumps(snapshot)
        for place in range(line.first + 1, line.last + 1):
            frame = stream[place]
            time = format_time(START + frame.time + rng.randrange(-4, 5) * MS)
            text = {**frame.text, "product_id": BTC, "time": time, "n": place}
            yield *at(frame.time), "frame", json.dumps(text)
        if line.end:
            yield *at(stream[line.last].time), "disconnected", encode_mark(Disconnected(1006, "cut"))


@dataclass(frozen=True)
class MergedLine:
    """The true frames that a merged connection has, from its snapshot on."""

    first: int
    last: int


def check_merged(tape: Path, stream: Sequence[TrueFrame]) -> list[MergedLine]:
    """Check each connection of a merged tape against the truth; return them.

    Its frames follow one another in the true stream, none missing and none twice, and its book is the true
    one after each of them. Times do not go back.
    """
    lines: list[MergedLine] = []
    place: int | None = None
    first, last_time = 0, 0
    book: Levels = {}
    for row in tape_rows(tape, BTC):
        assert row.recv_time >= last_time
        last_time = row.recv_time
        if row.kind != "frame":
            if place is not None:
                lines.append(MergedLine(first, place))
            place = None
            continue
        text = json.loads(row.payload)
        if text["type"] == "snapshot":
            assert place is None
            place = first = text["n"]
            book = {("buy", price): size for price, size in text["bids"]}
            book |= {("sell", price): size for price, size in text["asks"]}
        else:
            assert place is not None
            assert text["n"] == place + 1
            place += 1
            for side, price, size in text.get("changes", ()):
                book.pop((side, price), None)
                if size.strip("0."):
                    book[side, price] = size
        assert book == stream[place].book
    if place is not None:
        lines.append(MergedLine(first, place))
    return lines


def covered(lines: Iterable[Line | MergedLine]) -> set[int]:
    """Return the numbers of the frames that connections have."""
    return {place for line in lines for place in range(line.first, line.last + 1)}
