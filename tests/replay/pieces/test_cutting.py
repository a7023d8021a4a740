"""Pieces are small at the end, begin where a sidecar is, and follow one another."""

from itertools import pairwise
from pathlib import Path

import pytest

from recorder.tape.format.layout import book_file
from recorder.tape.format.segment_entry import parts_of
from recorder.tape.reader import Tape
from replay.pieces.cutting import WHOLE_PRODUCT, cut_for_workers, pieces_of, shares
from replay.running.window import WHOLE, Window

EVERYWHERE = [each / 1000 for each in range(1, 1000)]
"""Where a product is cut into as many pieces as it has places for."""


@pytest.mark.parametrize("name", ["as recorded", "compacted", "some", "none"])
@pytest.mark.parametrize("number", [0, 1, 2, 5, 1000])
def test_pieces_follow_one_another(interrupted: dict[str, Path], name: str, number: int) -> None:
    """Each piece ends where the next one begins, at a sidecar; without any, the product is one piece."""
    opened = Tape.open(interrupted[name])
    for product in opened.select(()):
        tape = opened.product(product)
        pieces = pieces_of(tape, WHOLE, [each / number for each in range(1, number)])
        assert len(pieces) <= max(number, 1)
        assert (pieces[0].first_seq, pieces[-1].next_seq) == (0, None)
        for piece, later in pairwise(pieces):
            assert piece.next_seq == later.first_seq > piece.first_seq
            assert book_file(tape.directory, later.first_seq).exists()
        if name == "none":
            assert pieces == (WHOLE_PRODUCT,)
        if number == 1000 and name == "as recorded":
            assert len(pieces) == len(parts_of(tape.segments()))


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_no_piece_keeps_the_others_waiting(workers: int) -> None:
    """Each piece is at most half of a worker's share of what is left, or one of the smallest."""
    edges = [0.0, *shares(workers), 1.0]
    for start, end in pairwise(edges):
        assert 0 < end - start <= max((1 - start) / 2, 1 / 16) / workers + 1e-9
    assert len(edges) <= 8 * workers + 4


def test_pieces_are_small_at_the_end(interrupted: dict[str, Path]) -> None:
    """The pieces of several products are cut as those of one; no piece has more than a segment beside it."""
    opened = Tape.open(interrupted["as recorded"])
    edges = [0.0, *shares(3), 1.0]
    tapes = [opened.product(product) for product in opened.select(())]
    total, done = sum(tape.stored_bytes() for tape in tapes), 0
    for tape, each in zip(tapes, cut_for_workers([(opened, opened.select(()))], WHOLE, 3), strict=True):
        entries = tape.segments()
        largest = max(entry.bytes for entry in entries)
        for piece in each.pieces:
            size = sum(
                entry.bytes
                for entry in entries
                if piece.first_seq <= entry.first_seq < (piece.next_seq or 2**62)
            )
            share = next(end - start for start, end in pairwise(edges) if done < end * total)
            assert size <= share * total + 2 * largest
            done += size


def test_pieces_at_connections(interrupted: dict[str, Path]) -> None:
    """If trades are read, a piece begins with a connection."""
    opened = Tape.open(interrupted["as recorded"])
    for product in opened.select(()):
        tape = opened.product(product)
        for piece in pieces_of(tape, WHOLE, EVERYWHERE, at_connections=True)[1:]:
            first = next(tape.batches(1, piece.first_seq))
            assert first.column("kind")[0].as_py() == "connected"


def test_a_window_is_divided(interrupted: dict[str, Path]) -> None:
    """What lies outside a window is no piece of its own."""
    opened = Tape.open(interrupted["as recorded"])
    product = opened.select(())[0]
    tape = opened.product(product)
    times = [entry.last_time for entry in tape.segments()]
    middle = Window(times[1], times[-2])
    pieces = pieces_of(tape, middle, EVERYWHERE)
    assert 1 < len(pieces) < len(pieces_of(tape, WHOLE, EVERYWHERE))
    assert pieces_of(tape, Window(None, times[0]), EVERYWHERE) == (WHOLE_PRODUCT,)
    late = pieces_of(tape, Window(times[1] + 1, None), EVERYWHERE)
    assert len(late) > 1
    assert late[0].next_seq is not None
    assert late[0].next_seq > tape.segments()[2].first_seq  # the second one ends before the window
