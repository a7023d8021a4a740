"""All lanes of a product through the kernel: `lanes.Lanes` and `market.Market` for rows as arrays."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from orderbook.book import Levels
from orderbook.events import Trade
from orderbook.execution.compiled import layout
from orderbook.execution.compiled.callee import Callee
from orderbook.execution.compiled.desk import Desk
from orderbook.execution.compiled.harvest import CompiledLane, fill_rows, sample_rows
from orderbook.execution.compiled.lane_settings import set_account, set_lane, set_wakes, words
from orderbook.execution.compiled.layout import NEVER, NO_ONE, SEE, TOUCH
from orderbook.execution.compiled.loading import Run
from orderbook.execution.compiled.market import LOAD
from orderbook.execution.compiled.markouts import Markouts, add_markouts, markouts_bps
from orderbook.execution.compiled.memory import Memory
from orderbook.execution.compiled.strategies import table_words
from orderbook.execution.compiled_strategy import CompiledTrader
from orderbook.execution.lane import ENDLESS, Trader
from orderbook.execution.latency import Draws
from orderbook.execution.market import Touch
from orderbook.execution.market_rows import NO_TIME, TRADES, MarketRows, book_changes
from orderbook.execution.numbers import MONEY_UNITS
from orderbook.execution.settings import LaneSettings, ProductRules
from orderbook.execution.table import OrdersTable
from orderbook.strategy import StrategyError

ReadTrades: TypeAlias = Callable[[int], Sequence[Trade]]

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
        keeps_rows: whether orders, fills and samples are kept as rows, not only their sums.

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
        keeps_rows: bool,
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
        self._keeps_rows = keeps_rows
        self._desks: list[Desk | None] = []
        self._callees: dict[int, Callee] = {}
        self._rows: MarketRows | None = None
        self._read_trades: ReadTrades | None = None
        market = self._memory.market
        market["tick"], market["lot"], market["collar"] = rules.tick or 0, rules.lot, rules.collar
        market["min_funds_high"], market["min_funds_low"] = words(rules.min_funds)
        market["band"] = -1 if rules.band is None else rules.band
        market["every"] = every
        market["begin_row"] = NEVER
        market["keeps_rows"] = keeps_rows

    def begin(self, traders: Sequence[tuple[Trader, LaneSettings, str]]) -> None:
        """Make the lanes: of each its strategy, its settings, and what errors call it."""
        self._memory.set_lanes(len(traders))
        rows = [np.zeros((0, layout.ROW), np.int64)]
        latencies: list[int] = []
        for number, (trader, settings, name) in enumerate(traders):
            state = self._memory.lanes[number]
            set_lane(state, number, settings, Draws(settings.seed, self._product), latencies)
            set_wakes(state, trader.wakes)
            set_account(self._memory.accounts[number], settings)
            lane = CompiledLane(self._memory, number, settings)
            self.lanes.append(lane)
            desk = None
            called = getattr(trader, "compiled", None)
            if isinstance(trader, OrdersTable):
                lane.name_of = _named_by(trader)
                state["table_next"] = sum(map(len, rows))
                rows.append(table_words(trader))
                state["table_end"] = sum(map(len, rows))
            elif isinstance(called, CompiledTrader):
                state["strategy"], state["hears"] = layout.CALLED, 1
                state["known_position"] = settings.base or 0
                state["known_cash_high"], state["known_cash_low"] = words(settings.cash or 0)
                state["cash_whole"], state["cash_fraction"] = divmod(settings.cash or 0, MONEY_UNITS)
                self._callees[number] = Callee(called, state, f"{name}, {self._product}")
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
        self._take()
        touches = self._memory.table("touches")[: TOUCH * len(rows.seq)]
        self._take_fills(*self._markouts.see(rows, touches))
        self._forget()

    def finish(self) -> None:
        """End the tape for all lanes."""
        market = self._memory.market
        market["task"], market["lane"] = layout.END_TAPE, 0
        self._run_rows()
        self._take()
        self._take_fills(*self._markouts.end())

    def _run_rows(self) -> None:
        """Call the kernel until it has run all rows."""
        memory, run = self._memory, self._run
        while (why := run(memory.address)) != layout.DONE:
            if why == layout.LACKS_ROOM:
                self._take()
                memory.make_room()
            elif why == layout.LACKS_MARKS:
                memory.make_room_for_marks()
            elif why == layout.LACKS_BOOK:
                memory.make_room_in_book()
            elif why == layout.NEEDS_TICK:
                self._look_at_steps()
            elif why == layout.WAKE:
                self._wake()
            else:
                number = int(memory.market["woken"])
                desk, callee = self._desks[number], self._callees.get(number)
                reason = ENDLESS if callee is None or why == layout.ENDLESS else callee.fault(memory, number)
                place = desk.place() if desk is not None else f"{self._callees[number].name}, row {self.seq}"
                raise StrategyError(f"{place}: {reason}")

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
        fills = memory.table("fills_at")[: market["fills"]]
        self._markouts.add(fills.copy())
        for number, orders in _by_lane(memory.table("done_at")[: market["done"]]):
            self.lanes[number].add_orders(orders, keeps_rows=self._keeps_rows)
        for number, samples in _by_lane(memory.table("samples_at")[: market["samples"]]):
            self.lanes[number].rows.samples += sample_rows(samples)
        market["fills"] = market["done"] = market["samples"] = 0

    def _take_fills(self, fills: npt.NDArray[Any], later_mids: npt.NDArray[np.int64]) -> None:
        """Count fills whose mark-outs are known, and keep them if they are wanted."""
        if len(fills):
            sums = [list(lane.markouts.values()) for lane in self.lanes]
            add_markouts(sums, fills, markouts_bps(fills, later_mids))
        if self._keeps_rows:
            for number, which in _places_by_lane(fills):
                self.lanes[number].rows.fills += fill_rows(fills[which], later_mids[which])

    def _forget(self) -> None:
        """Let strategies in Python forget what is over."""
        time = int(self._memory.market["time"])
        for desk in self._desks:
            if desk is not None:
                desk.forget(time)


def _places_by_lane(records: npt.NDArray[Any]) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    """Yield each lane that has records, and their places in order."""
    if len(records):
        of_lane = records["lane"]
        order = np.argsort(of_lane, kind="stable")
        numbers, first = np.unique(of_lane[order], return_index=True)
        yield from zip(numbers.tolist(), np.split(order, first[1:]), strict=True)


def _by_lane(records: npt.NDArray[Any]) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Yield each lane that has records, and these in order."""
    return ((number, records[places]) for number, places in _places_by_lane(records))


def _named_by(table: OrdersTable) -> Callable[[int], str]:
    names = table.names
    return lambda number: names[number - 1]
