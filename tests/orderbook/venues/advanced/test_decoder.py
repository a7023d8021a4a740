"""Trades of Coinbase Advanced Trade: what a frame says, and the book time of a frame of the book."""

import json

import pytest

from orderbook.events import MalformedError
from orderbook.times import parse_time
from orderbook.venues.advanced.decoder import book_time, read_trades
from tests.support.constants import BTC, ETH


def trade(number: object, product: str = BTC, **changes: object) -> dict[str, object]:
    """Return a trade as the feed spells it."""
    fields = {"product_id": product, "trade_id": str(number), "price": "65083.67", "size": "0.002186"}
    return {**fields, "time": "2026-08-09T21:05:42.514318Z", "side": "SELL", **changes}


def spelled(*events: tuple[str, list[dict[str, object]]], channel: str = "market_trades") -> str:
    """Return a frame."""
    listed = [{"type": kind, "trades": trades} for kind, trades in events]
    return json.dumps({"channel": channel, "timestamp": "x", "sequence_num": 0, "events": listed})


def test_newest_first_becomes_oldest_first() -> None:
    """Trades of the product are sorted by their number; those of a snapshot are history."""
    text = spelled(("snapshot", [trade(3), trade(2)]), ("update", [trade(5), trade(9, ETH), trade(4)]))
    frame = read_trades(text, BTC)
    assert frame is not None
    assert [(each.trade_id, each.is_history) for each in frame.trades] == [
        *((2, True), (3, True)),
        *((4, False), (5, False)),
    ]
    assert {(each.maker_side, each.price, each.size) for each in frame.trades} == {
        ("ask", 65083_67_000_000, "0.002186")
    }
    assert read_trades(text, "SOL-USD") is None
    assert read_trades(spelled(("update", [trade(1)]), channel="ticker"), BTC) is None


@pytest.mark.parametrize(
    "events",
    [
        [("replace", [trade(1)])],
        [("update", [trade(1, ETH, side="NONE")])],
        [("update", [trade("1.0")])],
        [("update", [trade(1), trade(2, price="0")])],
        [("update", ["no object"])],
        [("update", None)],
    ],
)
def test_malformed(events: list[tuple[str, list[dict[str, object]]]]) -> None:
    """One wrong trade, of whichever product, spoils the frame."""
    with pytest.raises(MalformedError):
        read_trades(spelled(*events), BTC)


def test_book_time_is_the_largest_of_the_product() -> None:
    """The changes of a batch have times of their own; other products and invalid times do not count."""

    def change(time: object) -> dict[str, object]:
        return {"side": "bid", "event_time": time, "price_level": "1", "new_quantity": "1"}

    events = [
        {"type": "update", "product_id": BTC, "updates": [change("1970-01-01T00:00:02Z"), change("x")]},
        {"type": "update", "product_id": BTC, "updates": [change("1970-01-01T00:00:01Z")]},
        {"type": "update", "product_id": ETH, "updates": [change("1970-01-01T00:00:09Z")]},
    ]
    text = json.dumps({"channel": "l2_data", "timestamp": "1970-01-01T00:00:30Z", "events": events})
    assert book_time(text, BTC) == parse_time("1970-01-01T00:00:02Z")
    assert book_time(text, "SOL-USD") is None
