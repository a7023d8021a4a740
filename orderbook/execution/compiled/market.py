"""What the tape shows of the product: `market.Market` and `grid.Grid` in compiled code."""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.numbers import price_to_float
from orderbook.execution.compiled import later_mids, sizes
from orderbook.execution.compiled.addresses import load, load_int, store
from orderbook.execution.compiled.layout import DONE, LACKS_ROOM, MARK, UNKNOWN
from orderbook.execution.compiled.places import PRINT, is_later, not_in_book
from orderbook.execution.market_rows import BREAK, TRADES

_TRADE: Final = 6


@inner
def pass_time(x: Any, time: int) -> Any:
    """Mark the grid before a row of this time is applied; False if there is no room for all marks."""
    market = x
    if market.next_mark == UNKNOWN or (market.next_mark < time and not market.is_known):
        market.next_mark = -(-time // market.every) * market.every
        return True
    while market.next_mark < time:
        if MARK * (market.marks + 1) > x.marks_at_room:
            return False
        at = MARK * market.marks
        store(x.marks_at, at, market.next_mark)
        store(x.marks_at, at + 1, market.connection)
        store(x.marks_at, at + 2, market.bid)
        store(x.marks_at, at + 3, market.ask)
        market.marks += 1
        market.next_mark += market.every
    return True


@inner
def relative_spread(bid: int, ask: int) -> Any:
    """Return the spread as a fraction of the ask, the float of the summaries; NaN if a side is empty."""
    if not bid or not ask:
        return np.nan
    return np.rint(price_to_float(ask - bid) / price_to_float(ask) * 1e12) / 1e12


@inlined
def _mid_twice(bid: int, ask: int) -> Any:
    """Return twice the mid, 0 if a side is empty."""
    return bid + ask if bid and ask else 0


@inner
def look(x: Any) -> None:
    """Take note of the book that is known now."""
    market = x
    market.is_known = 1
    bid, market.bid_size = sizes.best_level(x, 0)
    ask, market.ask_size = sizes.best_level(x, 1)
    if bid != market.bid or ask != market.ask:
        market.bid, market.ask = bid, ask
        market.relative_spread = relative_spread(bid, ask)
    if market.has_begun and not market.first_mid and bid and ask:
        market.first_mid, market.first_mid_time = bid + ask, market.time


@inner
def _see_book(x: Any, row: int, time: int) -> None:
    market = x
    book_time = load(x.book_time_of, row)
    if book_time != UNKNOWN:
        market.book_time = max(market.book_time if market.book_time != UNKNOWN else 0, book_time)
        lag = time - book_time
        market.least_lag = lag if market.least_lag == UNKNOWN else min(lag, market.least_lag)
        market.excess_lag = lag - market.least_lag
    if market.prints:
        kept = 0
        for each in range(market.prints):
            if is_later(load(x.prints_at, PRINT * each + 3), market.book_time):
                for word in range(PRINT):
                    store(x.prints_at, PRINT * kept + word, load(x.prints_at, PRINT * each + word))
                kept += 1
        market.prints = kept
    market.book_row = time
    if market.was_known and market.next_markout < time:
        later_mids.see_book(x, time, _mid_twice(market.was_bid, market.was_ask))


@inner
def _see_trades(x: Any, row: int) -> None:
    market = x
    market.has_trades = 0
    for trade in range(load_int(x.first_trade, row), load_int(x.first_trade, row + 1)):
        at = _TRADE * trade
        if load(x.trades, at + 5):
            continue
        market.has_trades = 1
        time = load(x.trades, at + 1)
        if not_in_book(time, market.book_time):
            place = PRINT * market.prints
            store(x.prints_at, place, load(x.trades, at + 2))
            store(x.prints_at, place + 1, load(x.trades, at + 3))
            store(x.prints_at, place + 2, load(x.trades, at + 4))
            store(x.prints_at, place + 3, time)
            market.prints += 1


@inner
def _see_break(x: Any) -> None:
    market = x
    if market.was_known:
        later_mids.end(x, _mid_twice(market.was_bid, market.was_ask), market.was_book_row)
    market.is_known = 0
    market.bid = market.ask = market.bid_size = market.ask_size = 0
    market.relative_spread = np.nan
    market.book_time = market.least_lag = UNKNOWN
    market.excess_lag = 0
    market.prints = 0


@inner
def apply(x: Any, row: int, kind: int, is_book: bool) -> Any:
    """Take note of a row, which the book has applied; return why that could not be."""
    market = x
    time = load(x.time_of, row)
    if kind == TRADES:
        market.needed = market.prints + load_int(x.first_trade, row + 1) - load_int(x.first_trade, row)
        if PRINT * market.needed > x.prints_at_room:
            return LACKS_ROOM
    market.was_known, market.was_bid, market.was_ask = market.is_known, market.bid, market.ask
    market.was_book_time, market.was_book_row = market.book_time, market.book_row
    market.seq, market.time = load(x.seq_of, row), time
    market.connection = load_int(x.connection_of, row)
    if is_book:
        _see_book(x, row, time)
        look(x)
    elif kind == TRADES:
        _see_trades(x, row)
    elif kind == BREAK:
        _see_break(x)
    if is_book or kind == BREAK:
        market.top_changed = (
            market.bid != market.seen_bid
            or market.bid_size != market.seen_bid_size
            or market.ask != market.seen_ask
            or market.ask_size != market.seen_ask_size
        )
        market.seen_bid, market.seen_bid_size = market.bid, market.bid_size
        market.seen_ask, market.seen_ask_size = market.ask, market.ask_size
    return DONE


@inner
def finish(x: Any) -> None:
    """End the tape."""
    later_mids.end(x, _mid_twice(x.bid, x.ask), x.book_row)
