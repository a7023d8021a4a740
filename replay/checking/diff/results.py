"""The result of a `diff`: what differs between A and B, and where first."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa

from orderbook.document import Document
from orderbook.result import Result
from recorder.installed import tape_name, tapes_title
from replay.checking.diff.row_differences import RowDifference, StreamDiff, StreamDocument

Sort = Literal["tapes", "RUNs", "backtests"]

DIFF_SCHEMA: Final = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("product", "stream")),
        *(pa.field(name, pa.int64(), nullable=False) for name in ("rows_a", "rows_b", "equal", "differing")),
        *(pa.field(name, pa.int64(), nullable=False) for name in ("only_a", "only_b")),
        pa.field("first_seq", pa.int64()),
    ]
)
"""Columns of `Diff.table`."""


class DiffDocument(Document, frozen=True):
    """The JSON form of `Diff`.

    Attributes:
        equal: whether all rows are equal; the settings of RUNs may differ.
        products: the compared streams, by product and name.
    """

    a: str
    b: str
    sort: Sort
    equal: bool
    facts: dict[str, tuple[Any, Any]]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    uncompared: dict[str, str]
    products: dict[str, dict[str, StreamDocument]]


@dataclass(frozen=True, slots=True, repr=False)
class Diff(Result):
    """The differences between A and B.

    Attributes:
        a, b: the directories.
        sort: what both are.
        facts: values of A and B that differ: the feed of tapes; the tape, digest and settings of RUNs.
        only_a, only_b: products that only one has.
        streams: the compared streams, by product.
        uncompared: optional streams that only one RUN has, such as `depth`, and which one ("A" or "B").
    """

    a: Path
    b: Path
    sort: Sort
    facts: dict[str, tuple[object, object]]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    streams: tuple[StreamDiff, ...]
    uncompared: dict[str, str]

    @property
    def is_equal(self) -> bool:
        """Whether all rows are equal; the settings of RUNs may differ."""
        same_feed = self.sort != "tapes" or not self.facts
        rows_equal = all(stream.first is None for stream in self.streams)
        return same_feed and rows_equal and not self.only_a and not self.only_b

    def first_of(self, product: str | None = None) -> tuple[StreamDiff, RowDifference] | None:
        """Return the first difference by receive time, of one product or of all; None if equal."""

        def time(found: tuple[StreamDiff, RowDifference]) -> str:
            row = found[1].a or found[1].b or {}
            return str(row.get("recv_time") or row.get("time") or row.get("sent"))

        diverging = [
            (each, each.first) for each in self.streams if each.first and product in {None, each.product}
        ]
        return min(diverging, key=time, default=None)

    def summary(self) -> str:
        """Return one line: the two, and whether they are equal."""
        differing = sum(stream.first is not None for stream in self.streams)
        verdict = "equal" if self.is_equal else f"{differing} of {len(self.streams)} streams differ"
        return f"{tape_name(self.a)} and {tapes_title(self.b)} {verdict}"

    def table(self) -> pa.Table:
        """Return a row for each stream of each product, columns `DIFF_SCHEMA`."""
        counts = ("product", "stream", "rows_a", "rows_b", "equal", "differing", "only_a", "only_b")
        return pa.Table.from_pylist(
            [
                {name: getattr(stream, name) for name in counts}
                | {"first_seq": None if stream.first is None else stream.first.seq}
                for stream in self.streams
            ],
            DIFF_SCHEMA,
        )

    def _document(self) -> DiffDocument:
        products: dict[str, dict[str, StreamDocument]] = {}
        for stream in self.streams:
            products.setdefault(stream.product, {})[stream.stream] = stream.document()
        return DiffDocument.of(self, a=str(self.a), b=str(self.b), equal=self.is_equal, products=products)
