"""The oracle on examples whose results were computed by hand."""

import hashlib
import json
import math
import struct

import pytest

from tests.support import oracle
from tests.support.oracle import Row, Summary

PRODUCT = "BTC-USD"


def replay(feed: str, *rows: tuple[str, str]) -> oracle.OracleRun:
    """Run the oracle over rows of (kind, payload), one nanosecond apart."""
    return oracle.replay([Row(seq, seq, 0, *row) for seq, row in enumerate(rows)], PRODUCT, feed)


def connected(*products: str) -> tuple[str, str]:
    """Return the row that opens a connection for products."""
    return "connected", json.dumps({"products": products})


def frame(**fields: object) -> tuple[str, str]:
    """Return a frame's row."""
    return "frame", json.dumps(fields)


def test_exchange_book() -> None:
    """A book is replaced, changed, emptied and crossed as the contract says."""
    run = replay(
        "exchange",
        connected(PRODUCT),
        frame(type="l2update", product_id=PRODUCT, changes=[]),
        frame(type="snapshot", product_id=PRODUCT, bids=[["9", "1"], ["8.0", "2"]], asks=[["10", "0.30"]]),
        frame(type="l2update", product_id=PRODUCT, changes=[["buy", "09.0", "0"], ["buy", "8", "2.00"]]),
        frame(type="l2update", product_id=PRODUCT, changes=[["sell", "10.0", "0"], ["sell", "11", "0"]]),
        frame(
            type="l2update", product_id=PRODUCT, changes=[["sell", "7.9", "1"]], time="1970-01-01T00:00:01.5Z"
        ),
        frame(type="l2update", product_id=PRODUCT, changes=[["sell", "1", "1"], ["sell", "1e5", "1"]]),
    )
    assert run.summaries == [
        Summary(2, 2, None, 9, 1, 10, 0.3, 1, 0.1, 0),
        Summary(3, 3, None, 8, 2, 10, 0.3, 2, 0.2, 0),
        Summary(4, 4, None, 8, 2, None, None, None, None, 0),
        Summary(5, 5, 1_500_000_000, 8, 2, 7.9, 1, -0.1, -0.012658227848, 0),
    ]
    assert run.anomalies == [(1, "early_update"), (5, "crossed"), (6, "malformed")]
    assert (run.absent_deletes, run.noop_sets) == (1, 1)


def test_advanced_frame_of_several_events() -> None:
    """A frame has one summary and at most one early update, after all of its events."""

    def event(kind: str, side: str, price: str, product: str = PRODUCT) -> dict[str, object]:
        update = {"side": side, "price_level": price, "new_quantity": "1"}
        return {"type": kind, "product_id": product, "updates": [update]}

    run = replay(
        "advanced",
        connected(PRODUCT),
        frame(
            channel="l2_data",
            sequence_num=4,
            events=[
                event("update", "bid", "1"),
                event("update", "bid", "2"),
                event("snapshot", "offer", "3"),
            ],
        ),
        frame(channel="l2_data", sequence_num=6, events=[event("update", "bid", "9", "ETH-USD")]),
        frame(
            channel="l2_data",
            sequence_num=7,
            events=[event("update", "bid", "2"), event("update", "bid", "x", "E")],
        ),
        frame(channel="heartbeats", sequence_num=9),
        frame(type="error", sequence_num=10),
        frame(channel="news", sequence_num=11.5),
    )
    assert run.summaries == [Summary(1, 1, None, None, None, 3, 1, None, None, 0)]
    kinds = [(1, "early_update"), (2, "gap"), (3, "malformed"), (4, "gap"), (5, "error"), (6, "unknown")]
    assert run.anomalies == kinds


@pytest.mark.parametrize(
    "text",
    [
        *(
            "NaN",
            "[Infinity]",
            "[1,]",
            "01",
            '"\t"',
            '"\\ud800"',
            '{"a":"\\udc00","a":1}',
            "[" * 65 + "]" * 65,
        ),
        *('{"\\ud800":1}', "", "\ufeff1", '"\\x"', "[" * 9000),
    ],
)
def test_invalid_json(text: str) -> None:
    """Texts that RFC 8259 forbids, lone surrogates and deep nesting are malformed."""
    with pytest.raises(oracle.MalformedError):
        oracle.load_json(text)


def test_json() -> None:
    """Valid JSON is read, the last of duplicate keys counts, and brackets in strings do not nest."""
    assert oracle.load_json('["\\ud83d\\ude00\\\\ud800"]') == ["\U0001f600\\ud800"]
    assert oracle.load_json('{"a":1,"\\u0061":2}') == {"a": 2}
    assert oracle.nesting('{"a":["[[["],"b":[[]]}') == 3
    oracle.load_json("[" * 64 + "]" * 64)


def test_digest() -> None:
    """The digest chains the blocks of 4,096 seq that hold a summary."""
    first = Summary(4095, 1, None, 1.0, 2.0, None, None, None, None, 0)
    second = Summary(9000, 2, 3, 1.0, 2.0, 4.0, 5.0, 3.0, 0.75, 0)
    nan = bytes.fromhex("000000000000f87f")
    blocks = [
        struct.pack("<qqqdd", 4095, 1, -(2**63), 1, 2) + 3 * nan,
        struct.pack("<qqqddddd", 9000, 2, 3, 1, 2, 4, 5, 3),
    ]
    digest = bytes(32)
    for block in blocks:
        digest = hashlib.sha256(digest + hashlib.sha256(block).digest()).digest()
    assert oracle.product_digest([first, second]) == digest.hex()
    assert oracle.product_digest([]) == "00" * 32
    lines = f"A {'0' * 64}\nB {digest.hex()}\n"
    assert oracle.run_digest({"B": digest.hex(), "A": "0" * 64}) == hashlib.sha256(lines.encode()).hexdigest()


def test_compare() -> None:
    """An interval counts if its first summary is above the threshold, and never spans two connections."""
    spreads = [(0, 0, 0.5), (2, 0, 0.3), (3, 0, 0.1), (7, 0, 0.3), (20, 1, 0.4), (21, 1, None), (23, 1, 0.3)]
    summaries = [
        Summary(seq, second * 10**9, None, 1.0, 1.0, 1.0, 1.0, 0.0, relative, connection)
        for seq, (second, connection, relative) in enumerate(spreads)
    ]
    low, equal, high = oracle.compare(summaries, [0.2, 0.4, 0.6])
    assert low == {
        "threshold": 0.2,
        "signals": 5,
        "episodes": 4,
        "time_above_s": 4.0,
        "observed_s": 10.0,
        "share": 0.4,
        "duration_p50_s": 0.5,
        "duration_p95_s": low["duration_p95_s"],
        "duration_max_s": 3.0,
        "mean_relative_spread": 0.425,
        "max_relative_spread": 0.5,
    }
    assert math.isclose(low["duration_p95_s"] or 0, 2.7)
    assert (equal["signals"], equal["time_above_s"]) == (1, 2.0)
    assert (high["signals"], high["share"], high["duration_p50_s"]) == (0, 0.0, None)
    assert oracle.compare([], [0.1])[0]["share"] is None
