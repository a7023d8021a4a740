"""Books that are kept stay as they were, within their number."""

from pathlib import Path

import pytest

from orderbook.engine import Engine
from recorder.runtime.loading import load_engine
from recorder.settings import EngineName
from recorder.tape.reader import Tape
from replay.viewing.books import MOST_BOOKS, KeptBooks
from tests.support.constants import BTC
from tests.support.tapes import Recording

HERE, OTHER = Path("product=A"), Path("product=B")


@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_a_kept_book_does_not_change(recording: Recording, engine: EngineName) -> None:
    """Neither by what is read from it nor by what is read from the book that it is a copy of."""
    loaded: Engine = load_engine(engine)
    books, state, saved = KeptBooks(loaded), loaded.start(BTC, "exchange"), {}
    for rows in Tape.open(recording.tape).product(BTC).batches(200):
        seq = rows.column("seq")[0].as_py()
        saved[seq] = loaded.save(state)
        books.keep(HERE, seq, loaded.copy(state))
        state, _ = loaded.step(state, rows)
        _, found = books.nearest(HERE, seq) or (0, state)
        after, _ = loaded.step(found, rows)
        assert loaded.save(after) == loaded.save(state)
        loaded.check(after)
    assert len(saved) > 2
    for seq in list(saved)[-MOST_BOOKS:]:
        row, found = books.nearest(HERE, seq) or (0, state)
        assert (row, loaded.save(found)) == (seq, saved[seq])


def test_those_used_last_are_kept() -> None:
    """A book of another product or after the row is none, and the one that is used stays."""
    engine = load_engine("plain")
    books, state = KeptBooks(engine), engine.start(BTC, "exchange")
    for seq in range(1, MOST_BOOKS + 1):
        books.keep(HERE, seq, state)
    assert books.nearest(OTHER, 99) is None
    assert books.nearest(HERE, 0) is None
    assert books.nearest(HERE, 1) is not None
    books.keep(OTHER, 5, state)
    assert [(books.nearest(HERE, seq) or (0,))[0] for seq in (1, 2, 99)] == [1, 1, MOST_BOOKS]
    assert (books.nearest(OTHER, 99) or (0,))[0] == 5
