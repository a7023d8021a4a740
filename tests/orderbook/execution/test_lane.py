"""A lane: when its strategy is woken, what it sees and can do, and what becomes of its results."""

import math
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from orderbook.book import OrderBookState
from orderbook.errors import OptionError
from orderbook.execution.lane import Lane
from orderbook.execution.latency import (
    Draws,
    FeedLatency,
    FixedLatency,
    Latency,
    TableLatency,
    UniformLatency,
)
from orderbook.execution.market import Market
from orderbook.execution.market_view import MarketView
from orderbook.execution.settings import Fees, LaneSettings
from orderbook.execution.table import OrdersTable, TableRow
from orderbook.execution.wakes import Wakes, Why
from orderbook.strategy import StrategyError
from tests.support.constants import BTC, MS, SECOND
from tests.support.scenarios import Line, feed, scenario_rows

SNAPSHOT: Line = {
    "row": "snapshot",
    "bids": [["100.00", "2"], ["99.99", "3"]],
    "asks": [["100.02", "4"]],
    "time": 1,
}


def at(ms: int, row: Line | str, **more: Any) -> Line:
    """Return a row at a time in ms."""
    fields = {"row": row} if isinstance(row, str) else row
    return {"t": ms * MS, **fields, **more}


def bid(time: int, price: str, size: str) -> Line:
    """Return an update of one bid; its book time is its time."""
    return at(time, "update", changes=[["bid", price, size]], time=time * MS)


class Scripted:
    """A strategy of one function."""

    def __init__(self, wakes: Wakes, on_event: Callable[[MarketView], None]) -> None:
        self.wakes = wakes
        self._on_event = on_event

    def on_event(self, m: MarketView) -> None:
        """Call the function."""
        self._on_event(m)


def run(lines: list[Line], wakes: Wakes, on_event: Callable[[MarketView], None], **settings: Any) -> Lane:
    """Run a strategy over rows, without latency and fees if not set otherwise."""
    market = Market(OrderBookState())
    of_lane = LaneSettings(**{"latency": FixedLatency(0), "fees": Fees(0, 0), **settings})
    lane = Lane(BTC, market, Scripted(wakes, on_event), settings=of_lane, name="mine:Own")
    feed(market, [lane], scenario_rows(lines))
    return lane


