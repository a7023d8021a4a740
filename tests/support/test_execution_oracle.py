"""The oracle of simulated execution on the contract's scenarios, on random tapes, and on real orders."""

import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from tests.support import oracle
from tests.support.constants import BTC, CAPTURES
from tests.support.execution_captures import capture_rows, real_orders, row_of, sent_again
from tests.support.execution_cases import FEEDS, Case, Row, market_case, orders_sent_again, random_case, show
from tests.support.execution_frames import tape_rows
from tests.support.execution_oracle import MODELS, OTHER, SIGN, UNIT, Exchange, cut, digest, exact, run

SCENARIOS = CAPTURES.parent / "execution" / "scenarios"


def scenarios() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the name and the lines of each scenario of the contract."""
    for path in sorted(SCENARIOS.glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines()
        yield path.stem, [json.loads(line) for line in lines if not line.startswith("#")]


def money(text: str) -> Fraction:
    """Return an amount of money in units of 1e-16."""
    return Fraction(text) * UNIT**2


def assert_expected(lane: Exchange, expect: dict[str, Any]) -> None:
    """Assert what a scenario says of a lane."""
    found = iter(lane.fills)
    for wanted in expect.pop("fills", ()):
        fill = next(found)
        assert (fill["t"], fill["order"], fill["maker"]) == (wanted["t"], wanted["order"], wanted["maker"])
        assert (fill["price"], fill["size"]) == (exact(wanted["price"]), exact(wanted["size"]))
        assert fill["fee"] == money(wanted.get("fee", "0"))
    assert list(found) == []
    for name, end in expect.pop("orders", {}).items():
        assert lane.orders[name].end == (end or "end")
    for name, ahead in expect.pop("ahead", {}).items():
        for model, size in ahead.items():
            assert lane.ahead[-1][name][model] == exact(size)
    for name, filled in expect.pop("shadow", {}).items():
        assert lane.orders[name].filled == {model: exact(size) for model, size in filled.items()}
    for report in expect.pop("reports", ()):
        assert tuple(report) in lane.reports
    assert lane.position == exact(expect.pop("position", Fraction(lane.position, UNIT)))
    assert lane.cash == money(expect.pop("cash", Fraction(lane.cash, UNIT**2)))
    assert expect == {}


@pytest.mark.skipif(not SCENARIOS.exists(), reason="the contract's scenarios are not here")
def test_scenarios() -> None:
    """Every scenario gives what it expects under each queue model that it names, or else under `share`."""
    for _, (first, *lines) in scenarios():
        rows = [line for line in lines if "row" in line]
        requests = [line for line in lines if "do" in line]
        for line in lines:
            if "expect" in line:
                settings = {"tick": "0.01", "queue": line.get("queue", "share"), **first["settings"]}
                assert_expected(run(rows, requests, settings), line["expect"])


BOOK = {"row": "snapshot", "bids": [("100.00", "2")], "asks": [("100.01", "1"), ("100.02", "2")], "time": 0}


def replayed(*lines: dict[str, Any], **settings: Any) -> Exchange:
    """Run rows and requests, one nanosecond apart in the order given, after a snapshot."""
    timed = [{"t": 2 * place, **line} for place, line in enumerate([BOOK, *lines, {"row": "other"}])]
    rows = [line for line in timed if "row" in line]
    return run(rows, [line for line in timed if "do" in line], {"tick": "0.01", **settings})


def send(do: str, name: str, size: str = "1", price: str | None = None, **flags: bool) -> dict[str, Any]:
    """Return a request."""
    return {"do": do, "name": name, "size": size, "price": price, **flags}


def changed(time: int | None, *changes: tuple[str, str, str]) -> dict[str, Any]:
    """Return an update."""
    return {"row": "update", "changes": changes, "time": time}


def traded(time: int | None, side: str, price: str, size: str, trade_id: int = 1) -> dict[str, Any]:
    """Return a trade."""
    return {"row": "trades", "trades": [(side, price, size, time, trade_id)]}


def filled(lane: Exchange) -> list[tuple[Any, ...]]:
    """Return the order, price in ticks, size in hundredths, and cause of every fill."""
    return [
        (fill["order"], fill["price"] // 10**6, fill["size"] * 100 // UNIT, fill["by"]) for fill in lane.fills
    ]


def test_crossing_fills_what_is_shown_once() -> None:
    """A seller who shows 0.3 at our bid meets us for 0.3, at our price, and once."""
    lane = replayed(
        send("buy", "a", price="100.00"),
        changed(1, ("ask", "100.00", "0.3"), ("bid", "100.00", "0")),
        changed(2, ("bid", "99.00", "1")),
        changed(3, ("ask", "99.99", "0.2")),
    )
    assert filled(lane) == [("a", 10_000, 30, "cross"), ("a", 10_000, 20, "cross")]
    assert (lane.orders["a"].end, lane.position) == ("end", UNIT // 2)


def test_crossed_book() -> None:
    """A crossed book refuses takers and crosses nothing; trades count."""
    lane = replayed(
        send("sell", "a", price="100.02"),
        changed(1, ("bid", "100.03", "5")),
        send("buy", "b", price="100.01"),
        send("buy", "c", price="99.00"),
        traded(2, "ask", "100.03", "0.5"),
    )
    assert filled(lane) == [("a", 10_002, 50, "through")]
    assert [lane.orders[name].end for name in "abc"] == ["end", "crossed", "end"]


def test_market_order_and_collar() -> None:
    """A market order walks as far as the collar, and what is left of it expires."""
    lane = replayed(send("buy", "a", "5"), send("sell", "b", "5"), collar="0.0001")
    assert filled(lane) == [
        ("a", 10_001, 100, "take"),
        ("a", 10_002, 200, "take"),
        ("b", 10_000, 200, "take"),
    ]
    assert [lane.orders[name].end for name in "ab"] == ["expired", "expired"]
    assert filled(replayed(send("buy", "a", "5"), collar="0.00009")) == [("a", 10_001, 100, "take")]


def test_amends() -> None:
    """Less left keeps the place; another price, or more, comes again at the back, takes, or is refused."""
    lane = replayed(
        send("buy", "a", price="100.00"),
        changed(1, ("bid", "100.00", "9")),
        send("amend", "a", "0.5", "100.00"),
        traded(2, "bid", "100.00", "2.25"),
        send("amend", "a", "0.3", "100.00"),
        changed(3, ("bid", "100.00", "6.75")),
        traded(4, "bid", "100.00", "6.75"),
        send("amend", "a", "0", "100.00"),
        send("amend", "a", "3", "100.02"),
        send("amend", "a", "1", "100.00"),
        queue="share",
    )
    assert filled(lane) == [
        ("a", 10_000, 25, "trade"),
        ("a", 10_001, 100, "take"),
        ("a", 10_002, 200, "take"),
    ]
    assert [event[1:3] for event in lane.events] == [
        *[("rested", ""), ("amended", ""), ("fill", ""), ("amended", ""), ("amend_refused", "increment")],
        *[("amended", ""), ("fill", ""), ("fill", ""), ("end", "filled"), ("too_late", "")],
    ]


def test_refusals() -> None:
    """The first reason that holds counts; no order meets another of its own lane; 64 may be open."""
    rows = [send("buy", f"o{number}", price="99.00") for number in range(65)]
    lane = replayed(
        *rows, send("sell", "a", price="99.00"), send("buy", "b", "0"), send("buy", "c", "1", "1.001")
    )
    assert [lane.orders[name].end for name in ("o63", "o64", "a", "b", "c")] == [
        *("end", "too_many", "self_trade", "increment", "increment")
    ]
    poor = replayed(
        send("buy", "a", price="50.00"), send("buy", "b", price="50.00"), cash="99", min_funds="1"
    )
    assert [poor.orders[name].end for name in "ab"] == ["end", "funds"]


def test_second_snapshot_bounds_the_queue() -> None:
    """A second snapshot bounds what is ahead, and forgets decreases, prints owed, and what was taken."""
    lane = replayed(
        send("buy", "a", price="100.00"),
        send("buy", "b", price="100.01"),
        {**BOOK, "bids": [("100.00", "0.5")], "time": 1},
        send("buy", "c", price="100.01"),
        traded(2, "bid", "100.00", "0.75"),
    )
    assert filled(lane) == [
        ("b", 10_001, 100, "take"),
        ("c", 10_001, 100, "take"),
        ("a", 10_000, 25, "trade"),
    ]


def test_orders_kept_over_a_break() -> None:
    """A kept order fills whole if the next snapshot is through it; else it is at the back of its level."""
    rows = [
        send("buy", "a", price="100.00"),
        send("buy", "b", price="99.90"),
        {"row": "disconnected"},
        {"row": "connected"},
        traded(1, "bid", "99.00", "7"),
        {**BOOK, "bids": [("99.90", "3")], "asks": [("99.95", "0.1")], "time": 2},
    ]
    lane = replayed(*rows, on_break="keep")
    assert filled(lane) == [("a", 10_000, 100, "through")]
    assert lane.ahead[-1] == {"b": {"back": 3 * UNIT, "share": 3 * UNIT, "front": 0}}
    assert {order.end for order in replayed(*rows).orders.values()} == {"interrupted"}


def test_money() -> None:
    """A fill beyond the position closes it at average cost; fees are rounded against us."""
    lane = replayed(send("buy", "a", "1.5"), send("sell", "b", "2"), send("buy", "c", "0.25"), taker=100)
    assert lane.position == -UNIT // 4
    assert lane.realised == money("-0.025")  # 150.00 - 150.02, then 25.00 - 25.005
    assert lane.fees == money("0.0375025")  # of 375.025
    assert [Exchange.fee(value, rate) for value, rate in ((1, 1), (10**6, 1), (1, -1))] == [1, 1, 0]


def test_what_never_arrives() -> None:
    """What is under way at the end of the tape is unsent; a request at the time of a row comes after it."""
    lane = replayed(send("buy", "a", price="100.00"), send("buy", "b", price="100.00"), latency=[1, 100])
    assert [lane.orders[name].end for name in "ab"] == ["end", "unsent"]
    assert [time for time, *_ in lane.events] == [3, 6, 6]


def assert_conserved(case: Case, lane: Exchange) -> None:
    """Assert that nothing fills twice: what was sent, traded and shown bounds the fills; money adds up."""
    for order in lane.orders.values():
        own = sum(fill["size"] for fill in lane.fills if fill["order"] == order.name)
        assert own == order.filled[lane.queue]
        assert order.filled["back"] <= order.filled["share"] <= order.filled["front"]
        assert (order.end == "filled") == (own > 0 and own == order.size)
    for queues in lane.ahead:
        assert all(queue["back"] >= queue["share"] >= queue["front"] == 0 for queue in queues.values())
    for fill in lane.fills:  # the equity identity, at every mid
        assert fill["cash"] == fill["realised"] - fill["cost"] - fill["fees"]
    assert lane.position == sum(SIGN[fill["side"]] * fill["size"] for fill in lane.fills)
    by_trade = {
        trade[4]: cut(trade[2]) for row in case.rows if row["row"] == "trades" for trade in row["trades"]
    }
    for fill in lane.fills:
        what, trade_id, _ = fill["cause"]
        if what == "trade":
            by_trade[trade_id] -= fill["size"]
    assert min(by_trade.values(), default=0) >= 0
    if case.settings["impact"] != "none":
        assert_levels_conserved(case.rows, lane)


def assert_levels_conserved(rows: list[Row], lane: Exchange) -> None:
    """Assert that no level gave more than it showed and grew by, until a snapshot or an interruption."""
    shown: dict[str, dict[str, str]] = {"bid": {}, "ask": {}}
    given: dict[tuple[str, int], int] = {}
    taken = [fill for fill in lane.fills if fill["by"] in {"take", "cross"}]
    is_known = False
    for place, row in enumerate([*rows, {"row": "other"}]):
        arrivals = [fill for fill in taken if fill["cause"] == ("arrival", None, place)]
        crossings = [fill for fill in taken if fill["cause"] == ("book", None, place)]
        for fill in arrivals:
            given[OTHER[fill["side"]], fill["level"]] -= fill["size"]
        assert min(given.values(), default=0) >= 0
        is_known = row["row"] == "snapshot" or (is_known and row["row"] not in {"connected", "disconnected"})
        before = {(side, exact(price)): cut(size) for side in shown for price, size in shown[side].items()}
        if is_known:
            show(shown, row)
        after = {(side, exact(price)): cut(size) for side in shown for price, size in shown[side].items()}
        if row["row"] in {"snapshot", "connected", "disconnected"}:
            given = dict(after)
        for level, size in after.items():
            given[level] = given.get(level, 0) + max(0, size - before.get(level, 0)) * (
                row["row"] == "update"
            )
        for fill in crossings:
            given[OTHER[fill["side"]], fill["level"]] -= fill["size"]


@pytest.mark.parametrize("feed", FEEDS)
def test_conservation_on_random_tapes(feed: str) -> None:
    """On random tapes with noise nothing is filled twice, and the three models keep their order."""
    for seed in range(4):
        case = random_case(seed, feed)
        for queue in MODELS:
            lane = run(case.rows, case.requests, {**case.settings, "queue": queue})
            assert_conserved(case, lane)
            again = run(case.rows, case.requests, {**case.settings, "queue": queue})
            assert digest(again.events) == digest(lane.events)


@pytest.mark.parametrize("feed", FEEDS)
def test_random_tapes_as_frames(feed: str) -> None:
    """The frames of a random tape are valid, and show the same best prices after every row."""
    rows = random_case(1, feed).rows
    frames = list(tape_rows(rows, "advanced" if feed == "advanced" else "exchange"))
    seen = oracle.replay(frames, BTC, "advanced" if feed == "advanced" else "exchange")
    assert {kind for _, kind in seen.anomalies} <= {"crossed", "early_update"}
    lane = Exchange({})
    tops = []
    for row in rows:
        lane.row(row)
        if row["row"] == "snapshot" or (row["row"] == "update" and lane.book is not None):
            tops.append((lane.best("bid"), lane.best("ask")))
    found = [(one.bid_price, one.ask_price) for one in seen.summaries]
    assert found == [tuple(best and best / UNIT for best in top) for top in tops]
    if feed != "advanced":
        sent = [json.loads(json.dumps(row)) for row in rows if row["row"] in {"snapshot", "update", "trades"}]
        read = [
            {"t": frame.recv_time, **json.loads(json.dumps(row_of(json.loads(frame.payload))))}
            for frame in frames
            if frame.kind == "frame"
        ]
        assert [row for row in read if row["row"] != "other"] == sent


@pytest.mark.parametrize("feed", FEEDS)
def test_bounds_hold_in_a_market_of_single_orders(feed: str) -> None:
    """What an order of the market really filled lies between `back` and `front`."""
    orders = 0
    for seed in range(3):
        case = market_case(seed, feed)
        for order, requests in orders_sent_again(case, feed):
            got = run(case.rows, requests, {"tick": "0.01", "queue": "back"}).orders["a"].filled
            assert got["back"] <= exact(order.size - order.left) <= got["front"]
            orders += 1
    assert orders > 60


CAPTURED = {"ETH": 89, "ETH-batch55-late250": 78, "LTC": 242, "LTC-batch55-late250": 184}


@pytest.mark.skipif(not CAPTURES.exists(), reason="the captures of real orders are not here")
@pytest.mark.parametrize("name", CAPTURED)
def test_bounds_hold_for_real_orders(name: str) -> None:
    """What a real order filled lies between `back` and `front`, and `share` is off by 1.6 % of it at most."""
    rows = capture_rows(CAPTURES / f"l3-2018-03-{name}.jsonl.gz", f"{name[:3]}-USD")
    orders = real_orders(CAPTURES / f"l3-2018-03-{name}.orders.json")
    assert len(orders) == CAPTURED[name]
    errors, widths = [], []
    for order in orders:
        until = [row for row in rows if row["t"] <= order["done"] + 1]
        got = run(until, sent_again(order), {"tick": "0.01", "queue": "back"}).orders["a"].filled
        really = exact(order["filled"])
        assert got["back"] <= really <= got["front"]
        errors.append(Fraction(got["share"] - really, exact(order["size"])))
        widths.append(Fraction(got["front"] - got["back"], exact(order["size"])))
    print(  # noqa: T201  figures to publish, shown by pytest -s
        f"{name}: {len(orders)} orders, share exact for {errors.count(Fraction(0))}, "
        f"mean absolute error {float(sum(map(abs, errors)) / len(errors)):.2%} of the size, "
        f"front - back {float(sum(widths) / len(widths)):.2%} of the size"
    )
    assert sum(map(abs, errors)) / len(errors) < Fraction("0.016")
