"""Coinbase Advanced Trade as a server: its spelling of frames, and the subscribe messages that it reads."""

import json

import pytest

from orderbook.venues.advanced.server import AdvancedServer
from orderbook.venues.base import RefusedError

NOON = 1_786_309_548_506_659_390
"""2026-08-09T21:05:48.506659390Z."""
CHANNELS = ("level2", "heartbeats", "heartbeat")


def test_advanced_frames_are_numbered_and_spelled_as_the_feed_spells_them() -> None:
    """Every message counts, times and numbers lose trailing zeros, bids come before offers, both sorted."""
    server = AdvancedServer()
    assert server.update("A-B", [("ask", "10.10", "0"), ("bid", "9.5", "1.00000000")], NOON) == (
        '{"channel":"l2_data","timestamp":"2026-08-09T21:05:48.50665939Z","sequence_num":0,"events":'
        '[{"type":"update","product_id":"A-B","updates":[{"side":"bid","event_time":"2026-08-09T21:05:48.506659Z",'
        '"price_level":"9.5","new_quantity":"1"},{"side":"offer","event_time":"2026-08-09T21:05:48.506659Z",'
        '"price_level":"10.1","new_quantity":"0"}]}]}'
    )
    (heartbeat,) = server.heartbeats({}, 41, NOON, 41_000_000_007)
    assert json.loads(heartbeat)["events"] == [
        {
            "current_time": "2026-08-09 21:05:48.50665939 +0000 UTC m=+41.000000007",
            "heartbeat_counter": 41,
        }
    ]
    ack = json.loads(server.subscriptions({"level2": ["A-B"], "heartbeats": []}, NOON))
    assert ack["sequence_num"] == 2
    assert ack["events"] == [{"subscriptions": {"heartbeats": ["heartbeats"], "level2": ["A-B"]}}]


@pytest.mark.parametrize(
    ("first", "numbers"),
    [(0, [0, 1]), (7, [7, 8]), (None, [None, None])],
)
def test_messages_are_numbered_from_the_first(first: int | None, numbers: list[int | None]) -> None:
    """Numbers count up by one; without a first number no message has one."""
    server = AdvancedServer(first)
    messages = [server.subscriptions({}, NOON), server.update("A-B", [], NOON)]
    assert [json.loads(message).get("sequence_num") for message in messages] == numbers


@pytest.mark.parametrize(
    ("channel", "products", "reason"),
    [
        ("level2", ["A"], None),
        ("heartbeats", [], None),
        ("heartbeat", [], "at least one product ID"),
        ("level2", [], "at least one product ID"),
        ("level2", ["Z"], "Z is not a valid product"),
        ("level2_batch", ["A"], "level2_batch is not a valid channel"),
        (["level2"], ["A"], "channel is not the name of a channel"),
    ],
)
def test_a_message_names_one_channel(channel: object, products: list[str], reason: str | None) -> None:
    """Only heartbeats need no product; a refusal names what is wrong."""
    text = json.dumps({"type": "subscribe", "channel": channel, "product_ids": products})
    if reason is None:
        assert AdvancedServer().read_subscribe(text, ["A"], CHANNELS) == {channel: products}
        return
    with pytest.raises(RefusedError) as refused:
        AdvancedServer().read_subscribe(text, ["A"], CHANNELS)
    assert reason in refused.value.reason
