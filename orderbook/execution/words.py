"""The words of compiled strategies: what `m`, `orders` and `out` hold, as plain records of numbers.

Prices, sizes and the position are whole units of 1e-8, times nanoseconds; 0 stands for what is not there. In
compiled code the records are those of arrays, in plain Python objects of these classes.
"""

import math
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

BID: Final = 0
ASK: Final = 1

# Requests.
LIMIT: Final = 1
MARKET: Final = 2
AMEND: Final = 3
CANCEL: Final = 4
WAKE: Final = 5
SAME: Final = -1
"""The price or size of an amend that leaves it as it is."""

# States of an order.
SENT: Final = 0
RESTING: Final = 1
AMENDING: Final = 2
CANCELLING: Final = 3

MOST_REQUESTS: Final = 128
"""Requests that a compiled strategy can send at one moment: the length of `out`."""


@dataclass(slots=True)
class MarketWords:
    """What a compiled strategy sees: `m`.

    Attributes:
        now: time of this moment, ns since 1970.
        seq: number of the last row.
        why: what woke it: the sum of the values of `Why`.
        is_known: 1 if a book is known.
        bid, ask: the best prices, 0 if there is none.
        bid_size, ask_size: their sizes.
        spread: best ask minus best bid, 0 if a side is empty.
        tick, lot: smallest step of prices and of sizes.
        position: what is held, negative if it is short.
        cash, fees: money in whole units of the quote currency, rounded down.
        cash_fraction, fees_fraction: what was rounded off, in units of 1e-16.
        trades: number of trades of others at this moment.
        traded_bid, traded_ask: their size that hit bids, and that hit asks.
        last_price: price of the one with the largest trade_id.
        relative_spread: the spread as a fraction of the ask; NaN if a side is empty.
    """

    now: int = 0
    seq: int = 0
    why: int = 0
    is_known: int = 0
    bid: int = 0
    bid_size: int = 0
    ask: int = 0
    ask_size: int = 0
    spread: int = 0
    tick: int = 0
    lot: int = 0
    position: int = 0
    cash: int = 0
    cash_fraction: int = 0
    fees: int = 0
    fees_fraction: int = 0
    trades: int = 0
    traded_bid: int = 0
    traded_ask: int = 0
    last_price: int = 0
    relative_spread: float = math.nan


@dataclass(slots=True)
class OrderWords:
    """An open order of a compiled strategy, as it was before this moment's requests.

    Attributes:
        number: from 1 a lane.
        side: BID or ASK.
        price: the limit; 0 of a market order.
        left: what is not filled.
        state: SENT, RESTING, AMENDING or CANCELLING.
        ahead: what is ahead of it by the lane's queue model; -1 if it does not rest.
        wanted_price, wanted_left: price and rest once the amends that are under way are done.
    """

    number: int = 0
    side: int = 0
    price: int = 0
    left: int = 0
    state: int = 0
    ahead: int = 0
    wanted_price: int = 0
    wanted_left: int = 0


@dataclass(slots=True)
class RequestWords:
    """A request of a compiled strategy, see `asking` for functions that write one.

    Attributes:
        what: LIMIT, MARKET, AMEND, CANCEL or WAKE.
        side: BID buys, ASK sells.
        number: the order that is amended or cancelled.
        price: the limit; of an amend also SAME.
        size: of an order; of an amend what is to be left, also SAME.
        post_only, ioc: 1 or 0.
        time: when to wake, ns since 1970.
    """

    what: int = 0
    side: int = 0
    number: int = 0
    price: int = 0
    size: int = 0
    post_only: int = 0
    ioc: int = 0
    time: int = 0


def dtype_of(record: type) -> Any:
    """Return the dtype of a record in an array: a word of 64 bits for each of its attributes."""
    return np.dtype(
        [(each.name, np.float64 if each.type is float else np.int64) for each in fields(record)], align=True
    )


MARKET_WORDS: Final[Any] = dtype_of(MarketWords)
ORDER_WORDS: Final[Any] = dtype_of(OrderWords)
REQUEST_WORDS: Final[Any] = dtype_of(RequestWords)
