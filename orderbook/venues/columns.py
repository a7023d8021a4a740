"""Levels and trades in columns, and what makes frames of them: for data that others took apart."""

from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class LevelColumns:
    """Levels of consecutive messages.

    Attributes:
        product, time: of each message the product, and the time in microseconds since 1970.
        first: of each message the place of its first level, and at the end the number of levels.
        is_bid, price, size: of each level the side, and decimal texts.
    """

    product: pa.Array
    time: pa.Array
    first: pa.Array
    is_bid: pa.Array
    price: pa.Array
    size: pa.Array


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """Trades, each a message.

    Attributes:
        product: the product of each.
        time: its time in microseconds since 1970.
        trade_id: its number, as text.
        is_bid: whether the maker's order was a bid.
        price, size: decimal texts.
    """

    product: pa.Array
    time: pa.Array
    trade_id: pa.Array
    is_bid: pa.Array
    price: pa.Array
    size: pa.Array


class ColumnWriter(Protocol):
    """Makes the frames that a venue would have sent. All texts are safe inside JSON strings."""

    def updates(self, levels: LevelColumns) -> pa.Array:
        """Return an update of the book for each message."""

    def snapshots(self, levels: LevelColumns) -> pa.Array:
        """Return a snapshot for each message."""

    def trades(self, found: TradeColumns) -> pa.Array:
        """Return a frame for each trade."""
