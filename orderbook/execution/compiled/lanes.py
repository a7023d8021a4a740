"""All lanes of a product through the kernel: `lanes.Lanes` and `market.Market` for rows as arrays."""

from collections.abc import Callable, Sequence
from ctypes import CFUNCTYPE, c_int64, c_void_p, cast
from typing import Any, Final, TypeAlias
from weakref import WeakMethod

import numpy as np
import numpy.typing as npt

from orderbook.compiled.book import CompiledBook
from orderbook.compiled.layout import HIGH_UNITS, REST_UNITS, Market
from orderbook.events import Trade
from orderbook.execution.compiled import layout
from orderbook.execution.compiled.callee import Callee
from orderbook.execution.compiled.desk import Desk
from orderbook.execution.compiled.harvest import CompiledLane
from orderbook.execution.compiled.lane_settings import set_account, set_lane, set_wakes, words
from orderbook.execution.compiled.layout import NO_ONE, SEE
from orderbook.execution.compiled.loading import Kernel
from orderbook.execution.compiled.memory import Memory
from orderbook.execution.compiled.strategies import table_words
from orderbook.execution.compiled.written import Written
from orderbook.execution.compiled_strategy import CompiledTrader
from orderbook.execution.latency import Draws
from orderbook.execution.market import Touch
from orderbook.execution.market_rows import TRADES
from orderbook.execution.numbers import LARGEST_LEVEL, MONEY_UNITS
from orderbook.execution.records import TakeRecords
from orderbook.execution.settings import LaneSettings, ProductRules
from orderbook.execution.table import OrdersTable
from orderbook.execution.trader import ENDLESS, Trader
from orderbook.strategy import StrategyError

ReadTrades: TypeAlias = Callable[[int], Sequence[Trade]]

_ENDED, _WHY, _HEARD_BEFORE, _ROW, _PHASE = layout.places_of(
    layout.MARKET, *("ended", "why", "heard_before", "row", "phase")
)
_HEARD_FIRST, _NOW = layout.places_of(layout.LANE, "heard_first", "now")
_LANE_WORDS: Final = layout.LANE.itemsize // 8
_WAKE: Final = CFUNCTYPE(c_int64, c_int64)


