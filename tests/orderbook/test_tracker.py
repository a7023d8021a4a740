"""The core against the naive oracle: whatever the rows, both must say the same."""

import json
import struct
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from orderbook.digest import Digest, run_digest
from orderbook.engine import PlainEngine
from orderbook.schema import FLOW_ANOMALY_SCHEMA, FLOW_SUMMARY_SCHEMA
from orderbook.venues.registry import VENUE_NAMES
from tests.endurance.forms import TIMEOUT_S, cases
from tests.support import oracle
from tests.support import random_frames as strategies
from tests.support.constants import BTC
from tests.support.odd_values import (
    BAD_PRICES,
    BAD_SIDES,
    BAD_SIZES,
    BAD_TIMES,
    BAD_VALUES,
    GOOD_PRICES,
    GOOD_SIZES,
    GOOD_VALUES,
    NAMES,
    NOT_FRAMES,
    TIMES,
    nest,
)
from tests.support.oracle import Row
from tests.support.rows import cut, to_batch

SETTINGS = settings(
    max_examples=cases(5_000, 40),  # drawing one takes longer than both runs of it
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
GOOD_SNAPSHOT = {
    "exchange": '{"type":"snapshot","product_id":"BTC-USD","bids":[["100","1"]],"asks":[["101","2"]]}',
    "advanced": (
        '{"channel":"l2_data","events":[{"type":"snapshot","product_id":"BTC-USD","updates":['
        '{"side":"bid","price_level":"100","new_quantity":"1"},'
        '{"side":"offer","price_level":"101","new_quantity":"2"}]}]}'
    ),
}
EMPTY_UPDATE = {
    "exchange": '{"type":"l2update","product_id":"BTC-USD","changes":[]}',
    "advanced": '{"channel":"l2_data","events":[{"type":"update","product_id":"BTC-USD","updates":[]}]}',
}


def to_plain(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return a batch as dicts: times in nanoseconds, doubles as their bits so that 0.0 and -0.0 differ."""
    columns = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        values = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        columns[name] = [struct.pack("<d", value) if isinstance(value, float) else value for value in values]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def core_run(rows: list[Row], feed: str, cuts: list[int], product: str = BTC) -> dict[str, Any]:
    """Return all that the core gives for rows, in batches cut at these places."""
    engine = PlainEngine()
    state = engine.start(product, feed)
    digest = Digest()
    summaries: list[dict[str, Any]] = []
    anomalies: list[tuple[int, int, str]] = []
    absent_deletes = noop_sets = 0
    for batch in cut(rows, cuts):
        state, step = engine.step(state, batch)
        engine.check(state)
        assert step.summaries.schema == FLOW_SUMMARY_SCHEMA
        assert step.anomalies.schema == FLOW_ANOMALY_SCHEMA
        summaries += to_plain(step.summaries)
        anomalies += [(row["seq"], row["recv_time"], row["kind"]) for row in to_plain(step.anomalies)]
        absent_deletes += step.absent_deletes
        noop_sets += step.noop_sets
        digest.update(step.summaries)
    return {
        "anomalies": anomalies,
        "summaries": summaries,
        "absent_deletes": absent_deletes,
        "noop_sets": noop_sets,
        "digest": digest.hexdigest(),
        "run_digest": run_digest({product: digest.hexdigest()}),
    }


def oracle_run(rows: list[Row], feed: str, product: str = BTC) -> dict[str, Any]:
    """Return the same of the oracle."""
    run = oracle.replay(rows, product, feed)
    digest = oracle.product_digest(run.summaries)
    times = {row.seq: row.recv_time for row in rows}
    return {
        "anomalies": [(seq, times[seq], kind) for seq, kind in run.anomalies],
        "summaries": [
            {k: struct.pack("<d", v) if isinstance(v, float) else v for k, v in summary._asdict().items()}
            for summary in run.summaries
        ],
        "absent_deletes": run.absent_deletes,
        "noop_sets": run.noop_sets,
        "digest": digest,
        "run_digest": oracle.run_digest({product: digest}),
    }


def on_one_connection(*frames: str) -> list[Row]:
    """Return frames as the rows of a connection that this product has to itself."""
    payloads = [("connected", json.dumps({"products": [BTC]})), *(("frame", frame) for frame in frames)]
    return [Row(seq, 10**9 + seq, 0, kind, payload) for seq, (kind, payload) in enumerate(payloads)]


# Whole tapes


@pytest.mark.parametrize("feed", VENUE_NAMES)
@pytest.mark.timeout(TIMEOUT_S + 480)  # shrinking a failure takes its time
@SETTINGS
@given(data=st.data())
def test_core_equals_oracle(feed: str, data: st.DataObject) -> None:
    """Summaries, anomalies, counts and digest of any rows in any batches are those of the oracle."""
    rows = data.draw(strategies.tape_rows(feed))
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=4))
    expected = oracle_run(rows, feed)
    for kind in {kind for _, _, kind in expected["anomalies"]}:
        event(kind)
    event(f"summaries: {min(len(expected['summaries']), 10) // 5 * 5}+")
    assert core_run(rows, feed, cuts) == expected


@pytest.mark.parametrize("feed", VENUE_NAMES)
def test_digest_across_blocks(feed: str) -> None:
    """The digest is the oracle's where the summaries fill a block, skip one and begin another."""
    rows = on_one_connection(GOOD_SNAPSHOT[feed], *[EMPTY_UPDATE[feed]] * 200)
    rows = [row._replace(seq=row.seq + (4000 if row.seq < 120 else 12_000)) for row in rows]
    assert core_run(rows, feed, [50, 96, 97, 150]) == oracle_run(rows, feed)


# One bad thing at a time


UPDATE = {
    "exchange": '{"type":"l2update","product_id":"BTC-USD","changes":[["buy","99","3"],CHANGE],"time":null}',
    "advanced": (
        '{"channel":"l2_data","events":[{"type":"update","updates":'
        '[{"side":"bid","price_level":"99","new_quantity":"3"},CHANGE],"product_id":"BTC-USD"}]}'
    ),
}
CHANGE = {
    "exchange": "[SIDE,PRICE,SIZE]",
    "advanced": '{"side":SIDE,"price_level":PRICE,"new_quantity":SIZE}',
}
FIELDS = {
    "exchange": ["product_id", "changes"],
    "advanced": ["events", "type", "product_id", "updates", "side", "price_level", "new_quantity"],
}
LEVELS = ["null", "1", '"level"', "{}", "[]", '["buy"]', '["buy","1"]', '["buy","1","1","1"]', "[[]]", "true"]


def update_frame(feed: str, *, side: str | None = None, price: str = '"100.5"', size: str = '"1"') -> str:
    """Return an update of two levels, the second made of these JSON texts."""
    if side is None:
        side = '"sell"' if feed == "exchange" else '"offer"'
    change = CHANGE[feed].replace("SIDE", side).replace("PRICE", price).replace("SIZE", size)
    return UPDATE[feed].replace("CHANGE", change)


def bad_numbers(feed: str) -> Iterator[tuple[str, str]]:
    """Yield a name and the text of frames with one bad price, size or side."""
    yield "price of another product", update_frame(feed, price='"1e5"').replace(BTC, "ETH-USD")
    for price in BAD_PRICES:
        yield f"price {price}", update_frame(feed, price=price)
    for size in BAD_SIZES:
        yield f"size {size}", update_frame(feed, size=size)
    others = ['"bid"', '"offer"', '"ask"'] if feed == "exchange" else ['"buy"', '"sell"', '"Bid"']
    for side in [*BAD_SIDES, *others]:
        yield f"side {side}", update_frame(feed, side=side)


def bad_shapes(feed: str) -> Iterator[tuple[str, str]]:
    """Yield a name and the text of frames that are cut, no JSON, or lack a field or its type."""
    good = update_frame(feed)
    for level in LEVELS:
        yield f"level {level}", UPDATE[feed].replace("CHANGE", level)
    for value in BAD_VALUES:
        yield f"unread {value[:30]}", '{"extra":' + value + "," + good[1:]
    for text in NOT_FRAMES:
        yield f"text {text[:30]}", text
    for length in range(0, len(good), 7):
        yield f"cut at {length}", good[:length]
    for key in FIELDS[feed]:
        yield f"no {key}", good.replace(f'"{key}"', '"renamed"')
        for value in ("null", "1", "true", '{"a":1}', '["a"]', '[["a"]]'):
            yield f"{key} {value}", good.replace(f'"{key}":', f'"{key}":{value},"renamed":')
    for key in sorted({"changes", "events", "updates"} & set(FIELDS[feed])):  # one order for all workers
        yield f"{key} text", good.replace(f'"{key}":', f'"{key}":"x","renamed":')


BAD_TEXTS = [
    pytest.param(feed, text, id=ascii(f"{feed} {name}")[1:-1])
    for feed in VENUE_NAMES
    for name, text in [*bad_numbers(feed), *bad_shapes(feed)]
]


@pytest.mark.parametrize(("feed", "text"), BAD_TEXTS)
def test_bad_frame_changes_nothing(feed: str, text: str) -> None:
    """A bad frame is exactly one malformed anomaly, and the next good summary shows the book as it was."""
    rows = on_one_connection(GOOD_SNAPSHOT[feed], text, EMPTY_UPDATE[feed])
    actual = core_run(rows, feed, [])
    assert [kind for _, _, kind in actual["anomalies"]] == ["malformed"]
    before, after = (summary["bid_price"] + summary["ask_price"] for summary in actual["summaries"])
    assert before == after == struct.pack("<dd", 100, 101)
    assert actual == oracle_run(rows, feed)


@pytest.mark.parametrize("feed", VENUE_NAMES)
def test_only_a_frame_of_the_book_makes_it_diverge(feed: str) -> None:
    """What is left of a snapshot or an update is a change that was missed; other text is none."""
    book = [GOOD_SNAPSHOT[feed][:-1], EMPTY_UPDATE[feed][:-9]]
    other = [
        "",
        "no JSON {",
        "[1]",
        '{"type":"heartbeat"',
        '{"channel":"heartbeats","sequence_num":',
        '{"a":1}',
    ]
    engine = PlainEngine()
    for texts, diverged in ((book, {0}), (other, set())):
        for text in texts:
            rows = to_batch(on_one_connection(GOOD_SNAPSHOT[feed], text))
            _, step = engine.step(engine.start(BTC, feed), rows)
            assert step.anomalies.column("kind").to_pylist() == ["malformed"]
            assert step.diverged == diverged, text


def good_numbers() -> Iterator[tuple[str, str]]:
    """Yield prices and sizes at the edges of what is allowed, and each spelling of the grid."""
    for price in [*GOOD_PRICES, "0.00000001", "9007199254.74099311", "1." + "0" * 5000]:
        yield price, "1"
    for size in [*GOOD_SIZES, "9007199254740993.000000001"]:
        yield "100", size


@pytest.mark.parametrize("feed", VENUE_NAMES)
def test_good_numbers(feed: str) -> None:
    """Every spelling of a price or size within the limits is read, and comes out as the nearest double."""
    frames = []
    for price, size in good_numbers():
        frames.append(GOOD_SNAPSHOT[feed].replace('"100"', f'"{price}"').replace('"1"', f'"{size}"'))
    rows = on_one_connection(*frames)
    actual = core_run(rows, feed, [])
    assert len(actual["summaries"]) == len(frames)
    assert actual == oracle_run(rows, feed)


@pytest.mark.parametrize("feed", VENUE_NAMES)
def test_times(feed: str) -> None:
    """A time of the exact form is read to the nanosecond, any other is null and rejects nothing."""
    key = "time" if feed == "exchange" else "timestamp"
    texts = [*TIMES, *BAD_TIMES]
    rows = on_one_connection(*('{"' + key + '":' + text + "," + GOOD_SNAPSHOT[feed][1:] for text in texts))
    actual = core_run(rows, feed, [])
    read = [summary["exchange_time"] is not None for summary in actual["summaries"]]
    assert read == [True] * len(TIMES) + [False] * len(BAD_TIMES)
    assert actual == oracle_run(rows, feed)


@pytest.mark.parametrize("feed", VENUE_NAMES)
def test_unread_values(feed: str) -> None:
    """What a field that nobody reads holds is of no account as long as it is JSON."""
    values = GOOD_VALUES
    rows = on_one_connection(*('{"extra":' + value + "," + GOOD_SNAPSHOT[feed][1:] for value in values))
    actual = core_run(rows, feed, [])
    assert actual["anomalies"] == []
    assert actual == oracle_run(rows, feed)


@pytest.mark.parametrize("feed", VENUE_NAMES)
@pytest.mark.parametrize("name", NAMES)
def test_names(feed: str, name: str) -> None:
    """Types and channels on either feed's list pass in silence, others are unknown, under either key."""
    word = json.dumps(name)
    rows = on_one_connection(
        f'{{"type":{word}}}',
        f'{{"channel":{word}}}',
        f'{{"type":{word},"channel":"ticker"}}',
        f'{{"type":"ticker","channel":{word}}}',
        f'{{"type":{word},"channel":null}}',
        f'{{"type":1,"channel":{word}}}',
    )
    assert core_run(rows, feed, []) == oracle_run(rows, feed)


@pytest.mark.parametrize(
    ("text", "gaps"),
    [
        pytest.param('{"channel":"heartbeats","sequence_num":2}', [], id="next"),
        pytest.param('{"channel":"l2_data","sequence_num":2}', [], id="malformed book frame"),
        pytest.param('{"sequence_num":2}', [], id="neither type nor channel"),
        pytest.param('{"channel":"l2_data","sequence_num":5}', [2, 3], id="malformed and a gap"),
        pytest.param('{"channel":"x","sequence_num":2,"x":' + nest(64) + "}", [3], id="too deep"),
        pytest.param('{"channel":"x","sequence_num":2', [3], id="not JSON"),
        pytest.param('{"channel":"x","sequence_num":2.0}', [3], id="not an integer"),
        pytest.param('{"channel":"x","sequence_num":7,"sequence_num":2}', [], id="duplicate key"),
    ],
)
def test_sequence(text: str, gaps: list[int]) -> None:
    """What is JSON counts, even where it is no book frame; what is not leaves a hole that the next shows."""
    good = GOOD_SNAPSHOT["advanced"]
    rows = on_one_connection('{"sequence_num":1,' + good[1:], text, '{"sequence_num":3,' + good[1:])
    actual = core_run(rows, "advanced", [2])
    assert [seq for seq, _, kind in actual["anomalies"] if kind == "gap"] == gaps
    assert actual == oracle_run(rows, "advanced")
