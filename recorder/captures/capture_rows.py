"""The rows of captures: the same that a recording of their connections would have written."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Final

import pyarrow as pa
from msgspec import UNSET

from orderbook.anomalies import is_foreign
from orderbook.connection_marks import Connected, Disconnected, encode_mark
from orderbook.continuity import is_gap
from orderbook.schema import Kind
from orderbook.times import NS
from orderbook.venues.registry import venue
from recorder.captures.capture import Capture
from recorder.captures.reading import leave_out, read_files
from recorder.captures.survey import Survey
from recorder.live.queue import Received
from recorder.live.receiving import new_connection_id
from recorder.settings import IMPORT, ImportSettings
from recorder.tape.row_batches import Position, RowNumbering

Item = tuple[str, pa.RecordBatch]

NO_STATUS: Final = 1005
"""Close code of an end without a close frame."""


class _OpenConnection:
    """What is told of a connection when it ends.

    Attributes:
        last_number, gaps: the last sequence_num of any product, and the gaps before it.
        clamped: by product, number of rows whose time was raised, and by how much at most.
        oddities: by product, see `orderbook.anomalies`.

    Args:
        subscribed: the products that it asked for; none if that is not known.
    """

    def __init__(self, subscribed: Collection[str] = ()) -> None:
        self.subscribed = subscribed
        self.oddities: dict[str, Counter[str]] = {}
        self.last_number: int | None = None
        self.gaps = 0
        self.clamped: dict[str, tuple[int, int]] = {}

    def clamp(self, product: str, nanoseconds: int) -> None:
        """Count a row whose time was raised."""
        rows, most = self.clamped.get(product, (0, 0))
        self.clamped[product] = rows + 1, max(most, nanoseconds)

    def mark(self, product: str, reason: str, *, is_shared: bool) -> Disconnected:
        """Return the mark that ends the connection for a product."""
        is_counted = is_shared and self.last_number is not None
        rows, most = self.clamped.get(product, (0, 0))
        return Disconnected(
            NO_STATUS,
            reason,
            self.gaps if is_counted else UNSET,
            rows or UNSET,
            most / NS if rows else UNSET,
            dict(self.oddities.get(product, {})) or UNSET,
        )


class CaptureRows:
    """The rows of all products, in the order of the captures.

    Attributes:
        clamped: number of rows whose time was before that of the product's last row, and was raised to it.
        gaps: number of gaps in sequence_num, which counts the frames of a connection over all its products.
        oddities: by product, numbers of what was odd and left the book as it is, see `orderbook.anomalies`.
    """

    def __init__(
        self, survey: Survey, positions: Mapping[str, Position], settings: ImportSettings = IMPORT
    ) -> None:
        self._survey = survey
        self._settings = settings
        self._venue = venue(survey.feed)
        self._numbering = {product: RowNumbering(position.seq) for product, position in positions.items()}
        self._last_time = {product: position.recv_time for product, position in positions.items()}
        self._connection = {product: position.connection - 1 for product, position in positions.items()}
        self._open: dict[str, _OpenConnection] = {}  # by product
        self.clamped = 0
        self.gaps = 0
        self.oddities: dict[str, Counter[str]] = {}
        self._stopped = False

    def stop(self) -> None:
        """End after the lines that were read."""
        self._stopped = True

    def items(self) -> Iterator[list[Item]]:
        """Yield the batches of some thousand rows, bounded in bytes, one per product.

        Raises:
            CaptureError: if a file has changed since the survey.
        """
        for capture in self._survey.captures:
            if self._stopped:
                return
            rows = self._rows(capture)
            while received := self._next_rows(rows):
                yield [(product, self._numbering[product].batch(mine)) for product, mine in received.items()]

    def _next_rows(self, rows: Iterator[tuple[str, Received]]) -> dict[str, list[Received]]:
        """Return the next rows by product; none at the end."""
        received: dict[str, list[Received]] = {}
        size = 0
        for product, row in islice(rows, self._settings.batch_rows):
            received.setdefault(product, []).append(row)
            size += len(row.payload)
            if size >= self._settings.batch_bytes:
                break
        return received

    def _rows(self, capture: Capture) -> Iterator[tuple[str, Received]]:
        """Yield (product, row) for every frame and for the start and end of every connection."""
        subscribed = iter(capture.subscribed)
        time = 0
        self._open.clear()
        for time, frame, product in read_files(
            capture.paths, self._settings.form, self._survey.writer, leave_out
        ):
            if self._stopped:
                break
            members = capture.products if product is None else (product,)
            if frame is None:
                yield from self._end(members, time, "a disconnect in the capture")
                continue
            if members[0] not in self._open:
                opened = _OpenConnection(next(subscribed) if product is None else ())
                self._open |= dict.fromkeys(members, opened)
                mark = Connected(
                    new_connection_id(),
                    capture.name,
                    list(members),
                    made_from=capture.made_from or UNSET,
                )
                for each in members:
                    self._connection[each] += 1
                    yield each, self._row(each, time, "connected", encode_mark(mark))
            if product is not None:
                yield product, self._row(product, time, "frame", frame)
                continue
            opened = self._open[members[0]]
            self._check_sequence(frame, opened)
            named = self._venue.products_named(frame)
            self._check_subscribed(frame, named, opened)
            for each in named or members:
                yield each, self._row(each, time, "frame", frame)
        torn = "the capture is torn here: its recorder died" if capture.torn else ""
        reason = "the import was stopped" if self._stopped else torn or "the end of the capture"
        if capture.made_from:
            for each in capture.products:
                yield from self._end((each,), self._last_time[each], reason)
        else:
            yield from self._end(capture.products, time, reason)

    def _check_sequence(self, frame: str, opened: _OpenConnection) -> None:
        """Count a gap in sequence_num, over all products of the connection."""
        number = self._venue.sequence_num(frame) if self._venue.is_numbered else None
        if number is not None:
            self.gaps += is_gap(opened.last_number, number)
            opened.gaps += is_gap(opened.last_number, number)
            opened.last_number = number

    def _check_subscribed(self, frame: str, named: tuple[str, ...], opened: _OpenConnection) -> None:
        """Count a frame of products that were not asked for, under each of them."""
        subscribed = opened.subscribed
        if subscribed and is_foreign(self._venue, frame, named, subscribed):
            for product in named:
                opened.oddities.setdefault(product, Counter())["foreign_frames"] += 1
                self.oddities.setdefault(product, Counter())["foreign_frames"] += 1

    def _end(self, products: tuple[str, ...], time: int, reason: str) -> Iterator[tuple[str, Received]]:
        """Yield the end of the connection that products share, if it is open."""
        for product in products:
            if product in self._open:
                mark = self._open[product].mark(product, reason, is_shared=len(products) > 1)
                yield product, self._row(product, time, "disconnected", encode_mark(mark))
        for product in products:
            self._open.pop(product, None)

    def _row(self, product: str, time: int, kind: Kind, payload: str) -> Received:
        last = self._last_time[product]
        if time < last:
            self.clamped += 1
            self._open[product].clamp(product, last - time)
            time = last
        self._last_time[product] = time
        return Received(time, self._connection[product], kind, payload)
