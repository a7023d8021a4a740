"""What a compiled strategy is written with: the words of its arrays, and functions that write its requests.

    from booktape.words import ASK, BID, quote

They are compiled with the strategy; in plain Python they are plain Python.
"""

from orderbook.execution.asking import amend, cancel, cancel_side, limit, market, quote, wake_at
from orderbook.execution.words import (
    AMEND,
    AMENDING,
    ASK,
    BID,
    CANCEL,
    CANCELLING,
    LIMIT,
    MARKET,
    MOST_REQUESTS,
    RESTING,
    SAME,
    SENT,
    WAKE,
    MarketWords,
    OrderWords,
    RequestWords,
)

__all__ = [
    "AMEND",
    "AMENDING",
    "ASK",
    "BID",
    "CANCEL",
    "CANCELLING",
    "LIMIT",
    "MARKET",
    "MOST_REQUESTS",
    "RESTING",
    "SAME",
    "SENT",
    "WAKE",
    "MarketWords",
    "OrderWords",
    "RequestWords",
    "amend",
    "cancel",
    "cancel_side",
    "limit",
    "market",
    "quote",
    "wake_at",
]
