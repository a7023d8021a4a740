"""`diff`: the differences between two tapes, or two RUN directories, row by row by seq."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from os.path import realpath
from pathlib import Path
from typing import Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from orderbook.errors import BooktapeError, OptionError
from orderbook.schema import FLOW_ANOMALY_SCHEMA, FLOW_SUMMARY_SCHEMA, TAPE_SCHEMA
from recorder.tape.errors import TapeError, UnknownProductError
from recorder.tape.format.layout import MANIFEST
from recorder.tape.reader import Tape
from recorder.tape.store.files import exists
from replay.checking.diff import backtests
from replay.checking.diff.results import Diff, Sort
from replay.checking.diff.row_differences import RawRow, StreamDiff, plain_row
from replay.run_dir.backtests import BacktestRun, is_backtest
from replay.run_dir.reader import DOCUMENT, Run

_COLUMNS: Mapping[Sort, frozenset[str]] = {
    "tapes": frozenset(TAPE_SCHEMA.names) - {"seq"},
    "RUNs": frozenset(FLOW_SUMMARY_SCHEMA.names + FLOW_ANOMALY_SCHEMA.names) - {"seq"},
    "backtests": backtests.COLUMNS,
}


class DiffError(BooktapeError):
    """Two directories that cannot be compared."""


class _Side(Protocol):
    """A tape or a RUN."""

    @property
    def products(self) -> tuple[str, ...]: ...
    def batches(self, stream: str, product: str) -> Iterator[pa.RecordBatch]: ...


@dataclass(frozen=True, slots=True)
class _TapeSide:
    tape: Tape
    frames: bool

    @property
    def products(self) -> tuple[str, ...]:
        return self.tape.manifest.products

    def batches(self, stream: str, product: str) -> Iterator[pa.RecordBatch]:  # noqa: ARG002  a tape has one stream
        batches = self.tape.product(product).batches()
        return _numbered_frames(batches) if self.frames else batches


def _numbered_frames(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the frames, with their number among the frames in place of seq; marks are left out."""
    number = 0
    for batch in batches:
        frames = batch.filter(pc.equal(batch.column("kind"), "frame"))
        numbers = pa.array(range(number, number + frames.num_rows), pa.int64())
        number += frames.num_rows
        yield frames.set_column(0, batch.schema.field("seq"), numbers)


def diff(
    a: str | PathLike[str],
    b: str | PathLike[str],
    *,
    products: str | Iterable[str] = (),
    ignore: Collection[str] = (),
    frames: bool = False,
) -> Diff:
    """Compare two whole tapes or two RUNs in one pass, in memory for a few batches.

    Rows are compared by seq. It does not matter how a tape is divided into segments and a journal.

    Args:
        a: a directory.
        b: another one.
        products: product ids; all if none is named.
        ignore: columns that are not compared.
        frames: compare the payloads of the frames of two tapes alone, in their order.

    Raises:
        DiffError: if one is neither a tape nor a RUN, or one is a tape and the other a RUN.
        OptionError: if a column to ignore does not exist.
        UnknownProductError: if neither has one of the products.
        TapeError, RunError: if one cannot be read.
    """
    a, b = (each if isinstance(each, Path) else Path(each) for each in (a, b))
    sort = _sort_of(a)
    if (other := _sort_of(b)) != sort:
        raise DiffError(_of_two_sorts(a, sort, b, other))
    unknown = set(ignore) - _COLUMNS[sort]
    for column in sorted(each for each in unknown if sort != "backtests" or not each.startswith("markout_")):
        known = ", ".join(sorted(_COLUMNS[sort]))
        raise OptionError(f"{column!r} is not a column of {sort}: {known}", option="ignore", value=column)
    wanted = (products,) if isinstance(products, str) else tuple(products)
    if sort == "tapes":
        return _diff_tapes(a, b, wanted, frozenset(ignore), frames)
    if frames:
        raise OptionError("a RUN has no frames: name two tapes", option="frames", value=frames)
    if sort == "backtests":
        return _diff_backtests(a, b, wanted, frozenset(ignore))
    return _diff_runs(a, b, wanted, frozenset(ignore))


def _sort_of(path: Path) -> Sort:
    if exists(path / MANIFEST):
        return "tapes"
    if exists(path / "thresholds.parquet"):
        raise DiffError(f"{path} is a RUN of compare: name RUNs of replay or backtest, or two tapes")
    if exists(path / DOCUMENT):
        return "backtests" if is_backtest(path) else "RUNs"
    raise DiffError(f"{path}: {'neither a tape nor a RUN' if exists(path) else 'no such tape or RUN'}")


