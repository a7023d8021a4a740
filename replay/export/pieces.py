"""The export of a product, or of a piece of it, into files; here or as a worker does it.

Only the tables are written in pieces: their rows depend on the book alone. The other formats put events in
the order of the exchange, and some write one file a day, so they go by product.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orderbook.digest import Digest
from orderbook.engine import Engine, Step
from orderbook.trades import subscribes_to_trades
from recorder.installed import software
from recorder.runtime.loading import load_engine
from recorder.settings import EngineName
from recorder.tape.overview import overview
from recorder.tape.reader import Tape
from replay.export.collect import Collector, least_lag
from replay.export.hftbacktest import HftbacktestWriter
from replay.export.nautilus import NautilusWriter
from replay.export.parquet import ParquetWriter
from replay.export.passing import Part, parts_of_product
from replay.export.results import ExportedFile
from replay.export.settings import ExportSettings
from replay.export.tardis import TardisWriter
from replay.pieces.cutting import ProductPiece, cut_for_workers, whole_product
from replay.pieces.workers import Workers
from replay.run_dir.writer import RunError

Progress = Callable[[str, Step], None]


class Writer(Protocol):
    """Writes the files of one product."""

    def add(self, part: Part) -> None:
        """Add the next rows."""

    def close(self) -> list[ExportedFile]:
        """Finish all files, durable, and return them."""


@dataclass(frozen=True, slots=True)
class ExportWork:
    """What is exported; picklable."""

    tape: Tape
    settings: ExportSettings
    directory: Path
    engine: Engine | EngineName


@dataclass(slots=True)
class Outcome:
    """What was exported of adjacent pieces of a product; picklable.

    Attributes:
        found: what the rows hold.
        files: their files.
        lag, shift: as of `ExportedProduct`.
        is_begun: whether the first piece has rows, so that the book before the export is written there.
    """

    found: Collector
    files: list[ExportedFile] = field(default_factory=list)
    lag: int | None = None
    shift: int = 0
    is_begun: bool = False

    def merge(self, later: "Outcome") -> None:
        """Add the piece that comes next, which cannot be used any more."""
        self.found.merge(later.found)
        self.files += later.files


def export_pieces(work: ExportWork, workers: Workers) -> list[Outcome]:
    """Export the products by workers, and return what came of each."""
    settings, tape = work.settings, work.tape
    sent = ExportWork(
        tape.to_send(elsewhere=workers.are_elsewhere),
        settings,
        work.directory,
        workers.ready_engine(work.engine),
    )
    pieces, has_trades = [whole_product(0, product) for product in settings.products], False
    if settings.format == "parquet":
        has_trades = _has_trades(work)
        pieces = cut_for_workers(
            [(tape, settings.products)], settings.window, workers.width, at_connections=has_trades
        )
    found = workers.merged(export_piece, sent, pieces)
    for number, each in enumerate(pieces):
        if len(each.pieces) > 1 and not _is_certain(found[number], has_trades):
            for file in found[number].files:
                (work.directory / file.path).unlink()
            [found[number]] = workers.merged(export_piece, sent, [whole_product(0, each.product)])
    return found


def _is_certain(outcome: Outcome, has_trades: bool) -> bool:
    """Return whether pieces are as one pass: no trade came on a connection that did not subscribe to them."""
    found = outcome.found
    return outcome.is_begun and (
        has_trades or not (found.trades or found.trade_gaps or found.trades_repeated)
    )


def _has_trades(work: ExportWork) -> bool:
    """Return whether a connection subscribed to trades: those of one are judged together."""
    return any(
        subscribes_to_trades(work.tape.venue, each.opened.subscribe)
        for product in work.settings.products
        for each in overview(work.tape.product(product)).connections
    )


def export_piece(work: ExportWork, each: ProductPiece) -> Outcome:
    """Export a piece as a worker does; its files are complete when this returns.

    Raises:
        TapeError: if the tape cannot be read.
        RunError: if the directory is not there, as on a machine that does not share it.
    """
    if not work.directory.is_dir():
        raise RunError(
            f"{work.directory.parent}: export to a directory that all workers share", work.directory
        )
    return export_product(work, each, lambda: False)


def export_product(
    work: ExportWork, each: ProductPiece, is_stopped: Callable[[], bool], progress: Progress | None = None
) -> Outcome:
    """Export a piece of a product, or all of it, or until it is stopped."""
    tape, settings, piece = work.tape.product(each.product), work.settings, each.piece
    lag = least_lag(tape)
    outcome = Outcome(Collector() if piece.is_first else Collector(digest=Digest(None)), lag=lag)
    writer, outcome.shift = _writer(work, each.product, lag)
    parts = parts_of_product(
        tape, piece, settings.window, load_engine(work.engine), _depth(settings), progress or _ignore
    )
    for part in parts:
        if is_stopped():
            break
        outcome.found.add(part)
        writer.add(part)
    outcome.files, outcome.is_begun = writer.close(), outcome.found.rows > 0
    return outcome


def _writer(work: ExportWork, product: str, lag: int | None) -> tuple[Writer, int]:
    """Return the writer of a product, and the nanoseconds that it adds to times of receipt."""
    settings, directory = work.settings, work.directory
    if settings.format == "hftbacktest":
        writer = HftbacktestWriter(directory, product, lag)
        return writer, writer.ordering.shift
    if settings.format == "tardis":
        return TardisWriter(directory, product, settings.depth), 0
    if settings.format == "nautilus":
        return NautilusWriter(directory, product), 0
    return ParquetWriter(directory, product, settings, _metadata(work.tape)), 0


def _metadata(tape: Tape) -> Mapping[str, str]:
    """Return what the schema of a Parquet file tells of its tape."""
    return {"booktape": software(), "synthetic": "true" if tape.manifest.synthetic else "false"}


def _depth(settings: ExportSettings) -> int:
    """Return how many levels the pass must collect after every summary."""
    has_levels = settings.format == "tardis" or (settings.format == "parquet" and "depth" in settings.tables)
    return settings.depth if has_levels else 0


def _ignore(_product: str, _step: Step) -> None:
    """Do nothing: nobody watches."""
