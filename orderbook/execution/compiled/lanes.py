"""All lanes of a product through the kernel: `lanes.Lanes` and `market.Market` for rows as arrays."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from orderbook.book import Levels
from orderbook.events import Trade
from orderbook.execution.account import Account
from orderbook.execution.codes import QUEUE_MODELS
from orderbook.execution.compiled import layout
from orderbook.execution.compiled.desk import Desk
from orderbook.execution.compiled.harvest import Batch, CompiledLane, harvest
from orderbook.execution.compiled.kernel import SEE
from orderbook.execution.compiled.layout import BREAK, MARK, NEVER, NO_ONE, TOUCH, UNKNOWN
from orderbook.execution.compiled.loading import Run
from orderbook.execution.compiled.market import LOAD
from orderbook.execution.compiled.markouts import Markouts
from orderbook.execution.compiled.memory import Memory
from orderbook.execution.compiled.strategies import table_words
from orderbook.execution.lane import ENDLESS, Trader
from orderbook.execution.latency import (
    Draws,
    FeedLatency,
    FixedLatency,
    Latency,
    TableLatency,
    UniformLatency,
)
from orderbook.execution.market import Touch
from orderbook.execution.market_rows import NO_TIME, TRADES, MarketRows, book_changes
from orderbook.execution.results import sample_of
from orderbook.execution.settings import LaneSettings, ProductRules
from orderbook.execution.table import OrdersTable, Quotes
from orderbook.execution.wakes import WakeRules, Wakes, Why
from orderbook.strategy import StrategyError

ReadTrades: TypeAlias = Callable[[int], Sequence[Trade]]

_WORD: Final = 2**64
_WOKEN, _WHY, _HEARD_BEFORE, _ROW, _PHASE = layout.places_of(
    layout.MARKET, *("woken", "why", "heard_before", "row", "phase")
)
_HEARD_FIRST, _NOW = layout.places_of(layout.LANE, "heard_first", "now")
_LANE_WORDS: Final = layout.LANE.itemsize // 8


class CompiledLanes:
    """All lanes of a product.

    Args:
        run: the kernel.
        product: the product, for random latencies and messages.
        rules: of the product.
        every: the grid of samples, ns.
        horizons: of the mark-outs, ns.

    Attributes:
        lanes: the results of each lane.
        tick: smallest step of prices, in units; None until the first book if it has to be inferred.
        shown_tick, shown_lot: see `market.Market`.
    """

    def __init__(
        self,
        run: Run,
        product: str,
        rules: ProductRules,
        *,
        every: int,
        horizons: Sequence[int],
    ) -> None:
        self.tick = rules.tick
        self.shown_tick: int | None = None
        self.shown_lot: int | None = None
        self.lanes: list[CompiledLane] = []
        self._run = run
        self._product = product
        self._lot = rules.lot
        self._memory = Memory(run)
        self._markouts = Markouts(horizons)
        self._parts: list[tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]] = []
        self._desks: list[Desk | None] = []
        self._rows: MarketRows | None = None
        self._read_trades: ReadTrades | None = None
        market = self._memory.market
        market["tick"], market["lot"], market["collar"] = rules.tick or 0, rules.lot, rules.collar
        market["min_funds_high"], market["min_funds_low"] = _words(rules.min_funds)
        market["band"] = -1 if rules.band is None else rules.band
        market["every"] = every
        market["begin_row"] = NEVER

    def begin(self, traders: Sequence[tuple[Trader, LaneSettings, str]]) -> None:
        """Make the lanes: of each its strategy, its settings, and what errors call it."""
        self._memory.set_lanes(len(traders))
        rows = [np.zeros((0, layout.ROW), np.int64)]
        latencies: list[int] = []
        for number, (trader, settings, name) in enumerate(traders):
            state = self._memory.lanes[number]
            _set_lane(state, number, settings, Draws(settings.seed, self._product), latencies)
            _set_wakes(state, trader.wakes)
            lane = CompiledLane(settings.queue, None, Account(settings.cash, settings.base))
            self.lanes.append(lane)
            desk = None
            quotes = getattr(trader, "compiled", None)
            if isinstance(trader, OrdersTable):
                lane.name_of = _named_by(trader)
                state["table_next"] = sum(map(len, rows))
                rows.append(table_words(trader))
                state["table_end"] = sum(map(len, rows))
            elif isinstance(quotes, Quotes):
                state["strategy"], state["hears"] = layout.QUOTES, 1
                state["threshold"], state["size"], state["limit"], state["inside"] = quotes
                state["known_position"] = settings.base or 0
                state["known_cash_high"], state["known_cash_low"] = _words(settings.cash or 0)
            else:
                state["strategy"], state["hears"] = layout.PYTHON, 1
                log, place = lane.rows.log.append, f"{name}, {self._product}"
                desk = Desk(trader, self._lot, settings, self._memory, log, place)
                lane.name_of = desk.name_of
            self._desks.append(desk)
        self._memory.set("table", np.concatenate(rows).reshape(-1))
        self._memory.set("latencies", np.array(latencies, np.int64))

    @property
    def seq(self) -> int:
        """Number of the last row."""
        return int(self._memory.market["seq"])

    @property
    def touch(self) -> Touch:
        """Best bid and best ask after the last row."""
        market = self._memory.market
        return Touch(int(market["bid"]) or None, int(market["ask"]) or None)

    def load(self, levels: Levels) -> None:
        """Begin with a book, where reading begins in the middle of a tape."""
        none = np.zeros(1, np.int64)
        changes = book_changes(levels)
        self._memory.set_rows(
            MarketRows(
                seq=none,
                time=none,
                connection=np.zeros(1, np.int32),
                kind=np.full(1, LOAD, np.uint8),
                book_time=np.full(1, NO_TIME),
                first_change=np.array([0, len(changes)], np.int32),
                changes=changes,
                first_trade=np.zeros(2, np.int32),
                trades=np.zeros((0, 6), np.int64),
                sizes_cut=none,
            )
        )
        self._run_rows()
        market = self._memory.market
        self._markouts.start((int(market["bid"]), int(market["ask"])), is_known=True)

    def see(self, rows: MarketRows, begin_row: int | None, read_trades: "ReadTrades | None" = None) -> None:
        """Show all lanes the rows of a batch.

        Args:
            rows: the rows.
            begin_row: the row with which the lanes begin, if it is one of them.
            read_trades: returns the trades of a row, which strategies in Python see.

        Raises:
            StrategyError: if a strategy raises.
        """
        self._rows, self._read_trades = rows, read_trades
        self._memory.set_rows(rows)
        self._memory.market["begin_row"] = NEVER if begin_row is None else begin_row
        self._run_rows()
        fills = self._harvest()
        touches = self._memory.table("touches")[: TOUCH * len(rows.seq)]
        self._markouts.see(
            rows, touches, [(new, lane.rows.fills) for new, lane in zip(fills, self.lanes, strict=True)]
        )

    def finish(self) -> None:
        """End the tape for all lanes."""
        market = self._memory.market
        market["task"], market["lane"] = layout.END_TAPE, 0
        self._run_rows()
        self._harvest()
        self._markouts.end()
        for lane in self.lanes:
            time, connection = int(market["time"]), int(market["connection"])
            lane.rows.samples.append(sample_of(lane.account, time, connection, "end", self.touch))

    def _run_rows(self) -> None:
        """Call the kernel until it has run all rows."""
        memory, run = self._memory, self._run
        while (why := run(memory.address)) != layout.DONE:
            if why == layout.LACKS_ROOM:
                self._take()
                memory.make_room()
            elif why == layout.LACKS_BOOK:
                memory.make_room_in_book()
            elif why == layout.NEEDS_TICK:
                self._look_at_steps()
            elif why == layout.WAKE:
                self._wake()
            else:
                desk = self._desks[int(memory.market["woken"])]
                assert desk is not None  # noqa: S101  a compiled strategy cannot do that
                raise StrategyError(f"{desk.place()}: {ENDLESS}")

    def _look_at_steps(self) -> None:
        """Note the steps that the first book shows."""
        levels = np.concatenate([self._memory.book.rows(side) for side in (0, 1)])
        # As `numbers.common_step`; the word behind the key is the size in units, see `sizes`.
        self.shown_tick, self.shown_lot = (int(np.gcd.reduce(levels[:, word])) or 1 for word in (0, 1))
        self.tick = self.tick or self.shown_tick
        self._memory.market["tick"], self._memory.market["has_steps"] = self.tick, 1

    def _wake(self) -> None:
        """Wake a strategy in Python."""
        memory, words = self._memory, self._memory.words
        number = words[_WOKEN]
        desk, at = self._desks[number], number * _LANE_WORDS
        assert desk is not None  # noqa: S101  only such lanes are woken here
        reports = []
        report = memory.lane_words[at + _HEARD_FIRST]
        while report != NO_ONE:
            record = memory.table("reports")[report]
            reports.append(desk.event_of(record))
            report = int(record["next"])
        trades = self._trades(words[_ROW]) if words[_PHASE] == SEE else ()
        desk.wake(memory.lane_words[at + _NOW], words[_WHY], trades, reports, words[_HEARD_BEFORE])

    def _trades(self, row: int) -> Sequence[Trade]:
        """Return the trades of a row."""
        if self._rows is None or self._read_trades is None or self._rows.kind[row] != TRADES:
            return ()
        return [trade for trade in self._read_trades(row) if not trade.is_history]

    def _take(self) -> None:
        """Take away what the kernel has written."""
        memory, market = self._memory, self._memory.market
        self._parts.append(
            (
                memory.table("events_at")[: market["events"]].copy(),
                memory.table("done_at")[: market["done"]].copy(),
                memory.table("marks_at")[: MARK * market["marks"]].copy(),
            )
        )
        market["events"] = market["done"] = market["marks"] = 0

    def _harvest(self) -> list[list[Any]]:
        self._take()
        events, done, marks = (
            parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in zip(*self._parts, strict=True)
        )
        self._parts.clear()
        market = self._memory.market
        breaks = self._memory.table("breaks_at")[: BREAK * market["breaks"]]
        batch = Batch(
            events,
            done,
            marks.reshape(-1, MARK),
            breaks.reshape(-1, BREAK),
            int(market["first_mid"]),
            int(market["first_mid_time"]),
        )
        market["breaks"] = 0
        fills = harvest(self.lanes, batch)
        for desk in self._desks:
            if desk is not None:
                desk.forget(int(market["time"]))
        for lane, state in zip(self.lanes, self._memory.lanes, strict=True):
            lane.resting = int(state["resting"])
            lane.broken.size, lane.broken.through, lane.broken.traded = (
                int(state[name]) for name in ("broken_size", "broken_through", "broken_traded")
            )
        return fills


def _named_by(table: OrdersTable) -> Callable[[int], str]:
    names = table.names
    return lambda number: names[number - 1]


def _set_wakes(lane: Any, wakes: Wakes) -> None:
    """Write what wakes the strategy of a lane."""
    rules = WakeRules(wakes)
    why = Why(0)
    for is_wanted, each in (
        (wakes.top, Why.TOP),
        (wakes.book, Why.BOOK),
        (wakes.trades, Why.TRADES),
        (wakes.fills, Why.FILLS),
        (wakes.reports, Why.REPORTS),
        (rules.spread is not None, Why.SPREAD),
    ):
        why |= each if is_wanted else Why(0)
    lane["wakes"], lane["every"] = why, rules.every
    lane["spread"] = rules.spread or 0.0


def _set_lane(lane: Any, number: int, settings: LaneSettings, draws: Draws, latencies: list[int]) -> None:
    """Write the settings of a lane."""
    lane["number"] = number
    lane["queue"] = QUEUE_MODELS.index(settings.queue)
    lane["keeps"], lane["forgets"] = settings.on_break == "keep", settings.impact == "none"
    lane["maker"], lane["taker"] = settings.fees.maker, settings.fees.taker
    lane["limits_cash"], lane["limits_base"] = settings.cash is not None, settings.base is not None
    lane["cash_high"], lane["cash_low"] = _words(settings.cash or 0)
    lane["position"] = settings.base or 0
    lane["report"] = settings.report
    lane["draws"] = _signed(draws.start)
    lane["latency"], lane["low"], lane["span"], table = _latency(settings.latency)
    lane["table_start"] = len(latencies)
    latencies.extend(table)
    for name in ("late_first", "late_last", "taken_first", "arrival_first", "arrival_last", "report_first"):
        lane[name] = NO_ONE
    for name in ("report_last", "heard_first", "heard_last", "timer_first", "broken_first", "untraded_first"):
        lane[name] = NO_ONE
    lane["own_first"] = lane["own_last"] = NO_ONE
    lane["timer"] = lane["timer_number"] = NEVER
    lane["broken_book_time"] = UNKNOWN


def _latency(latency: Latency) -> tuple[int, int, int, tuple[int, ...]]:
    """Return a model of latency as the kernel has it: its number, two numbers and a table.

    Raises:
        TypeError: if the kernel does not have it.
    """
    if isinstance(latency, FixedLatency):
        return layout.FIXED, latency.ns, 0, ()
    if isinstance(latency, UniformLatency):
        return layout.UNIFORM, latency.low, latency.high - latency.low + 1, ()
    if isinstance(latency, TableLatency):
        return layout.DRAWN, 0, len(latency.table), latency.table
    if isinstance(latency, FeedLatency):
        return layout.FEED, latency.base, latency.factor, ()
    raise TypeError(f"{latency!r} is not a latency of the compiled exchange")


def _signed(word: int) -> int:
    """Return the int64 of the same 64 bits."""
    return (word + _WORD // 2) % _WORD - _WORD // 2


def _words(number: int) -> tuple[int, int]:
    """Return a number as two words, see `wide`."""
    high, low = divmod(number, _WORD)
    return high, _signed(low)
