"""The compiled exchange beside the plain one: nothing that came of any lane may differ, to the last unit."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.errors import BooktapeError
from orderbook.execution.codes import QUEUE_MODELS
from orderbook.execution.latency import FixedLatency
from orderbook.execution.market_view import MarketView
from orderbook.execution.settings import LaneSettings, ProductRules
from orderbook.execution.table import OrdersTable, TableRow
from orderbook.execution.wakes import Wakes
from tests.endurance.forms import TIMEOUT_S, cases
from tests.support.constants import EXECUTION_SCENARIOS, MS
from tests.support.exchange_engines import Made, random_lanes, run_compiled, run_plain
from tests.support.execution_cases import FEEDS, Case, random_case
from tests.support.execution_oracle import run
from tests.support.execution_twins import settings_of, table_of
from tests.support.scenarios import lane_settings, read_scenario, scenario_table

CUTS = (1, 3, 17, 10_000)


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("feed_order", FEEDS)
@given(seed=st.integers(0, 2**32), cut=st.sampled_from(CUTS))
@settings(max_examples=cases(400, 3), deadline=None)
def test_equals_the_plain_exchange(feed_order: str, seed: int, cut: int) -> None:
    """Orders, fills, samples, log, money, digest and all that a strategy saw are those of the plain one."""
    case = random_case(seed, feed_order)
    rules, made = random_lanes(case, seed)
    for expected, found in zip(
        run_plain(case, rules, made), run_compiled(case, rules, made, cut), strict=True
    ):
        for one, other in zip(expected, found, strict=True):
            assert other == one


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("feed_order", FEEDS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=cases(1_000, 3), deadline=None)
def test_equals_the_oracle(feed_order: str, seed: int) -> None:
    """What each order filled under each model, and the money, are those of a naive program of the rules."""
    case = random_case(seed, feed_order)
    if isinstance(case.settings["latency"], list):
        case.settings["latency"] = 30 * MS
    for queue in QUEUE_MODELS:
        oracle = run(case.rows, case.requests, {**case.settings, "queue": queue})
        rules, of_lane = settings_of(case.settings, queue)
        (found,) = run_compiled(case, rules, [(lambda: OrdersTable(table_of(case)), of_lane)], 10_000)
        _, orders, fills, _, money, *_, rested, _, _ = found
        assert {order[1]: order[7] for order in orders} == {
            name: each.filled for name, each in oracle.orders.items()
        }
        assert [tuple(row) for row in rested] == oracle.stays
        assert len(fills) == len(oracle.fills)
        assert money[2] == oracle.fees
        assert money[0] - (of_lane.cash or 0) == oracle.cash
        assert money[1] - (of_lane.base or 0) == oracle.position


def test_a_lane_does_not_see_those_beside_it() -> None:
    """Each lane comes out as alone."""
    case = random_case(7, "advanced")
    rules, made = random_lanes(case, 7)
    alone = [run_compiled(case, rules, [each], 17)[0] for each in made]
    assert run_compiled(case, rules, made, 17) == alone


@pytest.mark.parametrize("path", sorted(EXECUTION_SCENARIOS.glob("*.jsonl")), ids=lambda path: path.stem)
def test_scenarios(path: Any) -> None:
    """The examples of the rules come out as in the plain exchange."""
    lines = read_scenario(path.read_text())
    values: dict[str, Any] = next((line["settings"] for line in lines if "settings" in line), {})
    table = scenario_table(lines)
    case = Case([line for line in lines if "row" in line], [], {}, [])
    for row in case.rows:
        row["is_history"] = row["row"] == "history"
    for queue in QUEUE_MODELS:
        rules, of_lane = lane_settings(values, queue)
        made: list[Made] = [(lambda: OrdersTable(table), of_lane)]
        assert run_compiled(case, rules, made, 2) == run_plain(case, rules, made)


class Flood:
    """A strategy that sells more than the book has, and sends 600 orders at once."""

    wakes = Wakes(top=True)

    def __init__(self) -> None:
        self._is_done = False

    def on_event(self, m: MarketView) -> None:
        """Send them, once."""
        if not self._is_done and m.bid is not None:
            m.market("ask", "9000000000")
            for number in range(600):
                m.buy(m.bid - number % 70 * m.tick, "0.00000001")
        self._is_done = True


def test_there_is_room_for_everything() -> None:
    """More requests, open orders, levels, marks and trades than anybody expects are only slower."""
    book = [(f"{100 - place / 100:.2f}", "1") for place in range(1_200)]
    trades = [("bid", "99.99", "0.1", None, number) for number in range(400)]
    rows = [
        {"t": 10**9, "row": "snapshot", "bids": book, "asks": [("100.01", "1")], "time": None},
        {"t": 2 * 10**9, "row": "other"},
        {"t": 3 * 10**9, "row": "trades", "trades": trades},
        {"t": 4000 * 10**9, "row": "other"},
    ]
    case = Case(rows, [], {}, [])
    rules = ProductRules(10**6, collar=500_000)
    made: list[Made] = [(Flood, LaneSettings(latency=FixedLatency(0))), (Flood, LaneSettings(report=10**9))]
    found = run_compiled(case, rules, made, 3)
    assert found == run_plain(case, rules, made)
    assert len(found[0][2]) > 1_100


@pytest.mark.parametrize(
    ("price", "later"),
    [("100", "130"), ("50000000", "50000000.01"), ("100", "4000000"), ("0.00000001", "0.01"), ("100", "")],
    ids=["usual", "beyond exact floats", "far", "beyond a word", "unknown"],
)
def test_markouts_of_any_price(price: str, later: str) -> None:
    """The sums of mark-outs are exact for prices and moves that no market has seen."""
    gone = [("ask", price, "0"), ("bid", "0.00000001", "5")]
    book = [("ask", later, "1"), ("bid", later, "1")] if later else []
    rows = [
        {"t": 10**9, "row": "snapshot", "bids": [], "asks": [(price, "3.5")], "time": None},
        {"t": 2 * 10**9, "row": "update", "changes": [*gone, *book], "time": None},
        {"t": 4 * 10**9, "row": "update", "changes": [("bid", "0.00000001", "6")], "time": None},
        {"t": 9 * 10**9, "row": "other"},
    ]
    orders = [TableRow(10**9, "market", str(each), "bid", None, "1.5") for each in range(3)]
    of_lane = LaneSettings(latency=FixedLatency(0), markouts=(2 * 10**9, 10**10))
    case = Case(rows, [], {}, [])
    made: list[Made] = [(lambda: OrdersTable(orders), of_lane)]
    found = run_compiled(case, ProductRules(1), made, 3)
    assert found == run_plain(case, ProductRules(1), made)
    (_, taker), (_, unknown) = found[0][6].markouts.values()
    assert (taker.fills, unknown.left_out) == ((3, 3) if later else (0, 3))


class Raises:
    """A strategy that raises."""

    wakes = Wakes(top=True)

    def on_event(self, m: MarketView) -> None:
        """Raise."""
        raise ValueError(f"at {m.now}")


def test_a_strategy_that_raises_is_named() -> None:
    """The error names the lane and the row."""
    case = random_case(1, "level2")
    with pytest.raises(BooktapeError, match=r"strategy, BTC-USD, row \d+: ValueError: at \d+"):
        run_compiled(case, ProductRules(), [(Raises, LaneSettings())], 10)


def test_a_table_may_send_any_number_at_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows end, so it is never taken for a strategy that answers itself for ever, in both exchanges."""
    monkeypatch.setattr("orderbook.execution.lane.MOST_ACTIONS", 10)
    rows = [
        {"t": 10**9, "row": "snapshot", "bids": [("100.00", "1")], "asks": [("100.01", "1")], "time": None},
        {"t": 3 * 10**9, "row": "other"},
    ]
    orders = [TableRow(2 * 10**9, "limit", str(number), "bid", "99.99", "1") for number in range(40)]
    made: list[Made] = [(lambda: OrdersTable(orders), LaneSettings(latency=FixedLatency(0)))]
    found = run_plain(Case(rows, [], {}, []), ProductRules(10**6), made)
    assert run_compiled(Case(rows, [], {}, []), ProductRules(10**6), made, 3) == found
    assert len(found[0][1]) == 40
