"""Random tapes cut into random pieces: their results, merged in any association, are those of one pass."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.engine import PlainEngine, Step
from orderbook.tally import Tally
from orderbook.trades import TradeReader
from orderbook.venues.registry import venue
from replay.comparing.pieces import PieceTotal
from replay.comparing.settings import CompareSettings
from replay.comparing.sweep.episode_rows import EpisodeRows
from replay.comparing.totals import ProductTotal
from replay.pieces.merging import ChainMerge
from tests.endurance.forms import cases
from tests.support.constants import BTC, SECOND
from tests.support.oracle import Row
from tests.support.pieces import merge_all
from tests.support.random_frames import tape_rows
from tests.support.rows import cut
from tests.support.sweeps import rows_of
from tests.support.tapes import tuples_of

HORIZONS = (SECOND // 1000, SECOND)
THRESHOLDS = (0.0, 0.0001, 0.01, 0.3)


def steps_of(rows: Sequence[Row], cuts: Sequence[int], feed: str) -> list[list[Step]]:
    """Return the steps of each piece, whose book was saved before it, in one process after another."""
    engine, pieces = PlainEngine(), []
    saved = engine.save(engine.start(BTC, feed))
    reader = TradeReader(BTC, venue(feed))  # its state is not saved: pieces are cut between connections
    for low, high in pairwise([0, *sorted(cuts), len(rows)]):
        state, steps = engine.load(saved), []
        for batch in cut(rows[low:high], [(high - low) // 2]):
            if batch.num_rows:
                state, step = engine.step_with_trades(state, batch, reader)
                steps.append(step)
        saved = engine.save(state)
        pieces.append(steps)
    return pieces


def total_of(steps: Sequence[Step], *, is_piece: bool) -> tuple[PieceTotal, list[pa.RecordBatch]]:
    """Return what steps come to, and the episodes that are complete."""
    total = ProductTotal(CompareSettings(THRESHOLDS, horizons_ns=HORIZONS, by="hour"), is_piece=is_piece)
    episodes = EpisodeRows(THRESHOLDS, HORIZONS, is_piece=is_piece)
    written = []
    for step in steps:
        total.add(step)
        written.append(episodes.add(step.summaries))
    return PieceTotal(total, episodes), written


def everything(found: PieceTotal, written: Sequence[pa.RecordBatch]) -> dict[str, object]:
    """Return all that a result tells."""
    tally, episodes = found.total.tally, found.episodes
    assert episodes is not None
    batches = [*written, episodes.pop_complete(), episodes.finish()]
    return {
        "tally": tally.document(),
        "facts": tally.take_facts(),
        "ends": (tally.first_connection, tally.last_connection, tally.last_book, tally.excluded_ns),
        "chain": (tally.digest.chain, tally.digest.chain_seq),
        "sweep": rows_of(found.total.sweep.finish()),
        "spread": found.total.sweep.finish()[-1].spread,
        "episodes": sorted(tuples_of(pa.Table.from_batches(batches)), key=repr),
    }


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
@settings(max_examples=cases(30, 12))
@given(st.data())
def test_pieces_of_random_tapes(feed: str, data: st.DataObject) -> None:
    """Counts, facts, digests, sweep and episodes are those of one pass, also where blocks of digests end."""
    stride = data.draw(st.sampled_from([1, 700, 5000]))  # a block of the digest has 4,096 seqs
    rows = [
        row._replace(seq=row.seq + number * (stride - 1))
        for number, row in enumerate(data.draw(tape_rows(feed)))
    ]
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=6))
    pieces = steps_of(rows, cuts, feed)
    whole = total_of([step for piece in pieces for step in piece], is_piece=False)
    totals = [total_of(piece, is_piece=bool(number)) for number, piece in enumerate(pieces)]
    merged = merge_all([total for total, _ in totals], lambda number: data.draw(st.integers(0, number - 1)))
    written = [batch for _, batches in totals for batch in batches]
    assert everything(merged, written) == everything(*whole)


def test_an_empty_first_piece() -> None:
    """A tape whose first piece has no row in the window has the results of the others."""
    first, later = Tally(0.1), Tally.piece(0.1)
    first.merge(later)
    assert first.document() == Tally(0.1).document()


class _Text:
    """A mergeable text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def merge(self, later: "_Text") -> None:
        """Append a text."""
        self.text += later.text


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_chains_merge_in_order(lengths: list[int], random: Random) -> None:
    """Results that come in any order are merged with their neighbours, chain by chain."""
    chains = ChainMerge[_Text](lengths)
    numbers = list(range(sum(lengths)))
    random.shuffle(numbers)
    for number in numbers:
        chains.add(number, _Text(f"{number} "))
    found = [each.text.split() for each in chains.results()]
    assert [len(each) for each in found] == lengths
    assert [int(number) for each in found for number in each] == sorted(numbers)
