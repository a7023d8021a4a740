"""The meaning of a frame, in the words of no venue: decoders make these values, the tracker applies them.

A frame is decoded for one product: events of other products are checked and then left out.
"""

from typing import Literal, NamedTuple

Level = tuple[int, str]
"""A price in units of 1e-8 and a size as text, empty for zero (see `orderbook.decimals`)."""


class BookEvent(NamedTuple):
    """A snapshot or an update of one product's book; levels in the order in which they apply."""

    is_snapshot: bool
    bids: list[Level]
    asks: list[Level]


class BookFrame(NamedTuple):
    """A well-formed frame of the book; `events` holds those of the wanted product, if there are any."""

    events: list[BookEvent]
    exchange_time: int | None
    sequence_num: int | None


class OtherFrame(NamedTuple):
    """A well-formed frame without a book.

    `anomaly` is None if the type is documented, else a kind of `orderbook.anomalies`; `detail` explains it.
    """

    anomaly: str | None
    detail: str
    sequence_num: int | None


class MalformedFrame(NamedTuple):
    """A frame that breaks the venue's format; it changes nothing.

    `is_book` tells whether it was meant to change a book, which then differs from the venue's.
    """

    detail: str
    sequence_num: int | None
    is_book: bool = False


Frame = BookFrame | OtherFrame | MalformedFrame


class Trade(NamedTuple):
    """A trade of others, as the feed reports it.

    Attributes:
        trade_id: numbers the trades of a product one by one.
        exchange_time: its own time, nanoseconds since the epoch; None if it has no valid one.
        maker_side: the side of the book that it hit: `ask` means that the taker bought.
        price: in units of 1e-8.
        size: decimal text, empty for zero.
        is_history: whether it happened before the subscription.
    """

    trade_id: int
    exchange_time: int | None
    maker_side: Literal["bid", "ask"]
    price: int
    size: str
    is_history: bool


class TradeFrame(NamedTuple):
    """What a frame says about trades of one product.

    Attributes:
        trades: those of the product, by ascending trade_id.
        last_trade_id: id of the product's last trade so far, which a heartbeat may name; else None.
    """

    trades: list[Trade]
    last_trade_id: int | None


class ReadRow(NamedTuple):
    """What a text said, in its place if it was read before.

    Attributes:
        frame: its frame.
        book_time: the book time of a frame of the book, see `Venue.book_time`.
        trades: what it says about trades; None if nothing.
    """

    frame: Frame
    book_time: int | None
    trades: TradeFrame | None


class MalformedError(ValueError):
    """Raised inside the decoders if a frame breaks the venue's format; they return `MalformedFrame`."""
