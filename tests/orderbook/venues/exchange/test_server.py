"""Coinbase Exchange as a server: its spelling of frames, and the subscribe messages that it reads."""

import json

import pytest

from orderbook.venues.base import RefusedError
from orderbook.venues.exchange.server import ExchangeServer

NOON = 1_786_309_548_506_659_390
"""2026-08-09T21:05:48.506659390Z."""
CHANNELS = ("level2_batch", "heartbeat")


def test_exchange_frames_are_spelled_as_the_feed_spells_them() -> None:
    """Key order, six digits of time, buy and sell, deletions with eight decimals."""
    server = ExchangeServer()
    assert server.snapshot("A-B", [("9.99", "0.50000000")], [("10.01", "1.00000000")], NOON) == (
        '{"type":"snapshot","product_id":"A-B","asks":[["10.01","1.00000000"]],'
        '"bids":[["9.99","0.50000000"]],"time":"2026-08-09T21:05:48.506659Z"}'
    )
    assert server.update("A-B", [("ask", "10.01", "0"), ("bid", "9.98", "0.25000000")], NOON) == (
        '{"type":"l2update","product_id":"A-B","changes":[["sell","10.01","0.00000000"],'
        '["buy","9.98","0.25000000"]],"time":"2026-08-09T21:05:48.506659Z"}'
    )
    assert server.subscriptions({"level2_batch": ["A-B"]}, NOON) == (
        '{"type":"subscriptions","channels":[{"name":"level2_50","product_ids":["A-B"],"account_ids":null}]}'
    )
    (heartbeat,) = server.heartbeats({"A-B": 9}, 3, NOON, 0)
    assert json.loads(heartbeat)["sequence"] == 1


def test_a_subscribe_may_name_channels_as_text_or_as_objects() -> None:
    """An object's own products count for it alone; a bare name takes those of the message."""
    own = {"name": "level2_batch", "product_ids": ["B"]}
    text = json.dumps({"type": "subscribe", "product_ids": ["A"], "channels": ["heartbeat", own]})
    read = ExchangeServer().read_subscribe(text, ["A", "B"], CHANNELS)
    assert read == {
        "heartbeat": ["A"],
        "level2_batch": ["B"],
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json", "Expecting value"),
        ("[]", "type is not subscribe"),
        ('{"type":"subscribe","channels":["level2_batch"]}', "at least one product ID"),
        ('{"type":"subscribe","product_ids":["A"],"channels":["level2"]}', "require authentication"),
        ('{"type":"subscribe","product_ids":["A"],"channels":["nope"]}', "not a valid channel"),
        ('{"type":"subscribe","product_ids":["Z"],"channels":["level2_batch"]}', "Z is not a valid product"),
        ('{"type":"subscribe","product_ids":"A","channels":["level2_batch"]}', "not a list of product ids"),
        ('{"type":"subscribe","product_ids":["A"]}', "not a list of channels"),
    ],
)
def test_what_cannot_be_served_is_refused_with_a_reason(text: str, reason: str) -> None:
    """A malformed subscribe names what is wrong with it."""
    with pytest.raises(RefusedError) as refused:
        ExchangeServer().read_subscribe(text, ["A"], CHANNELS)
    assert reason in refused.value.reason
