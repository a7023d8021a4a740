"""Coinbase Exchange (ws-feed.exchange.coinbase.com): types snapshot and l2update, no numbers."""

from importlib import import_module
from typing import TYPE_CHECKING

from orderbook.venues.base import Venue
from orderbook.venues.coinbase import frames
from orderbook.venues.coinbase.server import compact
from orderbook.venues.exchange import decoder
from orderbook.venues.exchange.server import KEYED_CHANNELS, ExchangeServer

if TYPE_CHECKING:
    from orderbook.venues.columns import ColumnWriter


def subscribe(channel: str, product: str, trades: bool) -> list[str]:
    """Return what to send on a new connection.

    Trades have a message of their own: other clients tell of servers that lose the channels beside the book.

    >>> subscribe("level2_batch", "BTC-USD", trades=False)
    ['{"type":"subscribe","product_ids":["BTC-USD"],"channels":["level2_batch","heartbeat"]}']
    """
    channels = [[channel, "heartbeat"], *([["matches"]] if trades else [])]
    messages = [{"type": "subscribe", "product_ids": [product], "channels": each} for each in channels]
    return [compact(message, ensure_ascii=False) for message in messages]


def column_writer() -> "ColumnWriter":
    """Return what makes frames of columns; most commands do without its slow import."""
    writer: ColumnWriter = import_module("orderbook.venues.exchange.columns")
    return writer


VENUE = Venue(
    name="exchange",
    url="wss://ws-feed.exchange.coinbase.com",
    book_channels=("level2_batch", "level2_50", "level2"),
    keyed_channels=KEYED_CHANNELS,
    heartbeat_channels=("heartbeat",),
    acknowledgement=decoder.ACKNOWLEDGEMENT,
    acknowledged=decoder.acknowledged,
    acknowledges_first=True,
    is_numbered=False,
    reader=0,
    subscribe=subscribe,
    decode=frames.frame_decoder(decoder.read, decoder.BOOK_SIGNS),
    sequence_num=frames.sequence_num,
    kind=frames.kind,
    holds_book=decoder.holds_book,
    holds_snapshot=decoder.holds_snapshot,
    trade_channel="matches",
    trades_first={"level2_batch": True, "level2_50": True, "level2": False},
    trade_kinds=decoder.TRADE_KINDS,
    trade_words=decoder.TRADE_WORDS,
    read_trades=decoder.read_trades,
    update_sign=decoder.UPDATE_SIGN,
    error=frames.error,
    is_final=frames.is_final,
    activity=decoder.activity,
    products_named=frames.products_named,
    server=ExchangeServer,
    column_writer=column_writer,
)