def times_woken(lines: list[Line], wakes: Wakes) -> list[tuple[int, Why]]:
    """Return when, in ms, and why a strategy is woken that buys once, below the book."""
    woken: list[tuple[int, Why]] = []

    def on_event(m: MarketView) -> None:
        woken.append((m.now // MS, m.why))

    run(lines, wakes, on_event)
    return woken


def test_wakes() -> None:
    """A strategy is woken for what it asked for, once a row, and for nothing else."""
    lines = [
        at(100, SNAPSHOT),
        bid(200, "99.98", "1"),
        bid(300, "100.00", "1"),
        at(400, "trades", trades=[["bid", "100.00", "1", 300 * MS, 1]]),
        at(500, "history", trades=[["bid", "100.00", "1", 300 * MS, 2]]),
        bid(600, "100.01", "1"),
        at(1700, "other"),
        at(1800, "disconnected"),
    ]
    assert times_woken(lines, Wakes()) == []
    assert times_woken(lines, Wakes(book=True)) == [(t, Why.BOOK) for t in (100, 200, 300, 600)]
    assert times_woken(lines, Wakes(top=True)) == [(t, Why.TOP) for t in (100, 300, 600, 1800)]
    assert times_woken(lines, Wakes(trades=True)) == [(400, Why.TRADES)]
    assert times_woken(lines, Wakes(spread="1.5bps")) == [(100, Why.SPREAD), (600, Why.SPREAD)]
    assert times_woken(lines, Wakes(every="500ms")) == [(t, Why.TIMER) for t in (500, 1000, 1500)]
    both = times_woken(lines, Wakes(top=True, book=True))
    assert both[0] == (100, Why.TOP | Why.BOOK)


def test_reports_come_when_they_are_due() -> None:
    """Position and orders are as reported: never ahead of the reports, which take their time."""
    seen: list[tuple[int, str, list[str], list[str]]] = []

    def on_event(m: MarketView) -> None:
        if Why.TIMER not in m.why and not seen:
            m.buy(100, 3)
            m.market("bid", 1)
        words = [event.code.word for event in m.reports]
        seen.append((m.now // MS, f"{m.position:.0f}", words, [order.state for order in m.orders]))

    lines = [at(100, SNAPSHOT), at(250, "other"), at(300, "other"), at(1000, "other")]
    run(lines, Wakes(top=True, reports=True), on_event, latency=FixedLatency(100 * MS), report=50 * MS)
    assert seen == [
        (100, "0", [], ["sent", "sent"]),
        (250, "1", ["resting", "fill", "filled"], ["resting"]),
    ]


def test_what_a_strategy_sees() -> None:
    """The market is exact, without our orders; an unknown spread is neither above nor below anything."""
    seen: list[Any] = []

    def on_event(m: MarketView) -> None:
        seen.append(m.relative_spread)
        if m.is_known:
            assert (m.bid, m.ask, m.spread, m.tick) == tuple(map(Decimal, ("100", "100.02", "0.02", "0.01")))
            assert [m.bid_size, m.ask_size, m.lot] == [2, 4, Decimal("1E-8")]
            bids, asks = m.depth(5)
            assert [str(price) for price, _ in bids + asks] == ["100.00000000", "99.99000000", "100.02000000"]
            assert [size for _, size in bids + asks] == [2, 3, 4]
            assert [m.size_at("bid", "99.99"), m.size_at("bid", 98)] == [3, 0]
            assert not m.is_crossed
        else:
            assert (m.bid, m.ask_size, m.spread) == (None, None, None)

    run([at(1, SNAPSHOT), at(2, "disconnected")], Wakes(top=True), on_event)
    assert seen[0] == 0.000199960008
    assert math.isnan(seen[1])


def test_quote_keeps_one_order() -> None:
    """`quote` sends, amends, or leaves alone what stands right; a partial fill keeps its place."""
    wanted = iter([("100.00", 1), ("100.00", 1), ("100.00", 1), ("99.99", 2), ("99.99", 1), None])
    ends: list[str] = []

    def on_event(m: MarketView) -> None:
        ends.extend(event.code.word for event in m.reports)
        if Why.BOOK in m.why:
            quote = next(wanted)
            if quote is None:
                m.cancel_all("bid")
                m.cancel_all()
            else:
                m.quote("bid", *quote)

    lines = [
        at(100, SNAPSHOT),
        bid(200, "98.00", "1"),
        at(250, "trades", trades=[["bid", "99.99", "0.25", 250 * MS, 1]]),
        bid(300, "97.00", "1"),
        bid(400, "96.00", "1"),
        bid(500, "95.00", "1"),
        bid(600, "94.00", "1"),
        at(700, "other"),
    ]
    lane = run(lines, Wakes(book=True, reports=True), on_event)
    assert ends == ["resting", "fill", "amended", "amended", "cancelled"]
    assert lane.requests == 4
    assert [(order.number, order.amends, order.size) for order in lane.rows.orders] == [(1, 2, 125_000_000)]


def test_quote_under_way() -> None:
    """`quote` counts on the requests that are under way, and tries again after a refusal."""
    prices = iter(["100.01", "100.01", "100.02", "100.02", "100.01"])

    def on_event(m: MarketView) -> None:
        if Why.BOOK in m.why:
            m.quote("bid", next(prices), 1)

    lines = [at(10, SNAPSHOT), *(bid(ms, "98.00", str(ms)) for ms in (20, 30, 40, 50)), at(1000, "other")]
    lane = run(lines, Wakes(book=True), on_event, latency=FixedLatency(100 * MS))
    assert lane.requests == 3  # new at .01, amend to .02, which will be refused, amend back to .01
    (order,) = lane.rows.orders
    assert (order.price, order.amends) == (10_001_000_000, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda _: 1 // 0, "ZeroDivisionError: integer division or modulo by zero"),
        (lambda _: sys.exit("done"), "SystemExit: done"),
        (lambda m: m.buy("abc", 1), "ValueError: 'abc' is no number"),
        (lambda m: m.buy(None, 1), "TypeError: None is no price or size: give a str, Decimal, int or float"),
        (lambda m: m.buy(True, 1), "TypeError: True is no price or size: give a str, Decimal, int or float"),
        (lambda m: m.cancel(1), "ValueError: there is no order 1: the last one is 0"),
        (lambda m: m.market("buy", 1), "ValueError: 'buy' is no side: give 'bid' or 'ask'"),
        (lambda m: m.quote("sell", 1, 1), "ValueError: 'sell' is no side: give 'bid' or 'ask'"),
        (lambda m: m.cancel_all("both"), "ValueError: 'both' is no side: give 'bid' or 'ask'"),
        (lambda m: m.size_at("", 1), "ValueError: '' is no side: give 'bid' or 'ask'"),
        (lambda m: m.buy(1, 1, name=5), "TypeError: 5 is no name of an order: give a str"),
    ],
)
def test_a_strategy_that_raises(call: Callable[[MarketView], None], message: str) -> None:
    """An exception of a strategy is one line that names the strategy and the row."""
    with pytest.raises(StrategyError) as raised:
        run([at(1, SNAPSHOT)], Wakes(top=True), call)
    assert str(raised.value) == f"mine:Own, {BTC}, row 0: {message} (BOOKTAPE_TRACEBACK=1 shows where)"


@pytest.mark.parametrize(
    "price", [float("nan"), float("inf"), -1, 0, "1e30", "100.001", 10**12, Decimal("NaN")]
)
def test_nonsense_prices_are_refused(price: float | str | Decimal) -> None:
    """A number that no order can have is refused as one off the increments."""

    def on_event(m: MarketView) -> None:
        m.buy(price, 1)
        m.buy(1, price)

    lane = run([at(1, SNAPSHOT), at(2, "other")], Wakes(top=True), on_event)
    ends = [order.end.word for order in lane.rows.orders if order.end]
    assert ends == ["increment", "end" if price == "100.001" else "increment"]


def test_10000_requests_at_once() -> None:
    """All requests arrive, in order; 64 orders rest."""

    def on_event(m: MarketView) -> None:
        for _ in range(10_000):
            m.buy(99, 1)

    lane = run([at(1, SNAPSHOT), at(2, "other")], Wakes(top=True), on_event)
    ends = [order.end.word for order in lane.rows.orders if order.end]
    assert (ends.count("too_many"), ends.count("end"), len(ends)) == (9_936, 64, 10_000)


def test_a_strategy_that_never_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A strategy that answers each of its own reports without latency is stopped."""
    monkeypatch.setattr("orderbook.execution.lane.MOST_ACTIONS", 1_000)

    def on_event(m: MarketView) -> None:
        m.buy(101, 1, ioc=True)

    with pytest.raises(StrategyError, match="row 0: it answers its own events for ever at one moment"):
        run([at(1, SNAPSHOT), at(2, "other")], Wakes(top=True, reports=True), on_event)


def test_samples() -> None:
    """Equity is sampled on the grid while a book is known, after fills, at breaks and at the end."""

    def on_event(m: MarketView) -> None:
        if m.is_known and m.position == 0:
            m.buy("100.02", 1)

    lines = [
        at(500, SNAPSHOT),
        at(1000, "other"),
        at(1500, "disconnected"),
        at(2500, "connected"),
        at(3000, SNAPSHOT),
        at(3500, "other"),
    ]
    lane = run(lines, Wakes(top=True), on_event)
    samples = [(sample.time // MS, sample.why, sample.equity_twice) for sample in lane.rows.samples]
    loss = -2 * 10**14  # twice half a spread of 0.02, in 1e-16
    assert samples == [
        (500, "fill", loss),
        (1000, "grid", loss),
        (1500, "break", loss),
        (3000, "grid", loss),
        (3500, "end", loss),
    ]
    assert lane.rows.samples[0].equity_exit == loss


def test_markouts_are_known_while_the_connection_is_observed() -> None:
    """A mid after a fill is that of the last book at or before the horizon; none beyond the last book row."""

    def on_event(m: MarketView) -> None:
        m.market("bid", 1)

    lines = [
        at(10, SNAPSHOT),
        at(20, "other"),
        bid(110, "100.01", "1"),
        bid(111, "100.00", "5"),
        bid(112, "99.00", "5"),
        at(5000, "disconnected"),
    ]
    lane = run(lines, Wakes(top=True, book=False), on_event, markouts=(0, 100 * MS, 103 * MS))
    first = lane.rows.fills[0]
    assert (first.time // MS, first.mid_twice) == (10, 20_002_000_000)
    assert first.later_mids == [20_002_000_000, 20_003_000_000, None]
    assert first.markout_bps(first.later_mids[1]) == -(10**10) / 20_004_000_000


@pytest.mark.parametrize(
    ("latency", "delays"),
    [
        (FixedLatency(7), {7}),
        (UniformLatency(5, 6), {5, 6}),
        (TableLatency((1, 2, 3)), {1, 2, 3}),
        (FeedLatency(10, 1_500_000), {10 + 30}),
    ],
)
def test_latencies(latency: Latency, delays: set[int]) -> None:
    """Each model gives what it says, by the number of the request alone."""
    draws = Draws(1, BTC)
    assert {latency.delay(draws.at(number), 20) for number in range(1, 50)} == delays
    assert draws.at(3) == Draws(1, BTC).at(3) != Draws(1, "ETH-USD").at(3) != Draws(2, BTC).at(3)


def test_requests_never_overtake() -> None:
    """A request that is faster than the one before it arrives with it."""
    arrivals: list[int] = []

    def on_event(m: MarketView) -> None:
        if Why.TOP in m.why:
            for _ in range(40):
                m.buy(99, 1)
        arrivals.extend(m.now for _ in m.reports)

    latency = UniformLatency(0, SECOND)
    run([at(1, SNAPSHOT), at(5000, "other")], Wakes(top=True, reports=True), on_event, latency=latency)
    assert len(arrivals) == 40
    assert arrivals == sorted(arrivals)
    assert 1 < len(set(arrivals)) < 20  # most are held up by a slower one before


def test_feed_latency_follows_the_feed() -> None:
    """A feed that is late by 300 ms more than at best delays what is sent then."""

    def on_event(m: MarketView) -> None:
        m.buy(99, 1)

    lines = [
        at(1000, SNAPSHOT, time=950 * MS),
        at(2000, "update", changes=[], time=1650 * MS),
        at(9000, "other"),
    ]
    lane = run(lines, Wakes(book=True), on_event, latency=FeedLatency(40 * MS))
    assert [(order.arrived or 0) // MS for order in lane.rows.orders] == [1040, 2340]


def test_log_and_timers() -> None:
    """A strategy can write rows, and be woken at a time of its own, also one that has passed."""

    def on_event(m: MarketView) -> None:
        m.log(why=m.why.name, bid=m.bid)
        if Why.TOP in m.why:
            m.wake_at(m.now + 5 * MS)
            m.wake_at(0)

    lane = run([at(1, SNAPSHOT), at(10, "other")], Wakes(top=True), on_event)
    assert [(row.time // MS, row.seq, row.values["why"]) for row in lane.rows.log] == [
        (1, 0, "TOP"),
        (1, 0, "TIMER"),
        (6, 0, "TIMER"),
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([TableRow(2, "limit", "a", "bid", 1, 1), TableRow(1, "cancel", "a")], "sort the rows by time"),
        ([TableRow(1, "cancel", "a")], "no order of this name is above it"),
        ([TableRow(1, "limit", "a", "bid", 1, 1)] * 2, "an order of this name is above it"),
        ([TableRow(1, "limit", "a", "buy", 1, 1)], "side is 'buy'; write bid or ask"),  # type: ignore[arg-type]
        ([TableRow(1, "limit", "a", "bid", None, 1)], "it has no price"),
        ([TableRow(1, "market", "a", "bid")], "it has no size"),
        ([TableRow(1, "stop", "a", "bid", 1, 1)], "what is 'stop'"),  # type: ignore[arg-type]
    ],
)
def test_tables_that_cannot_be_sent(rows: list[TableRow], message: str) -> None:
    """A table that makes no sense is refused before anything runs."""
    with pytest.raises(OptionError, match=message):
        OrdersTable(rows)
