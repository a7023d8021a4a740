"""What a frame says, in our words: the decoders make these values, the tracker applies them.

Exchange words (buy, sell, offer, l2update) stop at the decoders. A frame is read for one product:
events of other products are checked and then left out.
"""

from typing import NamedTuple

Level = tuple[int, str]
"""A price in units of 1e-8 and a size as it is spelled, empty for zero (see `orderbook.decimals`)."""


class BookEvent(NamedTuple):
    """A snapshot or an update of one product's book; levels in the order in which they apply."""

    is_snapshot: bool
    bids: list[Level]
    asks: list[Level]


class BookFrame(NamedTuple):
    """A well-formed level2 frame; `events` holds those of the product asked for, it may be empty."""

    events: list[BookEvent]
    exchange_time: int | None
    sequence_num: int | None


class OtherFrame(NamedTuple):
    """A well-formed frame that says nothing about the book.

    `anomaly` is None (a documented type), `unknown` or `error`; `detail` explains it.
    """

    anomaly: str | None
    detail: str
    sequence_num: int | None


class MalformedFrame(NamedTuple):
    """A frame that is not what the feed promises; it changes nothing."""

    detail: str
    sequence_num: int | None


Frame = BookFrame | OtherFrame | MalformedFrame


class MalformedError(ValueError):
    """Raised inside the decoders where a frame breaks the feed's form; they return `MalformedFrame`."""
