"""What a venue is: everything that booktape has to know of a source of order books, in one value."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from orderbook.events import Frame, TradeFrame
from orderbook.venues.registry import venue

if TYPE_CHECKING:
    from orderbook.venues.columns import ColumnWriter

Side = Literal["bid", "ask"]

TextLevel = tuple[str, str]
"""(price, size), decimal text."""

TextChange = tuple[Side, str, str]
"""(side, price, absolute size), decimal text; the size `0` removes the level."""


class TextTrade(NamedTuple):
    """A trade as a server tells it: decimal text, `time_ns` in nanoseconds since the epoch."""

    trade_id: int
    maker_side: Side
    price: str
    size: str
    time_ns: int


_PRODUCT_ID = re.compile(r"[A-Za-z0-9]{1,32}(-[A-Za-z0-9]{1,32}){0,4}")


def is_product_id(text: str) -> bool:
    """Tell whether a text can be a product id of any venue, and so part of a path.

    >>> is_product_id("BTC-USD"), is_product_id("../BTC"), is_product_id("")
    (True, False, False)
    """
    return _PRODUCT_ID.fullmatch(text) is not None


class RefusedError(Exception):
    """A subscribe message that a server cannot serve and answers with an error frame.

    Attributes:
        message: what failed.
        reason: why.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message, reason)
        self.message = message
        self.reason = reason


class Server(Protocol):
    """The venue's side of one connection: reads subscribe messages and writes frames.

    It belongs to one connection because a venue may number the messages of a connection. All times are
    nanoseconds since the epoch.
    """

    def read_subscribe(
        self, text: str, products: Collection[str], channels: Collection[str]
    ) -> dict[str, list[str]]:
        """Return the products that a message subscribes to, by channel.

        Args:
            text: the message, as the client sent it.
            products: the product ids that are served.
            channels: the channels that are served.

        Raises:
            RefusedError: if the message is malformed or names anything that is not served.
        """

    def snapshot(
        self, product: str, bids: Sequence[TextLevel], asks: Sequence[TextLevel], time_ns: int
    ) -> str:
        """Return the frame that replaces the whole book; bids descend, asks ascend."""

    def update(self, product: str, changes: Sequence[TextChange], time_ns: int) -> str:
        """Return the frame of one batch of changes."""

    def trades(
        self, product: str, trades: Sequence[TextTrade], time_ns: int, *, is_history: bool = False
    ) -> list[str]:
        """Return the frames of some trades, by ascending trade_id; `is_history`: before the subscription."""

    def subscriptions(self, channels: Mapping[str, Sequence[str]], time_ns: int) -> str:
        """Return the acknowledgement: all products of the connection, by channel."""

    def heartbeats(
        self, last_trades: Mapping[str, int], count: int, time_ns: int, uptime_ns: int
    ) -> list[str]:
        """Return the frames of heartbeat number `count`, `uptime_ns` after the connection opened.

        Args:
            last_trades: by product that has heartbeats, the trade_id of its last trade; 0 before the first.
            count: number of the heartbeat.
            time_ns: its time.
            uptime_ns: time since the connection opened.
        """

    def error(self, message: str, reason: str) -> str:
        """Return the frame that refuses a subscribe message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """A source of order books.

    Attributes:
        name: the name on the command line and on disk.
        url: the default address.
        book_channels: the channels that carry the book, the default first.
        keyed_channels: the channels that need an API key.
        heartbeat_channels: the names by which heartbeats can be subscribed to, the documented one first.
        acknowledgement: the kind (see `kind`) of the message that acknowledges a subscription.
        acknowledged: text to the products that it says are subscribed to; None if it is no acknowledgement.
        acknowledges_first: whether the acknowledgement comes before the snapshots.
        is_numbered: whether all messages of a connection, over all of its products, are numbered one by one
            (`sequence_num`). If not, missing messages cannot be detected. Heartbeats of a numbered
            connection are about the connection; otherwise each is about a product.
        reader: which reader of the compiled engine reads the frames, see `orderbook.venues.compiled_readers`.
        subscribe: (channel, product, whether to trades too) to the messages that a client sends on a new
            connection: they subscribe to the book and to heartbeats, which keep the connection open.
        decode: (text, product) to the frame, with the events of that product. It raises for no text and is
            O(length of the text).
        sequence_num: text to the message's number, None if it has none.
        renumbered: (text that has a number, number) to the text with that number; of venues with numbers.
        kind: text to the name by which the venue's documents call this kind of message, None if it has none.
        holds_book: whether a text is a snapshot or an update of a book of this venue.
        holds_snapshot: whether a text is a snapshot.
        trade_channel: the channel that carries trades.
        trades_first: by book channel, whether a trade comes before the update that shows it; None if either
            may come first.
        trade_kinds: the kinds (see `kind`) of frames with trades.
        trade_words: a frame that `read_trades` has something to say about holds one of these texts, or a
            backslash.
        read_trades: (text, product) to what a frame says about trades of that product, None if nothing. It
            raises MalformedError for a trade frame that breaks the venue's format.
        book_time: (text, product) to the book time of a well-formed frame of the book: the time up to which
            its book is known, nanoseconds since the epoch. None if that is the frame's own time.
        update_sign: what every update of a book contains, unless it is escaped, and hardly another text.
        error: text to what it says, if it is an error message; else None.
        is_final: (what an error says, product) to whether it refuses the product for good; asking again
            helps against any other.
        activity: (text, product) to a number that a heartbeat names and that rises with whatever happens to
            the product's orders; None if the text names none.
        products_named: text to the ids of the products that it is about, each once, in order.
        server: makes the venue's side of a new connection, see `Server`. The argument is the number of
            the first message; None, for messages without numbers.
        column_writer: returns what makes frames of levels and trades in columns; None if nothing does.
    """

    name: str
    url: str
    book_channels: tuple[str, ...]
    keyed_channels: frozenset[str] = frozenset()
    heartbeat_channels: tuple[str, ...]
    acknowledgement: str
    acknowledged: Callable[[str], frozenset[str] | None]
    acknowledges_first: bool
    is_numbered: bool
    reader: int
    subscribe: Callable[[str, str, bool], list[str]]
    decode: Callable[[str, str], Frame]
    sequence_num: Callable[[str], int | None]
    kind: Callable[[str], str | None]
    holds_book: Callable[[str], bool]
    holds_snapshot: Callable[[str], bool]
    trade_channel: str
    trades_first: Mapping[str, bool | None]
    trade_kinds: tuple[str, ...]
    trade_words: tuple[str, ...]
    read_trades: Callable[[str, str], TradeFrame | None]
    book_time: Callable[[str, str], int | None] | None = None
    update_sign: str
    error: Callable[[str], str | None]
    is_final: Callable[[str, str], bool]
    activity: Callable[[str, str], int | None]
    products_named: Callable[[str], tuple[str, ...]]
    server: Callable[[int | None], Server]
    renumbered: Callable[[str, int], str] = lambda text, _number: text
    column_writer: "Callable[[], ColumnWriter] | None" = None

    def holds_trades(self, text: str) -> bool:
        """Tell whether a text is a frame with trades."""
        return any(word in text for word in self.trade_words) and self.kind(text) in self.trade_kinds

    @property
    def public_book_channels(self) -> tuple[str, ...]:
        """The book channels that need no API key."""
        return tuple(channel for channel in self.book_channels if channel not in self.keyed_channels)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle a venue as its name: there is one `Venue` a process."""
        return venue, (self.name,)
