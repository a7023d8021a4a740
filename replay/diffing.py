"""`diff`: what differs between two tapes, or between two RUN directories, row by row by seq."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import pyarrow as pa

from orderbook.errors import BooktapeError
from orderbook.schema import ANOMALY_SCHEMA, SUMMARY_SCHEMA, TAPE_SCHEMA
from recorder.tape.errors import TapeError, UnknownProductError
from recorder.tape.layout import MANIFEST
from recorder.tape.reader import Tape
from replay.row_diff import Divergence, RawRow, StreamDiff, plain_row
from replay.runfiles import DOCUMENT, Run

Sort = Literal["tapes", "RUNs"]

_COLUMNS: Mapping[Sort, frozenset[str]] = {
    "tapes": frozenset(TAPE_SCHEMA.names) - {"seq"},
    "RUNs": frozenset(SUMMARY_SCHEMA.names + ANOMALY_SCHEMA.names) - {"seq"},
}


class DiffError(BooktapeError):
    """The two cannot be compared."""


class IgnoreError(DiffError):
    """A column to be ignored is none of theirs."""


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs between A and B.

    Attributes:
        a, b: their directories.
        sort: what they are.
        facts: what each says of itself where that differs: the feed of a tape; the tape, the digest and
            the settings of a RUN.
        only_a, only_b: products that only one has.
        streams: each product's streams, in order of product.
        uncompared: streams besides those of every RUN that only one has, e.g. `depth`, and which one.
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
        """Whether every row is; the settings of RUNs may differ."""
        same_feed = self.sort == "RUNs" or not self.facts
        rows_equal = all(stream.first is None for stream in self.streams)
        return same_feed and rows_equal and not self.only_a and not self.only_b

    def first_of(self, product: str | None = None) -> tuple[StreamDiff, Divergence] | None:
        """Return the first divergence by receive time, of one product or of all; None where there is none."""

        def time(found: tuple[StreamDiff, Divergence]) -> str:
            row = found[1].a or found[1].b or {}
            return str(row.get("recv_time"))

        diverging = [
            (each, each.first) for each in self.streams if each.first and product in {None, each.product}
        ]
        return min(diverging, key=time, default=None)

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        products: dict[str, dict[str, object]] = {}
        for stream in self.streams:
            products.setdefault(stream.product, {})[stream.stream] = stream.document()
        return {
            "a": str(self.a),
            "b": str(self.b),
            "sort": self.sort,
            "equal": self.is_equal,
            "facts": self.facts,
            "only_a": self.only_a,
            "only_b": self.only_b,
            "uncompared": self.uncompared,
            "products": products,
        }


class _Side(Protocol):
    """One of the two."""

    @property
    def products(self) -> tuple[str, ...]: ...
    @property
    def streams(self) -> tuple[str, ...]: ...
    def batches(self, stream: str, product: str) -> Iterator[pa.RecordBatch]: ...


@dataclass(frozen=True, slots=True)
class _TapeSide:
    tape: Tape
    streams: tuple[str, ...] = ("rows",)

    @property
    def products(self) -> tuple[str, ...]:
        return self.tape.manifest.products

    def batches(self, stream: str, product: str) -> Iterator[pa.RecordBatch]:  # noqa: ARG002  it has but one
        return self.tape.product(product).batches()


def diff(
    a: Path | str, b: Path | str, products: tuple[str, ...] = (), ignored: frozenset[str] = frozenset()
) -> Diff:
    """Compare two tapes or two RUNs, whole, in one pass and in memory for a few batches.

    Rows are compared by their seq. How a tape is cut into segments and journal is of no account.

    Args:
        a: a directory.
        b: another.
        products: which; all where none is named.
        ignored: columns that are not compared.

    Raises:
        DiffError: where one is neither a tape nor a RUN, or they are not of one sort.
        IgnoreError: where a column to be ignored is none of theirs.
        UnknownProductError: where neither has a product that is named.
        TapeError, RunError: where one cannot be read.
    """
    a, b = Path(a), Path(b)
    sort = _sort_of(a)
    if _sort_of(b) != sort:
        tape, run = (a, b) if sort == "tapes" else (b, a)
        raise DiffError(f"{tape} is a tape and {run} a RUN: replay the tape with -o and compare two RUNs")
    for column in sorted(ignored - _COLUMNS[sort]):
        raise IgnoreError(f"{column!r} is none of the columns of {sort}: {', '.join(sorted(_COLUMNS[sort]))}")
    return _diff_tapes(a, b, products, ignored) if sort == "tapes" else _diff_runs(a, b, products, ignored)


def _sort_of(path: Path) -> Sort:
    if (path / MANIFEST).exists():
        return "tapes"
    if (path / DOCUMENT).exists():
        return "RUNs"
    raise DiffError(f"{path}: {'neither a tape nor a RUN' if path.exists() else 'no such tape or RUN'}")


def _diff_tapes(a: Path, b: Path, products: tuple[str, ...], ignored: frozenset[str]) -> Diff:
    left, right = Tape.open(a), Tape.open(b)
    facts = _differing({"feed": left.feed}, {"feed": right.feed})
    sides = _TapeSide(left), _TapeSide(right)
    only_a, only_b, streams = _compare(sides, ("rows",), products, ignored)
    return Diff(a, b, "tapes", facts, only_a, only_b, streams, {})


def _diff_runs(a: Path, b: Path, products: tuple[str, ...], ignored: frozenset[str]) -> Diff:
    left, right = runs = Run.open(a), Run.open(b)
    facts = _differing(*({"tape": str(run.tape), "digest": run.digest, **run.settings} for run in runs))
    tapes = [left.tape, right.tape]
    if left.tape.resolve() == right.tape.resolve():
        facts.pop("tape", None)
        tapes.pop()
    common = tuple(stream for stream in left.streams if stream in right.streams)
    uncompared = {stream: "A" for stream in left.streams if stream not in common}
    uncompared |= {stream: "B" for stream in right.streams if stream not in common}
    only_a, only_b, streams = _compare(runs, common, products, ignored)
    for stream in streams:
        if stream.first is not None:
            frames = tuple(_raw_row(tape, stream.product, stream.first.seq) for tape in tapes)
            stream.first = replace(stream.first, frames=frames)
    return Diff(a, b, "RUNs", facts, only_a, only_b, streams, uncompared)


def _differing(a: Mapping[str, object], b: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    names = [*a, *(name for name in b if name not in a)]
    return {name: (a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name)}


def _compare(
    sides: tuple[_Side, _Side], names: tuple[str, ...], products: tuple[str, ...], ignored: frozenset[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[StreamDiff, ...]]:
    """Return the products that only one has, and all streams of all products compared."""
    a, b = (frozenset(side.products) for side in sides)
    for product in products:
        if product not in a | b:
            raise UnknownProductError(
                f"neither has a product {product!r}; there are {', '.join(sorted(a | b))}"
            )
    wanted = frozenset(products) or a | b
    streams = []
    for product in sorted(wanted):
        for name in names:
            rows_a, rows_b = (
                side.batches(name, product) if product in side.products else iter(()) for side in sides
            )
            streams.append(StreamDiff(product, name, ignored).compare(rows_a, rows_b))
    return tuple(sorted((a - b) & wanted)), tuple(sorted((b - a) & wanted)), tuple(streams)


def _raw_row(path: Path, product: str, seq: int) -> RawRow:
    """Return a row of a tape, or why it cannot be read."""
    try:
        for batch in Tape.open(path).product(product).batches(first_seq=seq):
            return RawRow(str(path), plain_row(batch, 0))
    except TapeError as error:
        return RawRow(str(path), None, str(error))
    return RawRow(str(path), None, f"{path}: no row {seq} of {product}")
