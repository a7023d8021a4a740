"""The answers to a served client, without a socket."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close

from orderbook.connection_marks import Disconnected
from orderbook.venues.registry import venue
from recorder.live.connection_check import ENDED_BY_US
from replay.serving.merging import ServedFrame
from replay.serving.protocol import ClientSubscriptions, close_frame
from tests.support.constants import BTC, ETH


@given(st.none() | st.integers(0, 5000), st.text(max_size=200))
def test_every_recorded_close_can_be_sent(code: int | None, reason: str) -> None:
    """A close frame is one that RFC 6455 allows, with the recorded code and as much of the reason as fits."""
    found = close_frame(Disconnected(code, reason.encode(errors="ignore").decode()))
    if found is None:
        assert code is None or code == ENDED_BY_US or code < 1000 or 1004 <= code < 3000 or code >= 5000
        return
    close = Close(*found)
    close.check()
    assert len(close.serialize()) <= 125
    assert close.code == code
    assert reason.encode(errors="ignore").decode().startswith(close.reason)


def subscribe(*products: str, channel: str) -> str:
    """Return a subscribe message for either feed."""
    message = {"type": "subscribe", "product_ids": products, "channel": channel, "channels": [channel]}
    return json.dumps(message)


@pytest.mark.parametrize(
    ("feed", "channel"), [("exchange", "level2_batch"), ("exchange", "level2"), ("advanced", "level2")]
)
def test_a_book_begins_once(feed: str, channel: str) -> None:
    """A product that is subscribed to again, alone or with others, does not begin again."""
    client = ClientSubscriptions(venue(feed), [BTC, ETH])
    assert client.receive(subscribe(BTC, channel=channel)).products == (BTC,)
    assert client.receive(subscribe(BTC, ETH, channel=channel)).products == (ETH,)
    assert not client.receive(subscribe(ETH, channel=channel)).products


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_a_refusal_begins_nothing(feed: str) -> None:
    """A message with one unknown product is answered by an error frame alone."""
    client = ClientSubscriptions(venue(feed), [BTC])
    answer = client.receive(subscribe(BTC, "FOO-USD", channel="level2"))
    assert (answer.products, answer.heartbeats) == ((), ())
    (error,) = answer.replies
    assert "FOO-USD" in error
    assert client.receive(subscribe(BTC, channel="level2")).products == (BTC,)


def test_heartbeats_without_numbers_go_to_subscribers_of_the_product() -> None:
    """A frame that only contains the word is not a heartbeat and goes to every client with a book."""
    client = ClientSubscriptions(venue("exchange"), [BTC, ETH])
    client.receive(subscribe(BTC, ETH, channel="level2"))
    client.receive(subscribe(ETH, channel="heartbeat"))
    for text, products, expected in [
        ('{"type":"heartbeat","product_id":"BTC-USD"}', (BTC,), False),
        ('{"type":"heartbeat","product_id":"ETH-USD"}', (ETH,), True),
        ('{"type":"error","message":"\\"heartbeat\\""}', (BTC,), True),
        ('not JSON, but a "heartbeat"', (BTC,), True),
    ]:
        assert client.includes(ServedFrame(0, text, products)) == expected
