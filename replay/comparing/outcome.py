"""The outcome of the passes of a comparison, and the passes whose pieces workers run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from recorder.tape.overview import keep_overview
from replay.comparing.groups import Pass, groups_of
from replay.comparing.pieces import episode_writer, run_piece
from replay.comparing.results import Group, TapePass
from replay.comparing.sweep.episode_rows import EpisodeRows
from replay.comparing.totals import ProductTotal, Work
from replay.pieces.cutting import ProductPieces
from replay.pieces.workers import Workers


@dataclass(frozen=True, slots=True)
class Outcome:
    """The counts of each tape, and the groups in the order of `Comparison.groups`."""

    tapes: list[TapePass]
    groups: list[Group]


def run_pieces(work: Work, products: Sequence[ProductPieces], workers: Workers) -> Outcome:
    """Run the passes with their pieces divided among workers.

    Raises:
        LostProcessError: if a process died; and what `run_passes` raises.
    """
    sent = replace(work, tapes=[tape.to_send(elsewhere=workers.are_elsewhere) for tape in work.tapes])
    totals: list[dict[str, ProductTotal]] = [{} for _ in work.tapes]
    for each, found in zip(products, workers.merged(run_piece, sent, products), strict=True):
        totals[each.tape][each.product] = found.total
        if found.collected is not None:
            work.collectors[each.tape].put(each.product, found.collected)
        if found.episodes is not None:
            _write_ends(work, each, found.episodes)
        if found.connections is not None:  # which verdicts need
            stored = work.tapes[each.tape].product(each.product)
            keep_overview(stored, found.total.tally.rows, found.connections)
    return outcome_of(work, totals)


def _write_ends(work: Work, each: ProductPieces, episodes: EpisodeRows) -> None:
    """Write the episodes of a product that lie at the ends of its pieces."""
    with episode_writer(work, each.tape, "-joined") as writer:
        if writer is not None:
            writer.write(each.product, episodes.pop_complete())
            writer.write(each.product, episodes.finish())


def outcome_of(work: Work, totals: Sequence[Mapping[str, "ProductTotal"]]) -> Outcome:
    """Return the outcome of the totals of each tape, by product."""
    passes = [
        Pass(
            tape,
            {product: total.sweep for product, total in of_tape.items()},
            {product: total.tally for product, total in of_tape.items()},
        )
        for tape, of_tape in zip(work.tapes, totals, strict=True)
    ]
    tapes = [TapePass(each.tape.path, each.tallies, each.tape.manifest.synthetic) for each in passes]
    return Outcome(tapes, groups_of(passes, work.settings.by))
