"""When a strategy is woken, and why it was."""

from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from orderbook.errors import OptionError
from orderbook.execution.market import Market
from orderbook.execution.rows import BookRow, BreakRow, TapeRow, TradeRow
from orderbook.thresholds import ThresholdLike, is_above, parse_threshold
from orderbook.time_input import DurationLike, parse_duration
from orderbook.times import NS


class Why(IntFlag):
    """What woke a strategy; several may hold at once."""

    TOP = 1
    BOOK = 2
    TRADES = 4
    FILLS = 8
    REPORTS = 16
    SPREAD = 32
    TIMER = 64


NOTHING: Final = Why(0)
"""Made once: most rows wake nobody."""


@dataclass(frozen=True, slots=True)
class Wakes:
    """What a strategy wants to be woken for; the less, the faster.

    Attributes:
        top: the best bid or ask, a price or a size, has changed, or a book has become known or unknown.
        book: a frame has changed the book.
        trades: others have traded.
        fills: an own order has been filled, at least in part.
        reports: anything has happened to an own order.
        spread: the relative spread has risen above this threshold, or fallen to it.
        every: at each whole multiple of this duration.
    """

    top: bool = False
    book: bool = False
    trades: bool = False
    fills: bool = False
    reports: bool = False
    spread: ThresholdLike | None = None
    every: DurationLike | None = None


class WakeRules:
    """`Wakes` as they are checked: what of them a row or reports meet.

    Raises:
        OptionError: if the threshold or the duration is none.
    """

    def __init__(self, wakes: Wakes) -> None:
        self._wakes = wakes
        self.spread: Final = None if wakes.spread is None else parse_threshold(wakes.spread)
        self.every: Final = 0 if wakes.every is None else round(parse_duration(wakes.every) * NS)
        if wakes.every is not None and not self.every:
            raise OptionError("give a duration of at least 1 ns", option="every", value=wakes.every)
        self._top: tuple[int | None, ...] = (None, None, None, None)
        self._was_above = False

    def of_row(self, market: Market, row: TapeRow) -> Why:
        """Return what a row wakes for, once the market has applied it."""
        if isinstance(row, BookRow | BreakRow):
            return self._of_book(market, is_book=isinstance(row, BookRow))
        if self._wakes.trades and isinstance(row, TradeRow):
            return Why.TRADES if row.new_trades else NOTHING
        return NOTHING

    def of_reports(self, *, are_fills: bool) -> Why:
        """Return what reports wake for."""
        why = Why.REPORTS if self._wakes.reports else NOTHING
        return why | Why.FILLS if self._wakes.fills and are_fills else why

    def _of_book(self, market: Market, *, is_book: bool) -> Why:
        why = NOTHING
        if self._wakes.book and is_book:
            why |= Why.BOOK
        if self._wakes.top:
            top = market.top
            if top != self._top:
                self._top, why = top, why | Why.TOP
        if self.spread is not None:
            above = is_above(market.relative_spread, self.spread)
            if above != self._was_above:
                self._was_above, why = above, why | Why.SPREAD
        return why
