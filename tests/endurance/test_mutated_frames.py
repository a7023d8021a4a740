"""Mutated frames into decoder and book: nothing is raised, and what is rejected changes nothing."""

import json
import re
from random import Random

import pytest

from orderbook.decoder import decode_frame
from orderbook.engine import PlainEngine
from orderbook.feeds import FEEDS, Feed
from orderbook.frames import BookFrame, MalformedFrame
from orderbook.tracker import Tracker
from tests.endurance.forms import TIMEOUT_S, cases, tell
from tests.recorder.rows import BTC
from tests.replay.tapes import snapshot, update
from tests.strategies import BAD_PRICES, BAD_SIDES, BAD_SIZES, TIMES

pytestmark = pytest.mark.timeout(TIMEOUT_S)

FRAMES = cases(1_000_000, 100_000) // 2
CHECKED = 50
TOKENS = [*BAD_PRICES, *BAD_SIZES, *BAD_SIDES, *TIMES, *'{}[]",:', "\\u0000", "\\ud800", "é", "\x00", "1e400"]
_STRINGS = re.compile(r'"[^"]*"')


def advanced(kind: str, *levels: tuple[str, str, str]) -> str:
    """Return a frame of the Advanced feed."""
    names = ("side", "price_level", "new_quantity")
    updates = [dict(zip(names, level, strict=True)) for level in levels]
    event = {"type": kind, "product_id": BTC, "updates": updates}
    time = "2026-08-09T21:05:48.506659391Z"
    return json.dumps({"channel": "l2_data", "timestamp": time, "sequence_num": 7, "events": [event]})


SEEDS: dict[Feed, list[str]] = {
    "exchange": [
        snapshot(BTC, [["99", "1"], ["98.5", "2.25"], ["97", "3"]], [["100", "1"], ["101.5", "0.5"]]),
        update(BTC, ("buy", "99.5", "1.5"), ("sell", "100", "0"), ("sell", "100.25", "2")),
        update(BTC, ("buy", "99.5", "0"), ("sell", "100", "1")),
        update(BTC)[:-1] + ', "time": "2026-08-09T21:05:48.506659Z"}',
        '{"type":"subscriptions","channels":[{"name":"level2_50","product_ids":["BTC-USD"]}]}',
        '{"type":"error","message":"Failed to subscribe","reason":"no such product"}',
        '{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD"}',
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
    ],
}


def mutated(text: str, seeds: list[str], rng: Random) -> str:
    """Return a text with one to three changes; as often as not it is still JSON."""
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


@pytest.mark.parametrize("feed", FEEDS)
def test_what_is_rejected_changes_nothing(feed: Feed) -> None:
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
        frame = decode_frame(text, BTC, feed)
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
    tell(f"mutated frames, {feed}", frames=FRAMES, exceptions=0, wrong=wrong, **counts)
    assert not wrong
    assert min(counts.values()) > 0
