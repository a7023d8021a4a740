"""Mutated frames into decoder and book: nothing is raised, and a rejected frame changes nothing."""

import json
import re
from random import Random

import pytest

from orderbook.engine import PlainEngine
from orderbook.events import BookFrame, MalformedFrame
from orderbook.tracker import Tracker
from orderbook.venues.registry import VENUE_NAMES, venue
from tests.endurance.forms import TIMEOUT_S, cases, report
from tests.support.constants import BTC
from tests.support.odd_values import BAD_PRICES, BAD_SIDES, BAD_SIZES, TIMES
from tests.support.tapes import snapshot, update

pytestmark = pytest.mark.timeout(TIMEOUT_S)

FRAMES = cases(1_000_000, 100_000) // 2
CHECKED = 50
TOKENS = [*BAD_PRICES, *BAD_SIZES, *BAD_SIDES, *TIMES, *'{}[]",:', "\\u0000", "\\ud800", "é", "\x00", "1e400"]
_STRINGS = re.compile(r'"[^"]*"')


def advanced(kind: str, *levels: tuple[str, str, str]) -> str:
    """Return a frame of the Advanced feed."""
    names = ("side", "event_time", "price_level", "new_quantity")
    time = "2026-08-09T21:05:48.264069Z"
    updates = [dict(zip(names, (side, time, *level), strict=True)) for side, *level in levels]
    event = {"type": kind, "product_id": BTC, "updates": updates}
    time = "2026-08-09T21:05:48.506659391Z"
    return json.dumps({"channel": "l2_data", "timestamp": time, "sequence_num": 7, "events": [event]})


def advanced_trades(kind: str, *trades: tuple[str, str, str, str]) -> str:
    """Return a frame of trades of the Advanced feed; a trade is (trade_id, side, price, size)."""
    names = ("trade_id", "side", "price", "size")
    time = "2026-08-09T21:05:48.21Z"
    found = [{"product_id": BTC, "time": time, **dict(zip(names, trade, strict=True))} for trade in trades]
    return json.dumps(
        {"channel": "market_trades", "sequence_num": 9, "events": [{"type": kind, "trades": found}]}
    )


MATCH = (
    '{"type":"match","trade_id":21,"side":"sell","size":"0.5","price":"100.25","product_id":"BTC-USD",'
    '"sequence":88,"time":"2026-08-09T21:05:48.506659Z"}'
)

SEEDS: dict[str, list[str]] = {
    "exchange": [
        snapshot(BTC, [["99", "1"], ["98.5", "2.25"], ["97", "3"]], [["100", "1"], ["101.5", "0.5"]]),
        update(BTC, ("buy", "99.5", "1.5"), ("sell", "100", "0"), ("sell", "100.25", "2")),
        update(BTC, ("buy", "99.5", "0"), ("sell", "100", "1")),
        update(BTC)[:-1] + ', "time": "2026-08-09T21:05:48.506659Z"}',
        '{"type":"subscriptions","channels":[{"name":"level2_50","product_ids":["BTC-USD"]}]}',
        '{"type":"error","message":"Failed to subscribe","reason":"no such product"}',
        '{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD"}',
        MATCH,
        MATCH.replace("match", "last_match").replace("21", "19").replace("sell", "buy"),
    ],
    "advanced": [
        advanced(
            "snapshot", ("bid", "99", "1"), ("bid", "98.5", "2"), ("offer", "100", "1"), ("ask", "101", "2")
        ),
        advanced("update", ("bid", "99.5", "1.5"), ("offer", "100", "0"), ("offer", "100.25", "2")),
        advanced("update", ("bid", "99.5", "0"), ("offer", "100", "1")),
        '{"channel":"subscriptions","sequence_num":0,"events":[{"subscriptions":{"level2":["BTC-USD"]}}]}',
        '{"channel":"heartbeats","sequence_num":3,"events":[{"heartbeat_counter":"3"}]}',
        '{"type":"error","message":"authentication failure"}',
        advanced_trades("update", ("21", "SELL", "100.25", "0.123456789"), ("20", "BUY", "99", "2")),
        advanced_trades("snapshot", ("19", "SELL", "100", "1"), ("18", "SELL", "100", "1")),
    ],
}


def mutated(text: str, seeds: list[str], rng: Random) -> str:
    """Return a text with one to three changes; about half of the results are still JSON."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        here, there = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
        way = rng.randrange(8)
        if way <= 2 and (strings := list(_STRINGS.finditer(text))):
            old = rng.choice(strings)
            text = text[: old.start()] + rng.choice(TOKENS) + text[old.end() :]
        elif way == 3:
            text = (
                text[:here] + chr(rng.choice((rng.randrange(128), rng.randrange(0xD800)))) + text[here + 1 :]
            )
        elif way == 4:
            text = text[:here] + text[min(there, here + rng.randrange(12)) :]
        elif way == 5:
            text = text[:there] + text[here:there] * rng.randrange(1, 4) + text[there:]
        elif way == 6:
            text = text[:here] + rng.choice(TOKENS) + text[here:]
        else:
            other = rng.choice(seeds)
            text = text[:here] + other[rng.randrange(len(other)) :]
    return text


@pytest.mark.parametrize("feed", VENUE_NAMES)
def test_a_rejected_frame_changes_nothing(feed: str) -> None:
    """No frame raises; a malformed one and an update without a book leave the book as it was."""
    rng = Random(7)
    seeds = SEEDS[feed]
    engine = PlainEngine()
    state = engine.start(BTC, feed)
    tracker = Tracker(state)
    counts = {"malformed": 0, "book": 0, "other": 0, "early": 0}
    wrong = 0
    for seq in range(FRAMES):
        if seq % 1_000 == 0:
            tracker = Tracker(state)
            tracker.row(seq, seq, 0, "connected", "{}")
        text = seeds[0] if seq % 100 == 20 else mutated(rng.choice(seeds), seeds, rng)
        book = state.book
        before = (dict(book.bids), dict(book.asks), book.is_known, book.absent_deletes, book.noop_sets)
        frame = venue(feed).decode(text, BTC)
        tracker.row(seq, seq, 0, "frame", text)
        after = (dict(book.bids), dict(book.asks), book.is_known, book.absent_deletes, book.noop_sets)
        if isinstance(frame, MalformedFrame):
            counts["malformed"] += 1
            wrong += before != after
        elif not isinstance(frame, BookFrame):
            counts["other"] += 1
            wrong += before != after
        elif not before[2] and not any(event.is_snapshot for event in frame.events):
            counts["early"] += 1
            wrong += before != after
        else:
            counts["book"] += 1
        if seq % CHECKED == 0:
            engine.check(state)
    report(f"mutated frames, {feed}", frames=FRAMES, exceptions=0, wrong=wrong, **counts)
    assert not wrong
    assert min(counts.values()) > 0
