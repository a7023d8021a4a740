"""The same lanes through the plain exchange and the compiled one, and what came of each lane."""

import dataclasses
import random
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np

from booktape.strategies import QuoteWhenWide
from orderbook.book import OrderBookState
from orderbook.compiled.book import CompiledBook
from orderbook.compiled.loading import kernels
from orderbook.compiled.market_arrays import MarketArrays
from orderbook.execution.codes import QUEUE_MODELS
from orderbook.execution.compiled.lanes import CompiledLanes
from orderbook.execution.compiled.loading import kernel_entry
from orderbook.execution.compiled_strategy import CompiledTrader
from orderbook.execution.lane import Lane
from orderbook.execution.lanes import Lanes
from orderbook.execution.latency import TableLatency, UniformLatency
from orderbook.execution.market import Market
from orderbook.execution.market_view import MarketView
from orderbook.execution.records import TakeRecords
from orderbook.execution.rows import BookRow, BreakRow, OtherRow, TapeRow
from orderbook.execution.settings import LaneSettings, ProductRules
from orderbook.execution.table import OrdersTable
from orderbook.execution.trader import Trader
from orderbook.execution.wakes import Wakes
from orderbook.venues.base import Side
from recorder.runtime.strategies import load_function
from tests.support import compiled_strategies
from tests.support.constants import BTC, MS, SECOND
from tests.support.execution_cases import TICK, Case
from tests.support.execution_twins import LatencyInTurn, rows_of, settings_of, table_of
from tests.support.scenarios import feed

Made = tuple[Callable[[], Trader], LaneSettings]
COLUMNS: Final = (np.int64, np.int64, np.int32)
"""Of seq, recv_time and connection."""
SIZES: Final = ("0.1", "1", "0.00000001", "2.5")


class Derived(QuoteWhenWide):
    """The worked strategy as any user's: in Python."""


class Curious:
    """A strategy that logs all that it can see whenever it is woken, and asks for anything."""

    def __init__(self, seed: int, wakes: Wakes) -> None:
        self.wakes = wakes
        self._seed = seed
        self._woken = 0

    def on_event(self, m: MarketView) -> None:
        """Log, and do some things at random."""
        self._woken += 1
        m.log(
            market=(m.now, m.why, m.seq, m.bid, m.bid_size, m.ask, m.ask_size, m.is_known, m.is_crossed),
            floats=(repr(m.relative_spread), m.tick),
            depth=m.depth(3),
            size=None if m.bid is None else m.size_at("bid", m.bid),
            own=[(each.number, each.price, each.left, each.state, each.ahead) for each in m.orders],
            money=(m.position, m.cash, m.fees),
            trades=sorted(m.trades, key=lambda trade: trade.trade_id),
            reports=[(*event[:7], event.order and event.order.name) for event in m.reports],
        )
        rng = random.Random(f"{self._seed} {self._woken}")
        for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
            self._ask(rng, m)

    def _ask(self, rng: random.Random, m: MarketView) -> None:
        sides: tuple[Side, ...] = ("bid", "ask")
        side = rng.choice(sides)
        price = ((m.bid if side == "bid" else m.ask) or Decimal(100)) + rng.choice((-2, -1, 0, 1, 2)) * TICK
        size, name, now = rng.choice(SIZES), rng.choice((None, f"order{self._woken}")), m.now
        limit = m.buy if side == "bid" else m.sell
        asks: list[Callable[[], object]] = [
            lambda: limit(price, size, name=name),
            lambda: limit(price, size, post_only=True),
            lambda: limit(price, size, ioc=True),
            lambda: m.market(side, size),
            lambda: m.quote(side, price, size),
            lambda: m.cancel_all(rng.choice([None, side])),
            lambda: m.wake_at(now + rng.choice((0, 0, MS, 100 * MS, -5, 10 * SECOND))),
        ]
        if m.orders:
            own = rng.choice(m.orders)
            asks += [lambda: m.cancel(own), lambda: m.amend(own, rng.choice((price, None)), size)] * 2
        rng.choice(asks)()


def random_wakes(rng: random.Random) -> Wakes:
    """Return something to be woken for, or nothing."""
    choose = rng.choice
    return Wakes(
        top=choose((False, True)),
        book=choose((False, False, True)),
        trades=choose((False, True)),
        fills=choose((False, True)),
        reports=choose((False, True)),
        spread=choose((None, "1bps", "3bps")),
        every=choose((None, None, "200ms", "1s")),
    )


