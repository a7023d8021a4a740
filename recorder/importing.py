"""Captures as tape rows: the same as a recording of these connections would have made."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

import pyarrow as pa

from orderbook.decoder import sequence_num
from orderbook.marks import Connected, Disconnected, encode_mark
from orderbook.schema import Kind
from recorder.captures import read_capture
from recorder.inbox import Received
from recorder.naming import products_named
from recorder.reader import new_connection_id
from recorder.rows import RowNumbering
from recorder.survey import Capture, Survey
from recorder.tape.position import Position

Item = tuple[str, pa.RecordBatch]

_LINES: Final = 4096
"""Lines of a capture that become one item a product."""

NO_STATUS = 1005


class CaptureRows:
    """The rows of all products, in the order of the captures; counts the times that had to be clamped.

    Attributes:
        clamped: rows whose time would have gone back within their product.
        gaps: jumps of sequence_num: it counts a whole connection, so only here all of it is seen.
    """

    def __init__(self, survey: Survey, positions: Mapping[str, Position]) -> None:
        self._survey = survey
        self._numbering = {product: RowNumbering(position.seq) for product, position in positions.items()}
        self._last_time = {product: position.recv_time for product, position in positions.items()}
        self._connection = {product: position.connection - 1 for product, position in positions.items()}
        self.clamped = 0
        self.gaps = 0
        self._stopped = False

    def stop(self) -> None:
        """End after the items at hand: the tape cannot take more."""
        self._stopped = True

    def items(self) -> Iterator[list[Item]]:
        """Yield one batch a product for every few thousand lines.

        Raises:
            CaptureError: where a file changed since it was surveyed.
        """
        for capture in self._survey.captures:
            if self._stopped:
                return
            rows = self._rows(capture)
            while gathered := list(islice(rows, _LINES)):
                received: dict[str, list[Received]] = {}
                for product, row in gathered:
                    received.setdefault(product, []).append(row)
                yield [(product, self._numbering[product].batch(lane)) for product, lane in received.items()]

    def _rows(self, capture: Capture) -> Iterator[tuple[str, Received]]:
        """Yield (product, row) for every frame, and for the beginning and end of every connection."""
        everyone = capture.products
        is_open = False
        time = 0
        sequence: int | None = None
        for time, frame in read_capture(capture.path, capture.capture_format):
            if self._stopped:
                break
            if not is_open and frame is not None:
                opened = encode_mark(Connected(new_connection_id(), capture.path.name, list(everyone)))
                for product in everyone:
                    self._connection[product] += 1
                    yield product, self._row(product, time, "connected", opened)
                is_open, sequence = True, None
            if frame is not None:
                sequence = self._follow(sequence, frame)
                for product in products_named(frame) or everyone:
                    yield product, self._row(product, time, "frame", frame)
            elif is_open:
                yield from self._ending(everyone, time, "a disconnect in the capture")
                is_open = False
        if is_open:
            reason = "the import was stopped" if self._stopped else "the end of the capture"
            yield from self._ending(everyone, time, reason)

    def _follow(self, last: int | None, frame: str) -> int | None:
        """Count a jump of sequence_num; return the last one seen."""
        number = sequence_num(frame) if self._survey.feed == "advanced" else None
        if number is None:
            return last
        self.gaps += last is not None and number != last + 1
        return number

    def _ending(self, products: tuple[str, ...], time: int, reason: str) -> Iterator[tuple[str, Received]]:
        for product in products:
            yield (
                product,
                self._row(product, time, "disconnected", encode_mark(Disconnected(NO_STATUS, reason))),
            )

    def _row(self, product: str, time: int, kind: Kind, payload: str) -> Received:
        last = self._last_time[product]
        if time < last:
            self.clamped += 1
            time = last
        self._last_time[product] = time
        return Received(time, self._connection[product], kind, payload)
