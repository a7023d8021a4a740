"""The simulated exchange: by scenarios, which say what comes out, and by what holds on every tape."""

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.book import OrderBookState
from orderbook.execution.codes import QUEUE_MODELS, QueueModel
from orderbook.execution.digest import run_digest
from orderbook.execution.events import Event
from orderbook.execution.lane import Lane
from orderbook.execution.market import Market
from orderbook.execution.numbers import order_units, size_units
from orderbook.execution.table import OrdersTable
from tests.endurance.forms import cases
from tests.support.constants import BTC, EXECUTION_SCENARIOS
from tests.support.execution_cases import FEEDS, random_case
from tests.support.execution_twins import difference
from tests.support.random_scenarios import FEED_ORDERS, FeedOrder, Line, random_scenario
from tests.support.scenarios import (
    WatchedLane,
    check,
    feed,
    lane_settings,
    play,
    scenario_rows,
    scenario_table,
)

GIVEN = sorted(EXECUTION_SCENARIOS.glob("*.jsonl"))
OWN = sorted((Path(__file__).parent / "scenarios").glob("*.jsonl"))

SETTINGS = settings(max_examples=cases(2_000, 40))
SCENARIOS = st.builds(
    random_scenario,
    st.integers(0, 2**32),
    st.sampled_from(FEED_ORDERS),
    steps=st.integers(1, 80),
    orders=st.integers(1, 25),
)