class CompiledLanes:
    """All lanes of a product, an `orderbook.compiled.engine.Exchange`.

    Args:
        kernel: the kernel.
        product: the product, for random latencies and messages.
        rules: of the product.
        every: the grid of samples, ns.
        horizons: of the mark-outs, ns.
        keeps_rows: whether orders, fills and samples become rows.
        takes: what takes them as records.

    Attributes:
        read_trades: returns the trades of a row of the batch, which strategies in Python see.
        function, memory, wants_changes: see `orderbook.compiled.engine.Exchange`.
        lanes: the results of each lane.
        tick: smallest step of prices, in units; None until the first book if it has to be inferred.
        shown_tick, shown_lot: see `market.Market`.
    """

    def __init__(
        self,
        kernel: Kernel,
        product: str,
        rules: ProductRules,
        *,
        every: int,
        horizons: Sequence[int],
        keeps_rows: bool,
        takes: Sequence[TakeRecords] = (),
    ) -> None:
        self.wants_changes = False
        self.tick = rules.tick
        self.shown_tick: int | None = None
        self.shown_lot: int | None = None
        self.lanes: list[CompiledLane] = []
        self.read_trades: ReadTrades = lambda _: ()
        self.function = kernel.address
        self._run = kernel.run
        self._product = product
        self._lot = rules.lot
        self._memory = Memory(kernel, horizons)
        self.memory = self._memory.address
        self._written = Written(self._memory, self.lanes, takes, keeps_rows=keeps_rows)
        self._desks: list[Desk | None] = []
        self._callees: dict[int, Callee] = {}
        self._make: Callable[[], None] | None = None
        self._book: CompiledBook | None = None
        self._raised: BaseException | None = None
        self._called = _WAKE(_weak(self._wake))
        market = self._memory.market
        market["wake"] = cast(self._called, c_void_p).value
        market["tick"], market["lot"], market["collar"] = rules.tick or 0, rules.lot, rules.collar
        market["min_funds_high"], market["min_funds_low"] = words(rules.min_funds)
        market["band"] = -1 if rules.band is None else rules.band
        market["every"] = every

    def begin(self, traders: Sequence[tuple[Trader, LaneSettings, str]]) -> None:
        """Begin with the next row: of each lane its strategy, its settings, and what errors call it."""
        self._memory.set_lanes(len(traders))
        rows = [np.zeros((0, layout.ROW), np.int64)]
        latencies: list[int] = []
        for number, (trader, settings, name) in enumerate(traders):
            state = self._memory.lanes[number]
            set_lane(state, number, settings, Draws(settings.seed, self._product), latencies)
            set_wakes(state, trader.wakes)
            state["keeps_rested"] = settings.queue in self._written.wanted.rested_of
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
                if called.idle_below is not None:
                    state["can_idle"], self._memory.idle_below[number] = 1, called.idle_below
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
        self._memory.market["begins"] = layout.WITH_ROW

    def begin_with_book(self, make: Callable[[], None]) -> None:
        """Begin with the next row that has a summary: `make` is called then, and calls `begin`."""
        self._make = make
        self._memory.market["begins"] = layout.WITH_BOOK

    @property
    def seq(self) -> int:
        """Number of the last row."""
        return int(self._memory.market["seq"])

    @property
    def touch(self) -> Touch:
        """Best bid and best ask after the last row."""
        market = self._memory.market
        return Touch(int(market["bid"]) or None, int(market["ask"]) or None)

    def look(self, book: CompiledBook) -> None:
        """Take note of a book, where reading begins in the middle of a tape."""
        self._memory.set_book(book.memory)
        self._book = book
        if self._memory.do(layout.LOOK) == layout.NEEDS_TICK:
            self._look_at_steps()

    def follow(
        self, columns: Sequence[npt.NDArray[Any]], market: Market, book: CompiledBook, applied: int
    ) -> None:
        """See `orderbook.compiled.engine.Exchange`.

        Raises:
            StrategyError: if a strategy raises.
        """
        self._memory.set_rows(columns, market)
        self._memory.set_book(book.memory)
        self._book = book
        self._run_rows(applied)

    def end_batch(self) -> None:
        """Take what the lanes have come to by the last row of a batch; another one follows."""
        self._memory.market["row"] = 0
        self._written.take()
        self._forget()

    def finish(self) -> None:
        """End the tape for all lanes."""
        market = self._memory.market
        market["task"], market["lane"] = layout.END_TAPE, 0
        self._run_rows(0)
        self._written.take()
        self._written.take_fills()

    def _run_rows(self, applied: int) -> None:
        """Call the kernel until it needs Python no more, see `kernel.run`."""
        memory, run = self._memory, self._run
        why = memory.words[_ENDED] or run(self.memory, applied)  # it may be the engine that has called it
        while why != layout.DONE:
            if why == layout.LACKS_ROOM:
                self._written.take()
                self._written.take_fills()
                memory.make_room()
            elif why == layout.LACKS_MARKS:
                memory.make_room_for_marks()
            elif why == layout.NEEDS_LANES:
                assert self._make is not None  # noqa: S101  see `begin_with_book`
                self._make()
                memory.market["phase"] = layout.ADVANCE
            elif why == layout.NEEDS_TICK:
                self._look_at_steps()
            elif self._raised is not None:
                raise self._raised
            else:
                number = int(memory.market["woken"])
                desk, callee = self._desks[number], self._callees.get(number)
                reason = ENDLESS if callee is None or why == layout.ENDLESS else callee.fault(memory, number)
                place = desk.place() if desk is not None else f"{self._callees[number].name}, row {self.seq}"
                raise StrategyError(f"{place}: {reason}")
            why = run(self.memory, applied)

    def _look_at_steps(self) -> None:
        """Note the steps that the first book shows."""
        assert self._book is not None  # noqa: S101  the kernel has read it
        rows = np.concatenate([self._book.rows(side) for side in (0, 1)])
        price, units, rest = rows.T
        size = np.minimum(rest // REST_UNITS, LARGEST_LEVEL // HIGH_UNITS + 1) * HIGH_UNITS + units
        # As `numbers.common_step`.
        self.shown_tick = int(np.gcd.reduce(price)) or 1
        self.shown_lot = int(np.gcd.reduce(np.minimum(size, LARGEST_LEVEL))) or 1
        self.tick = self.tick or self.shown_tick
        self._memory.market["tick"], self._memory.market["has_steps"] = self.tick, 1

    def _wake(self, number: int) -> int:
        """Wake a strategy in Python; return 1 if it raises."""
        try:
            self._wake_desk(number)
        except BaseException as error:  # noqa: BLE001  raised again by `_run_rows`
            self._raised = error
            return 1
        return 0

    def _wake_desk(self, number: int) -> None:
        memory, words = self._memory, self._memory.words
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
        if self._memory.table("kind_of")[row] != TRADES:
            return ()
        return [trade for trade in self.read_trades(row) if not trade.is_history]

    def _forget(self) -> None:
        """Let strategies in Python forget what is over."""
        for desk in self._desks:
            if desk is not None:
                desk.forget(int(self._memory.market["time"]))


def _weak(wake: Callable[[int], int]) -> Callable[[int], int]:
    """Return a method as a function that does not keep its object, whose memory is large."""
    method = WeakMethod(wake)

    def call(number: int) -> int:
        found = method()
        return 1 if found is None else found(number)

    return call


def _named_by(table: OrdersTable) -> Callable[[int], str]:
    names = table.names
    return lambda number: names[number - 1]
