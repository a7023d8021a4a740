"""Trades of a tape: none lost, doubled or dated wrongly, whatever the batches; missing ones are counted."""

import gzip
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.engine import PlainEngine
from orderbook.trades import TradeReader, TradeTally
from orderbook.venues.registry import venue
from tests.support.constants import BTC, CAPTURES, MS, START
from tests.support.oracle import Row
from tests.support.rows import cut

SUBSCRIBED = json.dumps({"products": [BTC], "subscribe": ['{"channels":["matches"]}']})


def time_text(ms: int) -> str:
    """Return the time of a millisecond after the epoch."""
    return f"1970-01-01T00:00:{ms // 1000:02d}.{ms % 1000:03d}Z"


def match(trade_id: int, ms: int, kind: str = "match", price: str = "100") -> str:
    """Return a trade that hit a bid."""
    fields = {"type": kind, "trade_id": trade_id, "side": "buy", "size": "1", "price": price}
    return json.dumps({**fields, "product_id": BTC, "time": time_text(ms)})


def heartbeat(last_trade_id: int) -> str:
    """Return a heartbeat."""
    return json.dumps({"type": "heartbeat", "product_id": BTC, "last_trade_id": last_trade_id})


def update(ms: int) -> str:
    """Return a change of the book."""
    changes = [["buy", "99", str(ms + 1)]]
    return json.dumps({"type": "l2update", "product_id": BTC, "changes": changes, "time": time_text(ms)})


def snapshot(ms: int) -> str:
    """Return a book."""
    sides = {"bids": [["100", "5"]], "asks": [["101", "5"]]}
    return json.dumps({"type": "snapshot", "product_id": BTC, **sides, "time": time_text(ms)})


def rows_of(payloads: Sequence[str], connected: str = SUBSCRIBED) -> list[Row]:
    """Return the rows of one connection; an empty text ends it and opens another one."""
    rows = [Row(0, START, 0, "connected", connected)]
    for payload in payloads:
        seq, connection = len(rows), rows[-1].connection
        if payload:
            rows.append(Row(seq, START + seq * MS, connection, "frame", payload))
        else:
            rows.append(Row(seq, START + seq * MS, connection, "disconnected", "{}"))
            rows.append(Row(seq + 1, START + (seq + 1) * MS, connection + 1, "connected", connected))
    return rows


def read(
    rows: Sequence[Row], cuts: Sequence[int] = (), feed: str = "exchange"
) -> tuple[list[Any], TradeTally]:
    """Return the trades, and the counts, of rows that come in batches."""
    engine = PlainEngine()
    state, reader, tally = engine.start(BTC, feed), TradeReader(BTC, venue(feed)), TradeTally()
    trades: list[Any] = []
    for batch in cut(rows, cuts):
        state, step = engine.step_with_trades(state, batch, reader)
        found = step.trades
        assert found is not None
        trades += found.trades.to_pylist()
        tally.add(found)
    return trades, tally


def test_a_trade_that_comes_again_is_one_trade() -> None:
    """A trade_id that a connection has shown is no other trade, on the next connection it may be history."""
    payloads = [
        match(7, 1),
        match(7, 1),
        match(8, 2),
        match(7, 1),
        "",
        match(8, 2, "last_match"),
        match(9, 3),
    ]
    trades, tally = read(rows_of(payloads))
    assert [(each["trade_id"], each["is_history"]) for each in trades] == [
        (7, False),
        (8, False),
        (8, True),
        (9, False),
    ]
    assert (tally.trades, tally.repeated, tally.gaps) == (4, 2, 0)
    assert "2 frames with a trade_id that had come before" in tally.summary()


@pytest.mark.parametrize(
    ("payloads", "gaps"),
    [
        ([match(5, 1), match(6, 2), match(7, 3)], 0),
        ([match(5, 1), match(7, 2), match(9, 3)], 2),
        ([match(5, 1), match(5, 1), match(4, 1), match(6, 2)], 0),  # a repetition is no hole
        ([match(5, 1, "last_match"), match(6, 2)], 0),
        ([match(5, 1, "last_match"), match(7, 2)], 1),
        ([match(5, 1), heartbeat(5), match(6, 2), heartbeat(6)], 0),
        ([match(5, 1), heartbeat(8), match(9, 2)], 1),
        ([heartbeat(5), heartbeat(5), match(6, 1)], 0),
        ([heartbeat(5), match(7, 1)], 1),
        ([match(5, 1), "", match(9, 2)], 0),  # an interruption is no gap
    ],
)
def test_gaps(payloads: list[str], gaps: int) -> None:
    """A jump of the number is a gap, once; what an interruption swallowed is none."""
    assert read(rows_of(payloads))[1].gaps == gaps


def test_heartbeats_count_only_beside_trades() -> None:
    """A connection without the trades channel misses no trades: its heartbeats tell of those of others."""
    rows = rows_of([heartbeat(5), heartbeat(9)], connected="{}")
    assert read(rows)[1].gaps == 0
    assert read(rows_of([heartbeat(5), heartbeat(9)]))[1].gaps == 1


