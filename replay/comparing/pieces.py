"""A piece of a comparison, as a worker runs it: importing this module imports no flow and no results."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from recorder.runtime.loading import load_engine
from recorder.tape.connections import ConnectionCollector
from replay.comparing.sweep.episode_rows import EpisodeRows
from replay.comparing.totals import Collected, EpisodeWriter, ProductTotal, Work
from replay.pieces.cutting import ProductPiece
from replay.pieces.reading import steps_of
from replay.run_dir.writer import piece_files
from replay.running.window import WHOLE


@dataclass(slots=True)
class PieceTotal:
    """What came of a piece; picklable.

    Attributes:
        total: the sweep and the counts.
        episodes: the episodes at its ends, which are not written yet; None if none is wanted.
        collected: what a report shows of it, if it is a whole product: it is not merged.
        connections: those of its rows; None if not all rows of the tape are read.
    """

    total: ProductTotal
    episodes: EpisodeRows | None
    collected: Collected | None = None
    connections: ConnectionCollector | None = None

    def merge(self, later: "PieceTotal") -> None:
        """Add the piece that comes next, which cannot be used any more."""
        self.total.merge(later.total)
        if self.episodes is not None and later.episodes is not None:
            self.episodes.merge(later.episodes)
        if self.connections is not None and later.connections is not None:
            self.connections.merge(later.connections)


def run_piece(work: Work, each: ProductPiece) -> PieceTotal:
    """Run a piece; its files are complete when this returns.

    Raises:
        TapeError: if the tape cannot be read.
        RunError: if episodes cannot be written.
    """
    tape, product = work.tapes[each.tape], each.product
    settings, engine = work.settings, load_engine(work.engine)
    total = ProductTotal(settings, is_piece=not each.piece.is_first)
    episodes = None
    collected: Collected | None = work.collectors[each.tape].begin(product) if work.collectors else None
    connections = ConnectionCollector() if settings.window == WHOLE else None
    seen = None if connections is None else connections.add
    has_rows = False
    with episode_writer(work, each.tape) as writer:
        if writer is not None:
            episodes = EpisodeRows(work.episodes_of, settings.horizons_ns, is_piece=not each.piece.is_first)
        for step in steps_of(
            tape.product(product), each.piece, settings.window, engine, prepared=collected, seen=seen
        ):
            total.add(step)
            has_rows = True
            if collected is not None:
                collected.add(step)
            if writer is not None and episodes is not None:
                writer.write(product, episodes.add(step.summaries))
    return PieceTotal(total, episodes, collected if has_rows else None, connections)


@contextmanager
def episode_writer(work: Work, tape: int, label: str = "") -> Iterator[EpisodeWriter | None]:
    """Yield a writer of the episodes of a piece; None if none are written."""
    if work.writer is None or not work.episodes_of:
        yield None
        return
    # Pieces of another tape may have the same seq.
    with piece_files(work.writer, f"-{tape}{label}" if tape else label) as files:
        yield None if files is None else EpisodeWriter(files, work, tape)
