"""Plain usage of the Python API: mypy checks its types, pytest its values."""

import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, assert_type

import pyarrow as pa
import pytest

import booktape as bt
from booktape.words import BID, MarketWords, OrderWords, RequestWords, quote
from orderbook.schema import FLOW_SUMMARY_SCHEMA, TAPE_SCHEMA
from tests.support import tapes
from tests.support.constants import MS


def test_a_tape() -> None:
    """A tape says what it holds, and is a path."""
    tape = assert_type(bt.open("sample:"), bt.Tape)
    assert assert_type(tape.products, tuple[str, ...]) == ("BTC-USD", "ETH-USD")
    assert Path(tape) == assert_type(tape.path, Path) == bt.sample()
    assert os.fspath(bt.open(tape)) == os.fspath(tape)
    assert assert_type(tape.feed, str) == "exchange"


def test_summaries_in_every_spelling() -> None:
    """A window is that of the whole, whatever spells its times."""
    tape = bt.open("sample:")
    whole: pa.Table = tape.summaries("BTC-USD")
    assert whole.schema == FLOW_SUMMARY_SCHEMA
    first: int = tape.rows("BTC-USD")["recv_time"].cast(pa.int64())[0].as_py()
    earliest = min(
        first, tape.rows("ETH-USD")["recv_time"].cast(pa.int64())[0].as_py()
    )  # offsets count from the first row of any product
    start, end = earliest + 10 * 10**9, earliest + 20 * 10**9
    times = whole["recv_time"].cast(pa.int64()).to_pylist()
    expected = whole.filter(pa.array([start <= time < end for time in times]))
    assert expected.num_rows > 0
    iso = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=end // 1000)
    assert tape.summaries("BTC-USD", start="+10s", end="+20s").equals(expected)
    assert tape.summaries("BTC-USD", start=start, end=end).equals(expected)
    # A datetime has microseconds: the last one may cut a row off that an exact end would not.
    rounded = tape.summaries("BTC-USD", start=start, end=iso)
    assert expected.slice(0, rounded.num_rows).equals(rounded)
    assert tape.rows("BTC-USD", start=start, end=end).schema == TAPE_SCHEMA


def test_summaries_are_those_of_a_replay() -> None:
    """A replay keeps the same summaries."""
    tape = bt.open(bt.sample())
    result = assert_type(tape.replay(threshold="10bps"), bt.RunResult)
    for product in tape.products:
        assert tape.summaries(product).equals(result.summaries[product])
    called = []
    tape.replay(threshold=0.001, on_signals=lambda _product, batch: called.append(batch.num_rows))
    assert sum(called) == sum(table.num_rows for table in result.signals.values()) > 0


def test_book_compare_verify_inspect_diff() -> None:
    """Every question has an answer of its own class."""
    tape = bt.open("sample:")
    ladder = assert_type(tape.book("BTC-USD", at="+1m", depth=3), bt.Ladder)
    assert len(ladder.bids) == len(ladder.asks) == 3
    comparison = assert_type(tape.compare(["1bps:3bps:1bps", "0.1%"], by="connection"), bt.Comparison)
    assert comparison.settings.thresholds == (0.0001, 0.0002, 0.0003, 0.001)
    both = assert_type(bt.compare([tape], "1bps", sort="signals", min_signals=1), bt.Comparison)
    assert {row["threshold"] for row in both.rows()} == {0.0001}
    assert assert_type(tape.verify(), bt.Verification).passes(strict=False)
    assert assert_type(tape.inspect(), bt.Inspection).verdict == "unverifiable"
    assert assert_type(bt.diff(tape, bt.sample(), ignore="payload"), bt.Diff).is_equal


def test_import_index_and_compact(tmp_path: Path) -> None:
    """A tape is made of a capture, indexed and compacted."""
    capture = tapes.write_capture(
        tmp_path / "capture", [(0, tapes.snapshot("BTC-USD")), (MS, tapes.update("BTC-USD"))]
    )
    recorded = assert_type(bt.import_([capture], tmp_path / "tape", segment_rows=1), bt.Recorded)
    assert "BTC-USD" in repr(recorded)
    tape = bt.open(tmp_path / "tape")
    assert recorded.digest == tape.replay().digest
    assert tape.index(rebuild=True)["BTC-USD"].made > 0
    assert tape.compact()["BTC-USD"].after == 1
    assert recorded.digest == tape.replay(engine="plain").digest


def test_catching() -> None:
    """One class catches what a user can act on, and its subclasses say what was wrong."""
    with pytest.raises(bt.UnknownProductError) as unknown:
        bt.open("sample:").summaries("DOGE-USD")
    assert assert_type(unknown.value.product, str) == "DOGE-USD"
    assert assert_type(unknown.value.choices, tuple[str, ...]) == ("BTC-USD", "ETH-USD")
    assert unknown.value.path == bt.sample()
    with pytest.raises(bt.OptionError, match=r"^speed: ") as wrong:
        bt.open("sample:").replay(speed="fast")
    assert isinstance(wrong.value, bt.BooktapeError)
    assert (wrong.value.option, wrong.value.value) == ("speed", "fast")


@bt.compiled(
    wakes=bt.Wakes(top=True),
    settings={"size": bt.Setting("amount", "0.01")},
    state={"calls": 0},
)
def joins_the_bid(
    m: MarketWords, orders: Sequence[OrderWords], params: Any, state: Any, out: Sequence[RequestWords]
) -> int:
    """Keep an order at the best bid."""
    state.calls += 1
    return quote(out, 0, orders, BID, m.bid, params.size) if m.bid > 0 else 0


def test_a_compiled_strategy() -> None:
    """A decorated function is a strategy: by itself, by name, with settings in any spelling."""
    tape = bt.open("sample:")
    found = [
        assert_type(
            tape.backtest(joins_the_bid, products="BTC-USD", end="+5s", settings=settings), bt.Backtest
        )
        for settings in ({"size": "0.02"}, {"size": 0.02}, ["size=0.02"])
    ]
    assert len({each.execution_digest for each in found}) == 1
    assert found[0].rows[0].orders > 0
    with pytest.raises(bt.OptionError, match="size is 'much': write a price or a size"):
        tape.backtest(joins_the_bid, settings={"size": "much"})
    with pytest.raises(bt.OptionError, match="its settings are size"):
        tape.backtest(joins_the_bid, settings={"sise": 1})
