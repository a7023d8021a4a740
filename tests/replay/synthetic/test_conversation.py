"""The synthetic exchange's side of a conversation, without a socket."""

import json
from itertools import count
from typing import Any

import pytest

from orderbook.engine import PlainEngine
from orderbook.trades import TradeReader
from orderbook.venues.registry import venue
from replay.synthetic.conversation import Conversation, Markets
from replay.synthetic.settings import MarketSettings
from tests.support.constants import BTC, ETH, MS, START
from tests.support.oracle import Row
from tests.support.rows import to_batch

MARKETS = [MarketSettings(depth=20), MarketSettings(ETH, mid="1900.00", tick="0.05", depth=20)]


def conversation(markets: Markets, feed: str = "exchange") -> Conversation:
    """Return the conversation of a new connection, under a constant clock."""
    return Conversation(feed, markets, lambda: 1_786_309_548_000_000_000)


def subscribe(*products: str, **fields: Any) -> str:
    """Return a subscribe message for either feed."""
    message = {
        "type": "subscribe",
        "product_ids": products,
        "channel": "level2",
        "channels": ["level2_batch"],
    }
    return json.dumps(message | fields)


def test_the_next_connection_continues_the_one_that_got_farthest() -> None:
    """A short connection that ends later does not set the market back."""
    markets = Markets(MARKETS)
    long, short = conversation(markets), conversation(markets)
    for each, rounds in ((long, 30), (short, 10)):
        each.receive(subscribe(BTC))
        for _ in range(rounds):
            each.next_round()
    long.end()
    short.end()
    after = conversation(markets)
    unbroken = conversation(Markets(MARKETS))
    unbroken.receive(subscribe(BTC))
    for _ in range(30):
        unbroken.next_round()
    after.receive(subscribe(BTC))
    assert [after.next_round() for _ in range(5)] == [unbroken.next_round() for _ in range(5)]
    assert (long.next_round(), long.has_book) == ([], False)


def test_a_repeated_subscribe_opens_no_second_book() -> None:
    """A product that has a book gets no other snapshot; the acknowledgement lists all products."""
    talk = conversation(Markets(MARKETS))
    assert len(talk.receive(subscribe(BTC))) == 2
    acknowledgement, snapshot = talk.receive(subscribe(BTC, ETH))
    assert json.loads(acknowledgement)["channels"][0]["product_ids"] == [BTC, ETH]
    assert json.loads(snapshot)["product_id"] == ETH
    assert [json.loads(text)["product_id"] for text in talk.next_round()] == [BTC, ETH]


@pytest.mark.parametrize("message", ["", "[]", "null", '{"type":"unsubscribe"}', subscribe(BTC, "FOO-USD")])
def test_a_refused_message_changes_nothing(message: str) -> None:
    """It is answered by one error frame, and no product of it is served."""
    talk = conversation(Markets(MARKETS))
    (error,) = talk.receive(message)
    assert json.loads(error)["type"] == "error"
    assert (talk.has_book, talk.next_round(), talk.heartbeat()) == (False, [], [])


def test_numbered_frames_are_numbered_in_sending_order() -> None:
    """Snapshots, acknowledgement, updates and heartbeats share one sequence without a gap."""
    talk = conversation(Markets(MARKETS), "advanced")
    frames = talk.receive(subscribe(BTC, ETH))
    frames += talk.receive(subscribe(channel="heartbeats"))
    frames += [*talk.next_round(), *talk.heartbeat(), *talk.next_round()]
    assert [json.loads(text)["sequence_num"] for text in frames] == list(range(9))


@pytest.mark.parametrize(
    ("feed", "book", "trades", "late"),
    [
        ("exchange", "level2_batch", "matches", 0.0),
        ("advanced", "level2", "market_trades", 2 / 3),
    ],
)
def test_trades_come_in_the_order_of_the_feed(feed: str, book: str, trades: str, late: float) -> None:
    """Trades come before the update that shows them, or after it, as on the real feed; none is missing."""
    clock = count(START, 50 * MS)
    talk = Conversation(feed, Markets([MarketSettings(depth=20, trade_every=2)]), clock.__next__)
    texts = talk.receive(subscribe(BTC, channel=trades, channels=[trades]))
    texts += talk.receive(subscribe(BTC, channel=book, channels=[book]))
    for _ in range(400):
        texts += talk.next_round()
    rows = [Row(0, START, 0, "connected", "{}")]
    rows += [Row(seq, START + seq * MS, 0, "frame", text) for seq, text in enumerate(texts, 1)]
    batch = to_batch(rows)
    engine = PlainEngine()
    reader = TradeReader(BTC, venue(feed))
    _, step = engine.step_with_trades(engine.start(BTC, feed), batch, reader)
    found = step.trades
    assert found is not None
    assert (step.anomalies.num_rows, found.gaps, found.malformed) == (0, 0, 0)
    assert found.trades.column("trade_id").to_pylist() == list(range(1, found.trades.num_rows + 1))
    assert found.trades.num_rows > 150
    assert found.late == pytest.approx(late * found.trades.num_rows, rel=0.2)


def test_trades_go_to_subscribers_alone() -> None:
    """A client of the book alone gets no trades, and the same updates."""
    books, both = (conversation(Markets([MarketSettings(depth=20, trade_every=2)])) for _ in range(2))
    both.receive(subscribe(BTC, channels=["matches"]))
    for talk in (books, both):
        talk.receive(subscribe(BTC))
    updates, frames = ([text for _ in range(50) for text in talk.next_round()] for talk in (books, both))
    kinds = [json.loads(text)["type"] for text in frames]
    assert set(kinds) == {"match", "l2update"}
    assert updates == [text for text, kind in zip(frames, kinds, strict=True) if kind == "l2update"]
