"""The saved form of a product's state, shared by all engines: recovery and seeking go on from it."""

import msgspec
from sortedcontainers import SortedDict

from orderbook.book import OrderBookState
from orderbook.decimals import shortest_size
from orderbook.feeds import Feed
from orderbook.tracker import TrackerState


class SavedState(msgspec.Struct, frozen=True):
    """A `TrackerState` as plain values; levels are (price in 1e-8 units, size), prices ascending."""

    product: str
    feed: Feed
    is_known: bool
    bids: list[tuple[int, str]]
    asks: list[tuple[int, str]]
    counts_sequence: bool
    last_sequence: str | None  # a feed may send any integer, MessagePack ends at 2**64


def save_state(state: TrackerState) -> bytes:
    """Return a state as MessagePack. O(levels)."""
    book = state.book
    return msgspec.msgpack.encode(
        SavedState(
            product=state.product,
            feed=state.feed,
            is_known=book.is_known,
            bids=_levels(book.bids),
            asks=_levels(book.asks),
            counts_sequence=state.counts_sequence,
            last_sequence=None if state.last_sequence is None else str(state.last_sequence),
        )
    )


def _levels(side: SortedDict) -> list[tuple[int, str]]:
    """Return a side's levels, sizes in their shortest spelling: equal books have equal saved forms."""
    return [(price, shortest_size(size)) for price, size in side.items()]


def load_state(saved: bytes) -> TrackerState:
    """Return the state that was saved.

    Raises:
        msgspec.DecodeError: where the bytes are no saved state.
    """
    values = msgspec.msgpack.decode(saved, type=SavedState)
    book = OrderBookState()
    book.bids.update(values.bids)
    book.asks.update(values.asks)
    book.is_known = values.is_known
    last_sequence = None if values.last_sequence is None else int(values.last_sequence)
    return TrackerState(values.product, values.feed, book, values.counts_sequence, last_sequence)
