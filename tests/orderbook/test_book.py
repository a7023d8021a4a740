"""The book against plain dicts of exact numbers, searched from scratch each time."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from orderbook.book import OrderBookState
from orderbook.decimals import PRICE_UNITS
from orderbook.events import BookEvent, Level

SIZES = st.sampled_from(["", "1", "1.0", "01", "0.5", "00.5", "2"])
LEVELS = st.lists(st.tuples(st.integers(1, 6).map(lambda units: units * PRICE_UNITS), SIZES), max_size=6)
EVENTS = st.lists(st.builds(BookEvent, st.sampled_from([False, False, True]), LEVELS, LEVELS), max_size=8)
EMPTY = BookEvent(True, [], [])
"""A snapshot without levels: the tracker refuses updates before one."""


class NaiveBook:
    """Two dicts of price to size; counts what removes nothing and what changes nothing."""

    def __init__(self) -> None:
        self.sides: tuple[dict[int, Decimal], dict[int, Decimal]] = ({}, {})
        self.absent_deletes = self.noop_sets = 0

    def apply(self, event: BookEvent) -> None:
        """Apply an event, level by level."""
        if event.is_snapshot:
            self.sides = ({}, {})
        for side, levels in zip(self.sides, (event.bids, event.asks), strict=True):
            for price, text in levels:
                size = Decimal(text or 0)
                if size:
                    self.noop_sets += side.get(price) == size
                    side[price] = size
                else:
                    self.absent_deletes += side.pop(price, None) is None


def exact(levels: list[Level]) -> list[tuple[int, Decimal]]:
    """Return levels with exact sizes."""
    return [(price, Decimal(size)) for price, size in levels]


@given(EVENTS, st.integers(0, 7))
def test_any_events(events: list[BookEvent], depth: int) -> None:
    """After every event the levels, their order, the top and the counts are those of the plain dicts."""
    book, naive = OrderBookState(), NaiveBook()
    for event in (EMPTY, *events):
        book.apply(event)
        naive.apply(event)
        book.check()
        bids, asks = sorted(naive.sides[0].items(), reverse=True), sorted(naive.sides[1].items())
        assert tuple(map(exact, book.levels())) == (bids, asks)
        assert tuple(map(exact, book.levels(depth))) == (bids[:depth], asks[:depth])
        best = [[(price / PRICE_UNITS, float(size)) for price, size in side] for side in (bids, asks)]
        assert book.best(depth) == [side[:depth] for side in best]
        bid, ask = (side[0] if side else (None, None) for side in best)
        spread = (asks[0][0] - bids[0][0]) / PRICE_UNITS if bids and asks else None
        assert book.top() == (*bid, *ask, spread)
    assert (book.absent_deletes, book.noop_sets) == (naive.absent_deletes, naive.noop_sets)


@given(EVENTS)
def test_a_cleared_book_is_unknown_and_empty(events: list[BookEvent]) -> None:
    """Nothing of a book survives its connection."""
    book = OrderBookState()
    for event in (EMPTY, *events):
        book.apply(event)
    book.clear()
    book.check()
    assert not book.is_known
    assert book.levels() == ([], [])
