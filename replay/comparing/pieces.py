"""A comparison in pieces: each process takes runs of segments, and what they come to is merged exactly."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from recorder.runtime.loading import load_engine
from replay.comparing.passes import EpisodeWriter, Outcome, ProductTotal, Work, outcome_of
from replay.comparing.sweep.episode_rows import EpisodeRows
from replay.pieces.cutting import Piece, ProductPieces
from replay.pieces.reading import steps_of
from replay.pieces.workers import Workers
from replay.run_dir.writer import piece_files


@dataclass(frozen=True, slots=True)
class PieceWork:
    """One piece of a product of a tape; picklable."""

    work: Work
    tape: int
    product: str
    piece: Piece


@dataclass(slots=True)
class PieceTotal:
    """What came of a piece; picklable.

    Attributes:
        total: the sweep and the counts.
        episodes: the episodes at its ends, which are not written yet; None if none is wanted.
    """

    total: ProductTotal
    episodes: EpisodeRows | None

    def merge(self, later: "PieceTotal") -> None:
        """Add the piece that comes next, which cannot be used any more."""
        self.total.merge(later.total)
        if self.episodes is not None and later.episodes is not None:
            self.episodes.merge(later.episodes)


def run_pieces(work: Work, products: Sequence[ProductPieces], workers: Workers) -> Outcome:
    """Run the passes with their pieces divided among workers.

    Raises:
        LostProcessError: if a process died; and what `run_passes` raises.
    """
    sent = replace(work, tapes=[tape.without_listings() for tape in work.tapes])
    chains = [[PieceWork(sent, each.tape, each.product, piece) for piece in each.pieces] for each in products]
    totals: list[dict[str, ProductTotal]] = [{} for _ in work.tapes]
    for each, found in zip(products, workers.merged(run_piece, chains), strict=True):
        totals[each.tape][each.product] = found.total
        if found.episodes is not None:
            _write_ends(work, each, found.episodes)
    return outcome_of(work, totals)


def run_piece(each: PieceWork) -> PieceTotal:
    """Run a piece; its files are complete when this returns.

    Raises:
        TapeError: if the tape cannot be read.
        RunError: if episodes cannot be written.
    """
    work, tape, product = each.work, each.work.tapes[each.tape], each.product
    settings, engine = work.settings, load_engine(work.engine)
    total = ProductTotal(settings, is_piece=not each.piece.is_first)
    episodes = None
    with _episode_writer(work, each.tape) as writer:
        if writer is not None:
            episodes = EpisodeRows(work.episodes_of, settings.horizons_ns, is_piece=not each.piece.is_first)
        for step in steps_of(tape.product(product), each.piece, settings.window, engine):
            total.add(step)
            if writer is not None and episodes is not None:
                writer.write(product, episodes.add(step.summaries))
    return PieceTotal(total, episodes)


def _write_ends(work: Work, each: ProductPieces, episodes: EpisodeRows) -> None:
    """Write the episodes of a product that lie at the ends of its pieces."""
    with _episode_writer(work, each.tape, "-joined") as writer:
        if writer is not None:
            writer.write(each.product, episodes.pop_complete())
            writer.write(each.product, episodes.finish())


@contextmanager
def _episode_writer(work: Work, tape: int, label: str = "") -> Iterator[EpisodeWriter | None]:
    """Yield a writer of the episodes of a piece; None if none are written."""
    if work.writer is None or not work.episodes_of:
        yield None
        return
    # Pieces of another tape may have the same seq.
    with piece_files(work.writer, f"-{tape}{label}" if tape else label) as files:
        yield None if files is None else EpisodeWriter(files, work, work.tapes[tape])
