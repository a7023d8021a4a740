"""The rules of one connection, without I/O: which frames end it, and what it means if none come.

A frame is queued for the tape before it is checked here, so a frame that ends the connection is recorded too.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from orderbook.anomalies import is_foreign
from orderbook.continuity import is_gap
from orderbook.display import printable
from orderbook.events import TradeFrame
from orderbook.trades import TradeWatch
from orderbook.venues.base import Venue
from recorder.live.book_liveness import BookLiveness, ProductPast

ENDED_BY_US: Final = 4000
"""Close code of a connection that the recorder ends (4000 to 4999 are free for applications)."""

WITHOUT_BOOK: Final = ("no snapshot", "refused")
"""Reasons with which a connection ends that never had a book."""

_TRADES_DUE_S: Final = 5.0
"""Time after the first snapshot by which the acknowledgement of the trades must be there."""

_TRADE_ODDITIES: Final = ("trade_gaps", "trades_malformed", "trades_repeated")
_NO_TRADES: Final = TradeFrame([], None)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection ended: WebSocket close code and reason, and for the log what is known beside that."""

    code: int
    reason: str
    said: str = ""


STALE: Final = Ending(ENDED_BY_US, "stale")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The exchange refuses the product for good."""

    text: str


class ConnectionCheck:
    """Checks the frames of one connection, in order.

    Args:
        venue: the venue of the frames.
        product: the product that was subscribed.
        past: of the product; kept up to date.
        stale_after: seconds after which the connection ends without a frame, without a snapshot, or without
            an update that is overdue.
        now: the time of the subscription, in seconds on a monotonic clock, like all times here.
        trades: whether trades were subscribed to.

    Attributes:
        book: whether the book is live.
        oddities: what was odd so far and ends nothing, see `orderbook.anomalies`.
    """

    def __init__(
        self,
        venue: Venue,
        product: str,
        past: ProductPast,
        stale_after: float,
        now: float,
        *,
        trades: bool = False,
    ) -> None:
        self._venue = venue
        self._product = product
        self._quoted = f'"{product}"'
        self._past = past
        self._stale_after = stale_after
        self._last_frame = now
        self._last_number: int | None = None
        self._said: str | None = None  # by an error message before the snapshot
        self._trade_channel = f'"{venue.trade_channel}"'
        self._waits_for_trades = trades
        self._trades_due: float | None = None
        self._watch = TradeWatch(product, venue)
        self._watch.has_trades = trades
        self.oddities: Counter[str] = Counter()
        self.book = BookLiveness(stale_after, past, now)

    def check(self, text: str, now: float) -> Ending | Refusal | None:
        """Return how a frame ends the connection; None if it does not. O(length)."""
        self._last_frame = now
        venue, book = self._venue, self.book
        if venue.is_numbered and (number := venue.sequence_num(text)) is not None:
            last, self._last_number = self._last_number, number
            if is_gap(last, number):
                return Ending(ENDED_BY_US, "gap")
        if self._waits_for_trades and self._trade_channel in text:
            self._waits_for_trades = venue.kind(text) != venue.acknowledgement
        if not book.has_book:
            return self._check_subscription(text, now)
        if venue.update_sign in text and self._quoted in text:
            book.update(now)
        else:
            self._check_other(text, now)
        return None

    def is_stale(self, now: float) -> bool:
        """Tell whether the last frame, or the subscription, is too long ago."""
        return now - self._last_frame > self._stale_after

    def problem(self, now: float) -> Ending | None:
        """Return how the connection ends because of what did not come; None if it does not."""
        if self.is_stale(now):
            return STALE
        reason = self.book.problem(now)
        if reason == "no snapshot" and self._said is not None:
            return Ending(ENDED_BY_US, "refused", self._said)
        return None if reason is None else Ending(ENDED_BY_US, reason, self.book.silence(now))

    def lacks_trades(self, now: float) -> bool:
        """Tell, once, that the acknowledgement of the trades did not come in time; the book goes on."""
        if not self._waits_for_trades or not self.book.has_book:
            return False
        if self._trades_due is None:
            self._trades_due = now + _TRADES_DUE_S
        if now <= self._trades_due:
            return False
        self._waits_for_trades = False
        self.oddities["trades_unacknowledged"] += 1
        return True

    def _check_other(self, text: str, now: float) -> None:
        """Take note of a frame that does not look like an update of the book."""
        venue, product = self._venue, self._product
        if venue.holds_book(text):
            if product in venue.products_named(text):
                self.book.update(now)
            else:
                self._note_foreign(text)
            return
        told = self._read_trades(text)
        trade = told.trades[-1].trade_id if told.trades else told.last_trade_id
        self.book.progress(now, venue.activity(text, product), trade)

    def _read_trades(self, text: str) -> TradeFrame:
        """Return the trades of a frame that is not of the book, and take note of what is odd about them."""
        watch = self._watch
        told = watch.read(text)
        for trade in told.trades if told is not None else ():
            if not trade.is_history:
                self._past.trades += 1
                self._past.last_trade = trade
        for name, number in zip(_TRADE_ODDITIES, (watch.gaps, watch.malformed, watch.repeated), strict=True):
            if number:
                self.oddities[name] = number
        if told is None and any(word in text for word in self._venue.trade_words):
            self._note_foreign(text)
        return told or _NO_TRADES

    def _note_foreign(self, text: str) -> None:
        """Count a frame of the book or of trades if it is of other products alone."""
        if is_foreign(self._venue, text, self._venue.products_named(text), (self._product,)):
            self.oddities["foreign_frames"] += 1

    def _check_subscription(self, text: str, now: float) -> Refusal | None:
        """Check a frame before the connection's first snapshot."""
        venue = self._venue
        if not venue.holds_book(text):
            self._read_trades(text)
        elif self._product not in venue.products_named(text):
            self._note_foreign(text)
        if venue.holds_snapshot(text):
            named = venue.products_named(text)
            if self._product in named:
                self.book.snapshot(now)
            elif named and not self._past.is_served:
                return Refusal(f"the exchange serves {', '.join(named)} in its place; use that name")
        elif (said := venue.error(text)) is not None:
            if venue.is_final(said, self._product):
                return Refusal(f"the exchange refused the subscription: {printable(said)}")
            self._said = self._said or said
            self.book.error(now)
        return None
