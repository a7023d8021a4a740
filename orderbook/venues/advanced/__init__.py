"""Coinbase Advanced Trade (advanced-trade-ws.coinbase.com): channel l2_data, all messages are numbered."""

from orderbook.venues.advanced import decoder
from orderbook.venues.advanced.server import AdvancedServer
from orderbook.venues.base import Venue
from orderbook.venues.coinbase import frames
from orderbook.venues.coinbase.server import compact


def subscribe(channel: str, product: str, trades: bool) -> list[str]:
    """Return what to send on a new connection.

    >>> subscribe("level2", "BTC-USD", trades=True)[2]
    '{"type":"subscribe","product_ids":["BTC-USD"],"channel":"market_trades"}'
    """
    of_product = {"type": "subscribe", "product_ids": [product]}
    messages = [of_product | {"channel": channel}, {"type": "subscribe", "channel": "heartbeats"}]
    messages += [of_product | {"channel": "market_trades"}] if trades else []
    return [compact(message, ensure_ascii=False) for message in messages]


VENUE = Venue(
    name="advanced",
    url="wss://advanced-trade-ws.coinbase.com",
    book_channels=("level2",),
    # Some clients (cryptofeed) subscribe to heartbeats by their name on Exchange.
    heartbeat_channels=("heartbeats", "heartbeat"),
    acknowledgement=decoder.ACKNOWLEDGEMENT,
    acknowledged=decoder.acknowledged,
    acknowledges_first=False,
    is_numbered=True,
    reader=1,
    subscribe=subscribe,
    decode=frames.frame_decoder(decoder.read, (decoder.BOOK_SIGN,)),
    sequence_num=frames.sequence_num,
    renumbered=frames.renumbered,
    kind=frames.kind,
    holds_book=decoder.holds_book,
    holds_snapshot=decoder.holds_snapshot,
    trade_channel="market_trades",
    trades_first={"level2": None},
    trade_kinds=decoder.TRADE_KINDS,
    trade_words=decoder.TRADE_WORDS,
    read_trades=decoder.read_trades,
    book_time=decoder.book_time,
    update_sign=decoder.BOOK_SIGN,
    error=frames.error,
    is_final=frames.is_final,
    activity=lambda _text, _product: None,
    products_named=frames.products_named,
    server=AdvancedServer,
)
