"""The saved form of a product's state, shared by all engines: recovery and seeking go on from it."""

import msgspec

from orderbook.feeds import Feed
from orderbook.frames import BookEvent, Level
from orderbook.tracker import B, TrackerState


class SavedState(msgspec.Struct, frozen=True):
    """A `TrackerState` as plain values; levels are (price in 1e-8 units, size), prices ascending.

    Sizes are in their shortest spelling, so that equal books have equal saved forms.
    """

    product: str
    feed: Feed
    is_known: bool
    bids: list[Level]
    asks: list[Level]
    counts_sequence: bool
    last_sequence: str | None  # a feed may send any integer, MessagePack ends at 2**64


def save_state(state: TrackerState[B]) -> bytes:
    """Return a state as MessagePack. O(levels)."""
    bids, asks = state.book.levels()
    return msgspec.msgpack.encode(
        SavedState(
            product=state.product,
            feed=state.feed,
            is_known=state.book.is_known,
            bids=bids,
            asks=asks,
            counts_sequence=state.counts_sequence,
            last_sequence=None if state.last_sequence is None else str(state.last_sequence),
        )
    )


def load_state(saved: bytes, book: B) -> TrackerState[B]:
    """Return the state that was saved.

    Args:
        saved: what `save_state` returned.
        book: the engine's, empty; it takes the levels.

    Raises:
        msgspec.DecodeError: where the bytes are no saved state.
    """
    values = msgspec.msgpack.decode(saved, type=SavedState)
    if values.is_known:
        book.apply(BookEvent(True, values.bids, values.asks))
    last_sequence = None if values.last_sequence is None else int(values.last_sequence)
    return TrackerState(values.product, values.feed, book, values.counts_sequence, last_sequence)
