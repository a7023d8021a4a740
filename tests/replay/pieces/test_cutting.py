"""Pieces are of about equal size, begin where a sidecar is, and follow one another."""

from itertools import pairwise
from pathlib import Path

import pytest

from recorder.tape.format.layout import book_file
from recorder.tape.format.segment_entry import parts_of
from recorder.tape.reader import Tape
from replay.pieces.cutting import WHOLE_PRODUCT, cut_for_workers, pieces_of
from replay.running.window import WHOLE, Window


@pytest.mark.parametrize("name", ["as recorded", "compacted", "some", "none"])
@pytest.mark.parametrize("number", [0, 1, 2, 5, 1000])
def test_pieces_follow_one_another(interrupted: dict[str, Path], name: str, number: int) -> None:
    """Each piece ends where the next one begins, at a sidecar; without any, the product is one piece."""
    opened = Tape.open(interrupted[name])
    for product in opened.select(()):
        tape = opened.product(product)
        pieces = pieces_of(tape, WHOLE, number)
        assert len(pieces) <= max(number, 1)
        assert (pieces[0].first_seq, pieces[-1].next_seq) == (0, None)
        for piece, later in pairwise(pieces):
            assert piece.next_seq == later.first_seq > piece.first_seq
            assert book_file(tape.directory, later.first_seq).exists()
        if name == "none":
            assert pieces == (WHOLE_PRODUCT,)
        if number == 1000 and name == "as recorded":
            assert len(pieces) == len(parts_of(tape.segments()))


def test_pieces_are_of_equal_size(interrupted: dict[str, Path]) -> None:
    """No piece has more than its share of the bytes and one segment."""
    opened = Tape.open(interrupted["as recorded"])
    for each in cut_for_workers([(opened, opened.select(()))], WHOLE, 3):
        tape = opened.product(each.product)
        entries = tape.segments()
        sizes = [
            sum(
                entry.bytes
                for entry in entries
                if piece.first_seq <= entry.first_seq < (piece.next_seq or 2**62)
            )
            for piece in each.pieces
        ]
        largest = max(entry.bytes for entry in entries)
        assert max(sizes) <= sum(sizes) / len(sizes) + 2 * largest


def test_pieces_at_connections(interrupted: dict[str, Path]) -> None:
    """If trades are read, a piece begins with a connection."""
    opened = Tape.open(interrupted["as recorded"])
    for product in opened.select(()):
        tape = opened.product(product)
        for piece in pieces_of(tape, WHOLE, 1000, at_connections=True)[1:]:
            first = next(tape.batches(1, piece.first_seq))
            assert first.column("kind")[0].as_py() == "connected"


def test_a_window_is_divided(interrupted: dict[str, Path]) -> None:
    """What lies outside a window is no piece of its own."""
    opened = Tape.open(interrupted["as recorded"])
    product = opened.select(())[0]
    tape = opened.product(product)
    times = [entry.last_time for entry in tape.segments()]
    middle = Window(times[1], times[-2])
    pieces = pieces_of(tape, middle, 1000)
    assert 1 < len(pieces) < len(pieces_of(tape, WHOLE, 1000))
    assert pieces_of(tape, Window(None, times[0]), 1000) == (WHOLE_PRODUCT,)
