"""The frames of CSV files of Tardis: what the feed of a venue would have sent.

Rows of one symbol with the same local_timestamp were one message, and a snapshot that follows an update
begins another connection: so Tardis says of its files. A snapshot with no level but removed ones, and another
one after it, tells when a connection ended: so `booktape export` writes an interruption.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from orderbook.venues.columns import ColumnWriter, LevelColumns, TradeColumns
from recorder.captures.formats import CapturedFrame, OnTorn
from recorder.captures.tardis_lines import BOOK, TRADES
from recorder.captures.tardis_rows import Rows, TardisFile


class Message(NamedTuple):
    """A message of a product, its time in nanoseconds since 1970.

    Attributes:
        frame: its text; None if a connection ends here.
        is_reset: of an end: whether it is known only by the snapshot after it, or by the beginning of a file.
    """

    time: int
    product: str
    frame: str | None
    is_reset: bool = False


def merged(paths: Sequence[Path], writer: ColumnWriter, on_torn: OnTorn) -> Iterator[CapturedFrame]:
    """Yield the frames of files in the order of their times, trades before updates of the same time.

    Each product has a connection of its own; it ends with the book of a file.

    Raises:
        CaptureError: if a file cannot be read, or a line is not understood; it names both.
    """
    files = [TardisFile(path) for path in paths]
    for each in files:
        each.read_header()
    files.sort(key=lambda each: each.kind == BOOK)
    last_time: dict[str, int] = {}
    with_book: set[str] = set()
    streams = [messages(each, writer, on_torn) for each in files]
    with closing(merge(*streams, key=attrgetter("time"))) as found:
        for time, product, frame, is_reset in found:
            if frame is not None:
                last_time[product] = time
                yield CapturedFrame(time, frame, product)
                continue
            if product in with_book:
                yield CapturedFrame(last_time[product] if is_reset else time, None, product)
            with_book.add(product)


def messages(file: TardisFile, writer: ColumnWriter, on_torn: OnTorn) -> Iterator[Message]:
    """Yield the messages of a file in order; the first of each product in a book comes after a reset.

    Raises:
        CaptureError: if the file cannot be read, or a line is not understood; it names both.
    """
    blocks = file.blocks(on_torn)
    if file.kind == TRADES:
        for rows in blocks:
            trades = TradeColumns(rows.product, rows.time, rows.flag, rows.is_bid, rows.price, rows.size)
            texts = writer.trades(trades).to_pylist()
            yield from map(Message, _nanoseconds(rows.local), rows.product.to_pylist(), texts)
        return
    book, held = _Book(writer), None
    for block in blocks:
        rows = block if held is None else held.joined(block)
        found, taken = book.take(rows, is_last=False)
        yield from found
        held = rows.slice(taken)
        file.check_held(held)
    if held is not None:
        yield from book.take(held, is_last=True)[0]


class _Book:
    """Makes messages of the levels of a file."""

    def __init__(self, writer: ColumnWriter) -> None:
        self._writer = writer
        self._was_snapshot: dict[str, bool | None] = {}  # the last message; None if a connection ended

    def take(self, rows: Rows, *, is_last: bool) -> tuple[Iterator[Message], int]:
        """Return the messages that are whole, and the number of rows in them.

        Args:
            rows: those that were not taken before, and some more.
            is_last: whether no row follows them.
        """
        first = _message_starts(rows)
        products = rows.product.take(pa.array(first)).to_pylist()
        is_snapshot = np.asarray(rows.flag)[first]
        count = len(first) if is_last else len(first) - 1
        ends: set[int] = set()
        for place in _without_levels(rows, first, is_snapshot):
            following = next(
                (at for at in range(place + 1, len(first)) if products[at] == products[place]), None
            )
            if following is None and not is_last:
                count = min(count, place)
            elif following is None or is_snapshot[following]:
                ends.add(place)
        taken = int(first[count]) if count < len(first) else len(rows)
        return self._messages(rows, first, products, is_snapshot.tolist(), ends, count), taken

    def _messages(
        self,
        rows: Rows,
        first: Any,
        products: list[str],
        is_snapshot: list[bool],
        ends: set[int],
        count: int,
    ) -> Iterator[Message]:
        """Yield the messages before `count`; those in `ends` may tell that a connection ended."""
        stops = np.append(first, len(rows))
        levels = LevelColumns(
            pa.array(products, pa.string()),
            rows.time.take(pa.array(stops[1:] - 1)),
            pa.array(stops, pa.int32()),
            rows.is_bid,
            rows.price,
            rows.size,
        )
        updates = self._writer.updates(levels).to_pylist()
        times = _nanoseconds(rows.local.take(pa.array(first)))
        if not any(is_snapshot) and all(self._was_snapshot.get(each) is False for each in set(products)):
            yield from map(Message, times[:count], products, updates)  # of most blocks
            return
        snapshots = self._writer.snapshots(levels).to_pylist() if any(is_snapshot) else updates
        for place in range(count):
            time, product = times[place], products[place]
            was_snapshot = self._was_snapshot.get(product)
            if place in ends and product in self._was_snapshot and not was_snapshot:
                yield Message(time, product, None)
                self._was_snapshot[product] = None
                continue
            begins = is_snapshot[place] and not was_snapshot
            if product not in self._was_snapshot or (begins and was_snapshot is not None):
                yield Message(time, product, None, is_reset=True)
            yield Message(time, product, snapshots[place] if begins else updates[place])
            self._was_snapshot[product] = is_snapshot[place]


def _message_starts(rows: Rows) -> Any:
    """Return the places at which symbol, local_timestamp or the kind of message changes."""
    product = np.asarray(rows.product.dictionary_encode().indices)
    changed = np.zeros(len(rows) - 1, np.bool_)
    for column in (product, np.asarray(rows.local), np.asarray(rows.flag)):
        changed |= column[1:] != column[:-1]
    return np.concatenate([[0], np.flatnonzero(changed) + 1])


def _without_levels(rows: Rows, first: Any, is_snapshot: Any) -> list[int]:
    """Return the places of messages that are snapshots of removed levels only."""
    if not is_snapshot.any():
        return []
    return np.flatnonzero(is_snapshot & np.logical_and.reduceat(rows.is_zero, first)).tolist()


def _nanoseconds(microseconds: pa.Array) -> list[int]:
    found: list[int] = (np.asarray(microseconds) * 1000).tolist()
    return found
