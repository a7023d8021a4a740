"""A backtest by either engine: the same numbers, tables and digests, from any row of a tape on."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pytest

import booktape as bt
from orderbook.times import format_time
from replay.simulation.results import Backtest
from tests.support.constants import BTC
from tests.support.market_truth import true_market
from tests.support.rows import integers, write_tape

LANE: Final = ("setting", "queue", "number")


class Momentum:
    """A strategy in Python that trades with the takers, and logs what it sees."""

    wakes = bt.Wakes(trades=True, fills=True)

    def __init__(self, product: str, size: str = "0.01") -> None:  # noqa: ARG002  part of every strategy
        self._size = size

    def on_event(self, m: bt.MarketView) -> None:
        """Buy after a taker has bought, sell after one has sold."""
        buys = sum(trade.maker_side == "ask" for trade in m.trades)
        m.log(position=str(m.position), trades=[trade.size for trade in m.trades])
        if buys and m.position <= 0:
            m.market("bid", self._size)
        elif not buys and m.position >= 0:
            m.market("ask", self._size)


OPTIONS: dict[str, dict[str, Any]] = {
    "worked": {
        "sweep": {"threshold": ("0bps", "0.8bps")},
        "queue": "back,share,front",
        "latency": "uniform:1ms:30ms",
        "by": "hour",
    },
    "momentum": {"strategy": Momentum, "latency": "feed:4ms:1", "report": "3ms"},
    "cash": {"settings": {"threshold": "0bps"}, "cash": "2000", "base": "0.02", "on_break": "keep"},
}


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of a market with trades."""
    tape = tmp_path_factory.mktemp("market") / "tape"
    return write_tape(tape, true_market("level2_batch", 6, batches=150).rows)


def said(result: Backtest) -> dict[str, Any]:
    """Return all that a backtest says."""
    return msgspec.to_builtins(result.document()) | {"elapsed_s": 0}  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", OPTIONS)
def test_both_engines_give_the_same(market: Path, name: str) -> None:
    """All numbers, tables and digests are equal, from the first row on and from the middle."""
    tape = bt.open(market)
    times = tape.rows(BTC).column("recv_time").cast(pa.int64()).to_pylist()
    for start in (None, format_time(times[len(times) // 3])):
        plain, compiled = (
            tape.backtest(start=start, engine=engine, **OPTIONS[name]) for engine in ("plain", "compiled")
        )
        assert said(compiled) == said(plain)
        assert sum(row.orders for row in plain.rows) > 20
        for stream in ("orders", "fills", "resting", "equity", "log"):
            assert getattr(compiled, stream) == getattr(plain, stream), stream
        check_resting(plain)


def check_resting(result: Backtest) -> None:
    """How orders rested begins and ends as the table of orders says."""
    rows: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in integers(result.resting):
        rows.setdefault(tuple(row[name] for name in LANE), []).append(row)
    for order in integers(result.orders):
        found = rows.pop(tuple(order[name] for name in LANE), [])
        assert bool(found) == (order["rested"] is not None)
        if found:
            assert (found[0]["rested"], found[0]["ahead_back"]) == (order["rested"], order["ahead_at_rest"])
            assert (found[-1]["price"], found[-1]["side"]) == (order["price"], order["side"])
            assert found[-1]["until"] <= order["ended"]
            assert all(one["until"] <= other["rested"] for one, other in pairwise(found))
    assert not rows
