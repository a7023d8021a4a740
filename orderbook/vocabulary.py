"""The types and channels that Coinbase documents, on either feed. Anything else is `unknown`."""

from typing import Final

# fmt: off  a word list reads best in lines
EXCHANGE_TYPES: Final = frozenset(
    [
        "subscriptions",
        "error",
        "heartbeat",
        "status",
        "ticker",
        "snapshot",
        "l2update",
        "auction",
        "rfq_match",
        "balance",
        "received",
        "open",
        "done",
        "match",
        "last_match",
        "change",
        "activate",
    ]
)
"""Values of `type` on the Exchange feed."""

ADVANCED_CHANNELS: Final = frozenset(
    [
        "subscriptions",
        "heartbeats",
        "candles",
        "status",
        "ticker",
        "ticker_batch",
        "l2_data",
        "market_trades",
        "user",
        "futures_balance_summary",
    ]
)
"""Values of `channel` on the Advanced Trade feed."""
# fmt: on

DOCUMENTED: Final = EXCHANGE_TYPES | ADVANCED_CHANNELS
"""What is on either list is known wherever it turns up."""
