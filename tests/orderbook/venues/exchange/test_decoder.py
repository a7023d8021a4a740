"""Trades of Coinbase Exchange: what a frame says, in every spelling that the contract of a trade allows."""

import json

import pytest

from orderbook.events import MalformedError, Trade, TradeFrame
from orderbook.venues.exchange.decoder import read_trades
from tests.support.constants import BTC, ETH

MATCH = {
    "type": "match",
    "trade_id": 7,
    "side": "sell",
    "size": "0.5",
    "price": "100.01",
    "product_id": BTC,
    "time": "1970-01-01T00:00:01.5Z",
}


def spelled(**changes: object) -> str:
    """Return a match with some fields changed; None leaves one out."""
    return json.dumps({key: value for key, value in {**MATCH, **changes}.items() if value is not None})


@pytest.mark.parametrize(
    ("side", "maker"), [("sell", "ask"), ("buy", "bid"), ("SELL", "ask"), ("Buy", "bid")]
)
def test_side_is_the_makers(side: str, maker: str) -> None:
    """The side of a match is that of the order that rested, in either case."""
    frame = read_trades(spelled(side=side), BTC)
    assert frame is not None
    assert [trade.maker_side for trade in frame.trades] == [maker]


@pytest.mark.parametrize("trade_id", [7, "7", "007"])
def test_trade(trade_id: object) -> None:
    """A match is one trade; its number is an integer or digits."""
    trade = Trade(7, 1_500_000_000, "ask", 100_01_000_000, "0.5", False)
    assert read_trades(spelled(trade_id=trade_id), BTC) == TradeFrame([trade], None)


def test_what_is_history() -> None:
    """The last match before the subscription is history."""
    frame = read_trades(spelled(type="last_match"), BTC)
    assert frame is not None
    assert frame.trades[0].is_history


def test_a_time_that_cannot_be_read_is_none() -> None:
    """A trade without a valid time is a trade nevertheless."""
    for time in (None, "yesterday", 5):
        frame = read_trades(spelled(time=time), BTC)
        assert frame is not None
        assert frame.trades[0].exchange_time is None


@pytest.mark.parametrize(
    "changes",
    [
        *({"trade_id": wrong} for wrong in (None, 7.0, -1, "41766821.0", "1" * 19, "", True)),
        *({"side": wrong} for wrong in (None, "bid", 1)),
        *({"price": wrong} for wrong in (None, 100.01, "0", "1e2", "-1")),
        *({"size": wrong} for wrong in (None, 0.5, "-1", "1e-8")),
        {"product_id": None},
        {"product_id": 5},
    ],
)
def test_malformed(changes: dict[str, object]) -> None:
    """A match that breaks the format says nothing, whatever product it is about."""
    for kind in ("match", "last_match"):
        with pytest.raises(MalformedError):
            read_trades(spelled(type=kind, **changes), BTC)


def test_other_products_and_frames() -> None:
    """Trades and heartbeats of other products, and frames of other types, say nothing."""
    assert read_trades(spelled(), ETH) is None
    assert read_trades(spelled(type="heartbeat", last_trade_id=9), BTC) == TradeFrame([], 9)
    assert read_trades(spelled(type="heartbeat", last_trade_id=9), ETH) is None
    assert read_trades(spelled(type="heartbeat", last_trade_id="9"), BTC) is None
    assert read_trades(spelled(type="ticker"), BTC) is None