def _of_two_sorts(a: Path, sort: Sort, b: Path, other: Sort) -> str:
    """Return why two directories are not compared, and what to do about it."""
    if "tapes" not in {sort, other}:
        run, backtest = (a, b) if other == "backtests" else (b, a)
        return f"{run} is of a replay and {backtest} of a backtest: compare two of one kind"
    tape, run = (a, b) if sort == "tapes" else (b, a)
    return f"{tape} is a tape and {run} a RUN: replay the tape with -o and compare two RUNs"


def _diff_tapes(a: Path, b: Path, products: tuple[str, ...], ignored: frozenset[str], frames: bool) -> Diff:
    tapes = Tape.open(a), Tape.open(b)
    facts = _differing(*({"feed": tape.feed} for tape in tapes))
    sides = _TapeSide(tapes[0], frames), _TapeSide(tapes[1], frames)
    if frames:
        ignored = _COLUMNS["tapes"] - {"payload"}
    only_a, only_b, streams = _compare(sides, ("frames" if frames else "rows",), products, ignored)
    return Diff(a, b, "tapes", facts, only_a, only_b, streams, {})


def _diff_runs(a: Path, b: Path, products: tuple[str, ...], ignored: frozenset[str]) -> Diff:
    runs = Run.open(a), Run.open(b)
    facts = _differing(*({"tape": str(run.tape), "digest": run.digest, **run.settings} for run in runs))
    tapes = [run.tape for run in runs]
    if realpath(tapes[0]) == realpath(tapes[1]):
        facts.pop("tape", None)
        tapes.pop()
    streams_a, streams_b = (run.streams for run in runs)
    common = tuple(stream for stream in streams_a if stream in streams_b)
    uncompared = {stream: "A" for stream in streams_a if stream not in common}
    uncompared |= {stream: "B" for stream in streams_b if stream not in common}
    only_a, only_b, streams = _compare(runs, common, products, ignored)
    for stream in streams:
        if stream.first is not None:
            frames = tuple(_raw_row(tape, stream.product, stream.first.seq) for tape in tapes)
            stream.first = msgspec.structs.replace(stream.first, frames=frames)
    return Diff(a, b, "RUNs", facts, only_a, only_b, streams, uncompared)


def _diff_backtests(a: Path, b: Path, products: tuple[str, ...], ignored: frozenset[str]) -> Diff:
    runs = BacktestRun.open(a), BacktestRun.open(b)
    facts = _differing(*(run.facts for run in runs))
    tapes_a, tapes_b = ([str(tape) for tape in run.tapes] for run in runs)
    if list(map(realpath, tapes_a)) != list(map(realpath, tapes_b)):
        facts = {"tape": (", ".join(tapes_a), ", ".join(tapes_b)), **facts}
    only_a, only_b, wanted = _products(runs, products)
    streams = (each for product in wanted for each in backtests.lane_streams(*runs, product, ignored))
    return Diff(a, b, "backtests", facts, only_a, only_b, tuple(streams), {})


def _differing(a: Mapping[str, object], b: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    names = [*a, *(name for name in b if name not in a)]
    return {name: (a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name)}


def _compare(
    sides: tuple[_Side, _Side], names: tuple[str, ...], products: tuple[str, ...], ignored: frozenset[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[StreamDiff, ...]]:
    """Return the products that only A or only B has, and the compared streams of all products."""
    only_a, only_b, wanted = _products(sides, products)
    streams = []
    for product in wanted:
        for name in names:
            rows_a, rows_b = (
                side.batches(name, product) if product in side.products else iter(()) for side in sides
            )
            streams.append(StreamDiff(product, name, ignored).compare(rows_a, rows_b))
    return only_a, only_b, tuple(streams)


class _WithProducts(Protocol):
    @property
    def products(self) -> tuple[str, ...]: ...


def _products(
    sides: tuple[_WithProducts, _WithProducts], products: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...], list[str]]:
    """Return the products that only A or only B has, and those to compare."""
    a, b = (frozenset(side.products) for side in sides)
    for product in products:
        if product not in a | b:
            held = tuple(sorted(a | b))
            message = f"neither has a product {product!r}; there are {', '.join(held)}"
            raise UnknownProductError(message, product=product, choices=held)
    wanted = frozenset(products) or a | b
    return tuple(sorted((a - b) & wanted)), tuple(sorted((b - a) & wanted)), sorted(wanted)


def _raw_row(path: Path, product: str, seq: int) -> RawRow:
    """Return a row of a tape, or the reason why it cannot be read."""
    try:
        for batch in Tape.open(path).product(product).batches(first_seq=seq):
            return RawRow(str(path), plain_row(batch, 0))
    except TapeError as error:
        return RawRow(str(path), None, str(error))
    return RawRow(str(path), None, f"{path}: no row {seq} of {product}")