def random_lanes(case: Case, seed: int) -> tuple[ProductRules, list[Made]]:
    """Return lanes of every kind: tables of orders, the worked strategy, and strategies in Python."""
    rng = random.Random(seed)
    rules, shared = settings_of(case.settings, "share")
    if rng.random() < 0.3:
        rules = dataclasses.replace(rules, tick=None)
    shared = dataclasses.replace(
        shared,
        equity_every=rng.choice((SECOND, 100 * MS)),
        markouts=rng.choice(((), (100 * MS, SECOND), (SECOND,))),
        seed=rng.randrange(10**6),
    )
    if isinstance(shared.latency, LatencyInTurn):  # which is the oracle's alone
        drawn = rng.choice((UniformLatency(0, 90 * MS), TableLatency((3 * MS, 0, 90 * MS))))
        shared = dataclasses.replace(shared, latency=drawn)
    made: list[Made] = [
        (lambda: OrdersTable(table_of(case)), dataclasses.replace(shared, queue=queue))
        for queue in QUEUE_MODELS
    ]
    for threshold in ("0bps", "2bps"):
        values: dict[str, Any] = {
            "threshold": threshold,
            "size": rng.choice(("0.5", "0.01", "3")),
            "inside": rng.choice((0, 1, 2, 10**19)),
            "limit": "5",
        }
        of_lane = dataclasses.replace(shared, queue=rng.choice(QUEUE_MODELS))
        made.append((lambda values=values: QuoteWhenWide(BTC, **values), of_lane))  # type: ignore[misc]
        made.append((lambda values=values: Derived(BTC, **values), of_lane))  # type: ignore[misc]
    for number in range(2):
        wakes, queue = random_wakes(rng), rng.choice(QUEUE_MODELS)
        of_lane = dataclasses.replace(shared, queue=queue)
        made.append((lambda number=number, wakes=wakes: Curious(seed + number, wakes), of_lane))  # type: ignore[misc]
        called = compiled_strategies.curious(wakes, can_idle=rng.random() < 0.7)
        values = {"seed": seed, "idle_below": rng.choice(("1bps", "2bps", "4bps", "90%"))}
        made.append((lambda called=called, values=values: called(BTC, **values), of_lane))  # type: ignore[misc]
    return rules, made


def run_plain(case: Case, rules: ProductRules, made: Iterable[Made]) -> list[tuple[Any, ...]]:
    """Return what comes of lanes in the plain exchange."""
    market, lanes = plain_lanes(case, rules, made)
    steps = (market.tick, market.shown_tick, market.shown_lot)
    return [(*outcome(lane), steps) for lane in lanes]


def plain_lanes(case: Case, rules: ProductRules, made: Iterable[Made]) -> tuple[Market, list[Lane]]:
    """Return the market and lanes that have run in the plain exchange."""
    market = Market(OrderBookState(), rules.tick)
    lanes = [Lane(BTC, market, make(), rules=rules, settings=each) for make, each in made]
    feed(market, lanes, rows_of(case), Lanes)
    return market, lanes


def run_compiled(case: Case, rules: ProductRules, made: Sequence[Made], cut: int) -> list[tuple[Any, ...]]:
    """Return what comes of lanes in the compiled exchange, in batches of so many rows."""
    lanes = compiled_lanes(case, rules, made, cut)
    steps = (lanes.tick, lanes.shown_tick, lanes.shown_lot)
    return [(*outcome(lane), steps) for lane in lanes.lanes]


def compiled_lanes(
    case: Case, rules: ProductRules, made: Sequence[Made], cut: int, takes: Sequence[TakeRecords] = ()
) -> CompiledLanes:
    """Return lanes that have run in the compiled exchange; their rows are kept if nothing takes records."""
    shared = made[0][1]
    lanes = CompiledLanes(
        kernel_entry(),
        BTC,
        rules,
        every=shared.equity_every,
        horizons=shared.markouts,
        keeps_rows=not takes,
        takes=takes,
    )
    traders = [make() for make, _ in made]
    for trader in traders:
        if isinstance(trader, CompiledTrader):
            load_function(trader.strategy)  # which no other process of the tests compiles again
    lanes.begin([(trader, each, "strategy") for trader, (_, each) in zip(traders, made, strict=True)])
    book = CompiledBook(kernels())
    rows = list(_accepted(rows_of(case)))
    for start in range(0, len(rows), cut):
        part = rows[start : start + cut]
        columns = tuple(np.array([row[n] for row in part], of) for n, of in enumerate(COLUMNS))
        arrays = MarketArrays(len(part), 0)
        lanes.read_trades = lambda number, part=part: getattr(part[number], "trades", ())  # type: ignore[misc]
        lanes.follow(columns, arrays.memory, book, 0)
        for number, row in enumerate(part):
            _apply(book, row)
            arrays.write(number, row)
            lanes.follow(columns, arrays.memory, book, number + 1)
        lanes.end_batch()
    lanes.finish()
    return lanes


def _apply(book: CompiledBook, row: TapeRow) -> None:
    """Let a row change the book."""
    if isinstance(row, BookRow):
        for event in row.events:
            book.apply(event)
    elif isinstance(row, BreakRow):
        book.clear()


def _accepted(rows: Iterable[TapeRow]) -> Iterable[TapeRow]:
    """Yield the rows as the core accepts them: no update without a book."""
    is_known = False
    for row in rows:
        if isinstance(row, BookRow):
            is_known = is_known or row.has_snapshot
            yield row if is_known else OtherRow(*row[:3])
            continue
        is_known = is_known and not isinstance(row, BreakRow)
        yield row


def outcome(lane: Any) -> tuple[Any, ...]:
    """Return all that came of a lane."""
    account, broken, rows = lane.account, lane.broken, lane.rows
    orders = [
        (
            *(each.number, each.name, each.side, each.kind, each.post_only, each.price, each.size),
            *(each.filled, each.sent, each.arrived, each.rested, each.ahead_at_rest),
            *(each.ended, each.end, each.amends),
        )
        for each in rows.orders
    ]
    return (
        [(row.time, row.seq, row.values) for row in rows.log],
        orders,
        [dataclasses.astuple(each) for each in rows.fills],
        list(rows.samples),
        (account.cash, account.position, account.fees, account.realised, account.turnover, account.start),
        (broken.size, broken.through, broken.traded),
        lane.totals,
        rows.resting.array().tolist(),
        lane.digest.hexdigest(),
    )
