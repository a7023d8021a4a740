"""A replay in pieces: each process takes runs of segments, and what came of them is merged exactly.

A piece runs as fast as possible and without a strategy, whose state would have to cross from piece to piece.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from orderbook.engine import Engine, Step
from orderbook.tally import Tally
from recorder.runtime.loading import load_engine
from recorder.settings import EngineName
from recorder.tape.reader import Tape
from replay.pieces.cutting import ProductPiece
from replay.pieces.reading import steps_of
from replay.run_dir.writer import RunWriter, piece_files
from replay.running.output import RunOutput
from replay.running.pacing import MAX_SPEED
from replay.running.results import RunResult
from replay.running.settings import ReplaySettings


class Collected(Protocol):
    """What a report shows of a product; picklable."""

    def add(self, step: Step, /) -> None:
        """Add the next step."""


class Collector(Protocol):
    """Makes what collects the steps of a product for a report; picklable."""

    def begin(self, product: str, /) -> Collected:
        """Return what collects the steps of a product, empty."""


class Watcher(Collector, Protocol):
    """Takes the steps of a replay for a report, here by a call or as workers have collected them."""

    def __call__(self, product: str, step: Step, /) -> None:
        """Add a step of a product, in seq order."""

    def to_send(self) -> Collector:
        """Return what workers need to collect the steps of a product."""

    def put(self, product: str, collected: Any, /) -> None:
        """Take what a worker has collected of a product."""


@dataclass(frozen=True, slots=True)
class PieceWork:
    """The work on each piece of a tape; picklable.

    Attributes:
        tape: the tape.
        settings: what is replayed.
        writer: of the RUN directory; None if nothing is written.
        keep: whether the tables come back.
        engine: runs the book.
        collector: collects what a report shows, of whole products alone.
    """

    tape: Tape
    settings: ReplaySettings
    writer: RunWriter | None
    keep: bool
    engine: Engine | EngineName
    collector: Collector | None = None


@dataclass(slots=True)
class WatchedResult:
    """The result of a whole product, and what a report shows of it; picklable."""

    result: RunResult
    collected: Collected

    def merge(self, _later: "WatchedResult") -> None:
        """Refuse what comes next: what a report shows is collected over all rows."""
        raise NotImplementedError


def is_divisible(settings: ReplaySettings, *, has_strategy: bool) -> bool:
    """Return whether a replay can be run in pieces: not if a strategy's state or a clock crosses them."""
    return settings.speed == MAX_SPEED and not settings.follow and not has_strategy


def run_watched(work: PieceWork, each: ProductPiece) -> WatchedResult:
    """Replay a whole product, and collect what a report shows of it; see `run_piece`."""
    assert work.collector is not None  # noqa: S101  the caller has one
    collected = work.collector.begin(each.product)
    return WatchedResult(run_piece(work, each, collected), collected)


def run_piece(work: PieceWork, each: ProductPiece, collected: Collected | None = None) -> RunResult:
    """Replay a piece; its files are complete when this returns.

    Args:
        work: what is done.
        each: the piece.
        collected: takes each step.

    Raises:
        TapeError: if the tape cannot be read.
        RunError: if a file cannot be written.
    """
    settings, engine = work.settings, load_engine(work.engine)
    tape = work.tape.product(each.product)
    tally = (
        Tally(settings.threshold, counts_trades=settings.trades)
        if each.piece.is_first
        else Tally.piece(settings.threshold)
    )
    result = RunResult(work.tape.path, settings, engine.name, {each.product: tally})
    with piece_files(work.writer) as files:
        output = RunOutput(settings.threshold, settings.trades, files, work.keep)
        for step in steps_of(
            tape,
            each.piece,
            settings.window,
            engine,
            depth=settings.depth,
            trades=settings.trades or collected is not None,
            batch_rows=settings.batch_rows,
        ):
            tally.add(step)
            if collected is not None:
                collected.add(step)
            if work.keep or files is not None:
                output.add(each.product, step)
    output.fill(result)
    return result