@pytest.mark.skipif(not GIVEN, reason=f"the given scenarios are not here: {EXECUTION_SCENARIOS}")
@pytest.mark.parametrize("path", GIVEN, ids=lambda path: path.stem)
def test_given_scenarios(path: Path) -> None:
    """What the examples of the rules say comes out."""
    check(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_scenarios(path: Path) -> None:
    """What each scenario says comes out; its comment names the rule."""
    check(path.read_text(encoding="utf-8"))


def test_64_orders_rest_and_no_more() -> None:
    """The 65th order is refused, also one that would not rest; once one is gone there is room again."""
    lines: list[Line] = [
        {"t": 1, "row": "snapshot", "bids": [["100", "1"]], "asks": [["101", "1"]], "time": 1},
        *({"t": 2, "do": "buy", "name": str(n), "price": "100", "size": "1"} for n in range(66)),
        {"t": 2, "do": "cancel", "name": "0"},
        {"t": 2, "do": "buy", "name": "last", "price": "101", "size": "1", "ioc": True},
        {"t": 3, "row": "other"},
    ]
    ends = {name: order.end and order.end.word for name, order in play(lines, "share").orders.items()}
    assert [name for name, end in ends.items() if end == "too_many"] == ["64", "65"]
    assert (ends["0"], ends["1"], ends["last"]) == ("cancelled", "end", "filled")


@given(SCENARIOS)
@SETTINGS
def test_models_are_bounds(lines: list[Line]) -> None:
    """Of every order: filled under back <= share <= front, and the lane's is what is booked."""
    for queue in QUEUE_MODELS:
        played = play(lines, queue)
        fills: dict[int, int] = defaultdict(int)
        for event in played.fills:
            fills[event.number] += event.size
        for order in played.orders.values():
            back, share, front = (order.filled[model] for model in QUEUE_MODELS)
            assert back <= share <= front
            assert order.filled[queue] == fills[order.number] <= order.size


@given(SCENARIOS)
@SETTINGS
def test_trades_fill_no_more_than_their_size(lines: list[Line]) -> None:
    """What the trades of a row fill is at most their size, on the side that they hit."""
    for queue in QUEUE_MODELS:
        played = play(lines, queue)
        filled: dict[tuple[int, str | None], int] = defaultdict(int)
        for event in played.fills:
            if event.fill and event.fill.by in {"trade", "through", "late"}:
                filled[event.fill.seq, event.side] += event.size
        rows = [line for line in lines if "row" in line]
        for (seq, side), size in filled.items():
            trades = rows[seq].get("trades")
            if trades is None:  # a book that was through orders that were kept
                assert rows[seq]["row"] == "snapshot"
            else:
                assert size <= sum(size_units(trade[2]) for trade in trades if trade[0] == side)


@given(SCENARIOS)
@SETTINGS
def test_levels_give_no_more_than_they_showed(lines: list[Line]) -> None:
    """Between two book frames takers get of a level at most the size that it shows."""
    played = play(lines, "share")
    if lines[0]["settings"]["impact"] == "none":
        return
    taken: dict[tuple[int, str | None, int], int] = defaultdict(int)
    rows = [line for line in lines if "row" in line]
    books = [seq for seq, line in enumerate(rows) if line["row"] in {"snapshot", "update"}]
    for event in played.fills:
        if event.fill and event.fill.by == "take":
            book = max(seq for seq in books if seq <= event.fill.seq)
            taken[book, event.side, event.price] += event.size
    for (book, side, price), size in taken.items():
        assert size <= _shown(rows[: book + 1], "ask" if side == "bid" else "bid", price)


def _shown(rows: list[Line], side: str, price: int) -> int:
    """Return the size of a level after some rows, in a naive way."""
    size = 0
    for line in rows:
        if line["row"] == "snapshot":
            levels = {order_units(each[0]): size_units(each[1]) for each in line[f"{side}s"]}
            size = levels.get(price, 0)
        elif line["row"] == "update":
            for changed, text, new in line["changes"]:
                if changed == side and order_units(text) == price:
                    size = size_units(new)
    return size


class AccountedLane(WatchedLane):
    """A lane that compares its account with a naive one at every event."""

    def _happens(self, event: Event) -> None:
        super()._happens(event)
        account, mid = self.account, self._market.touch.mid_twice
        sign = {"bid": 1, "ask": -1}
        fills = [each for each in self.events if each.fill is not None]
        assert account.position == sum(sign[each.side or ""] * each.size for each in fills)
        values = sum(sign[each.side or ""] * each.price * each.size for each in fills)
        assert account.cash == -values - account.fees
        for each in fills:
            assert each.fill is not None
            rate = self._settings.fees.maker if each.fill.is_maker else self._settings.fees.taker
            exact = Fraction(each.price * each.size * rate, 10**6)
            assert exact <= each.fill.fee < exact + 1
        equity, unrealised = account.equity_twice(mid), account.unrealised_twice(mid)
        if equity is not None and unrealised is not None:
            assert 2 * account.realised + unrealised - 2 * account.fees == equity - 2 * account.start


@given(SCENARIOS)
@SETTINGS
def test_money_is_exact(lines: list[Line]) -> None:
    """At every event: cash and position are sums of the fills, and profits and fees explain the equity."""
    for queue in QUEUE_MODELS:
        play(lines, queue, AccountedLane)


def _digests(lines: list[Line], queues: Iterable[QueueModel]) -> list[str]:
    """Run lanes beside each other and return their digests."""
    market = Market(OrderBookState(), order_units("0.01"))
    lanes: list[Lane] = []
    for queue in queues:
        rules, of_lane = lane_settings(lines[0]["settings"], queue)
        table = OrdersTable(scenario_table(lines))
        lanes.append(WatchedLane(BTC, market, table, rules=rules, settings=of_lane))
    feed(market, lanes, scenario_rows(lines))
    return [lane.digest.hexdigest() for lane in lanes]


def _with_heartbeats(lines: list[Line]) -> Iterator[Line]:
    """Put rows that say nothing between the others."""
    last: Line = {}
    for line in lines:
        if "row" in line and "t" in last and line["t"] > last["t"]:
            yield {"t": (line["t"] + last["t"]) // 2, "row": "other"}
        yield line
        last = line if "row" in line else last


@given(SCENARIOS)
@SETTINGS
def test_neither_lanes_nor_heartbeats_matter(lines: list[Line]) -> None:
    """A lane has one digest: alone, beside others, and with rows in between that only move time."""
    alone = [digest for queue in QUEUE_MODELS for digest in _digests(lines, [queue])]
    assert _digests(lines, QUEUE_MODELS) == alone
    assert _digests(list(_with_heartbeats(lines)), QUEUE_MODELS) == alone


@given(SCENARIOS)
@SETTINGS
def test_digest(lines: list[Line]) -> None:
    """The digest chains nine int64 for each event, in order; the digest of a run names its lanes."""
    played = play(lines, "share")
    chain = bytes(32)
    for event in played.events:
        side = {None: 0, "bid": 1, "ask": 2}[event.side]
        maker, fee = (event.fill.is_maker, event.fill.fee) if event.fill else (0, 0)
        values = (event.time, event.code, event.number, side, event.price, event.size, maker)
        chain = sha256(chain + struct.pack("<9q", *values, *divmod(fee, 10**16))).digest()
    assert played.lane.digest.hexdigest() == chain.hex()
    lanes = [("B-USD", 10, "share", "d"), ("B-USD", 1, "back", "e"), ("A-USD", 0, "front", "f")]
    text = b"A-USD 0 front f\nB-USD 1 back e\nB-USD 10 share d\n"
    assert run_digest(lanes) == sha256(text).hexdigest()


def test_sizes_that_no_int64_holds() -> None:
    """A level of 18 digits is cut to what an int64 holds, counts as cut, and can be traded with."""
    lines: list[Line] = [
        {"settings": {"maker": 4000, "taker": 6000}},
        {"t": 1, "row": "snapshot", "bids": [["9999999999", "9" * 18]], "asks": [], "time": 1},
        {"t": 2, "do": "buy", "name": "a", "price": "9999999999", "size": "9999999999.99999999"},
        {"t": 2, "do": "sell", "name": "b", "price": "9999999999", "size": "9999999999.99999999"},
        {"t": 3, "do": "cancel", "name": "a"},
        {"t": 3, "do": "sell", "name": "c", "price": "9999999999", "size": "9999999999.99999999"},
        {"t": 4, "row": "trades", "trades": [["bid", "9999999999", "0.0000000099", 3, 1]]},
    ]
    played = play(lines, "share")
    ends = {name: order.end and order.end.word for name, order in played.orders.items()}
    assert ends == {"a": "cancelled", "b": "self_trade", "c": "filled"}
    assert played.market.sizes_cut == 2
    assert len(played.lane.digest.hexdigest()) == 64


@pytest.mark.parametrize("feed_order", FEEDS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=cases(1_000, 15))
def test_equals_the_oracle(feed_order: str, seed: int) -> None:
    """Fills, cash, queues and ends are those of a naive program of the same rules, to the last unit."""
    case = random_case(seed, feed_order)
    assert [difference(case, queue) for queue in QUEUE_MODELS] == [None, None, None]


@pytest.mark.parametrize("feed_order", FEED_ORDERS)
def test_random_tapes_are_not_trivial(feed_order: FeedOrder) -> None:
    """The random tapes of the tests above fill orders in every way and end them in most."""
    seen: set[Any] = set()
    for seed in range(12):
        played = play(random_scenario(seed, feed_order, steps=150, orders=60), "share")
        seen |= {event.fill.by for event in played.fills if event.fill}
        seen |= {event.code.word for event in played.events}
    assert seen >= {"take", "trade", "through", "cross", "filled", "cancelled", "expired", "self_trade"}
    assert seen >= {"amended", "too_late", "post_only", "amend_increment", "interrupted", "no_book", "end"}