def test_late() -> None:
    """A trade is late if the book had its time before it came; not by the book of another connection."""
    payloads = [snapshot(10), match(1, 10), match(2, 11), update(12), match(3, 12), match(4, 13)]
    trades, tally = read(rows_of([*payloads, "", match(5, 1), snapshot(30), match(6, 30)]))
    assert [trade["trade_id"] for trade in trades] == [1, 2, 3, 4, 5, 6]
    assert tally.late == 3  # 1, 3 and 6
    assert read(rows_of([snapshot(10), match(1, 5, "last_match")]))[1].late == 0


def test_an_update_before_the_snapshot_dates_no_book() -> None:
    """Only a frame that the book took tells up to when it is known."""
    assert read(rows_of([update(50), match(1, 20), snapshot(30), match(2, 20)]))[1].late == 1


def test_malformed_trades_are_counted_and_left_out() -> None:
    """A frame that cannot be read gives no trade, and its number is missing."""
    trades, tally = read(rows_of([match(1, 1), match(2, 2, price="0"), match(3, 3)]))
    assert [trade["trade_id"] for trade in trades] == [1, 3]
    assert (tally.malformed, tally.gaps) == (1, 1)


def test_an_escaped_word_hides_no_trade() -> None:
    """JSON may spell any letter as an escape."""
    (trade,), _ = read(rows_of([match(1, 1).replace('"match"', '"m\\u0061tch"')]))
    assert trade["trade_id"] == 1


_PAYLOADS = st.one_of(
    st.builds(match, st.integers(1, 9), st.integers(0, 40), st.sampled_from(["match", "last_match"])),
    st.builds(heartbeat, st.integers(1, 9)),
    st.builds(update, st.integers(0, 40)),
    st.builds(snapshot, st.integers(0, 40)),
    st.just(""),
    st.just("no JSON"),
)


@given(payloads=st.lists(_PAYLOADS, max_size=25), cuts=st.lists(st.integers(0, 30), max_size=6))
def test_batches_do_not_matter(payloads: list[str], cuts: list[int]) -> None:
    """Trades, counts and digest are those of the rows, however they are cut."""
    rows = rows_of(payloads)
    whole, cut_up = read(rows), read(rows, cuts)
    assert whole[0] == cut_up[0]
    counts = [
        (each.trades, each.gaps, each.late, each.malformed, each.digest.hexdigest())
        for _, each in (whole, cut_up)
    ]
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("capture", "product", "live", "late"),
    [
        ("exchange-2021-04-ten-products", "SKL-USD", 52, 52),  # level2 shows a trade before it tells of it
        ("l3-2018-03-LTC", "LTC-USD", 59, 57),
        ("advanced-2026-08-btc-eth", "BTC-USD", 47, 31),
        ("advanced-2026-08-btc-eth", "ETH-USD", 32, 23),
    ],
)
def test_captures(capture: str, product: str, live: int, late: int) -> None:
    """Real trades are complete, and late if a plain reading of the JSON says so."""
    path = CAPTURES / f"{capture}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["frame"] for line in lines]
    feed = "advanced" if capture.startswith("advanced") else "exchange"
    rows = [Row(0, START, 0, "connected", "{}")]
    rows += [Row(seq, START + seq * MS, 0, "frame", text) for seq, text in enumerate(texts, 1)]
    engine = PlainEngine()
    (batch,) = cut(rows, [])
    reader = TradeReader(product, venue(feed))
    found = engine.step_with_trades(engine.start(product, feed), batch, reader)[1].trades
    assert found is not None
    numbers = [each["trade_id"] for each in found.trades.to_pylist() if not each["is_history"]]
    expected = trades_in(texts, product)
    assert sorted(numbers) == sorted(expected)
    assert found.late == sum(expected.values())
    assert (len(numbers), found.gaps, found.late, found.malformed) == (live, 0, late, 0)


def trades_in(texts: Sequence[str], product: str) -> dict[int, bool]:
    """Return the trades after the subscription by number, and whether a frame of the book had their time.

    The times of these captures are ISO texts of one width, which sort as text.
    """
    found = {}
    latest = ""
    for frame in map(json.loads, texts):
        if frame.get("type") in ("snapshot", "l2update") and frame["product_id"] == product:
            latest = max(latest, frame.get("time", ""))
        elif frame.get("channel") == "l2_data":
            events = (event for event in frame["events"] if event["product_id"] == product)
            latest = max([latest, *(each["event_time"] for event in events for each in event["updates"])])
        trades = [frame] if frame.get("type") == "match" else []
        if frame.get("channel") == "market_trades":
            events = (event for event in frame["events"] if event["type"] == "update")
            trades = [each for event in events for each in event["trades"]]
        for trade in trades:
            if trade["product_id"] == product:
                found[int(trade["trade_id"])] = trade["time"] <= latest
    return found
