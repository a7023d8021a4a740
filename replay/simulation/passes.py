"""The pass of a backtest over a product: its rows through all lanes, and what comes out of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

from orderbook.book import Levels
from orderbook.engine import Engine, PlainEngine, State, Step, Watch
from orderbook.errors import BooktapeError, OptionError, first_line
from orderbook.execution.account import Account
from orderbook.execution.breaks import Broken
from orderbook.execution.codes import QueueModel
from orderbook.execution.compiled_strategy import CompiledTrader
from orderbook.execution.digest import ExecutionDigest
from orderbook.execution.events import Event
from orderbook.execution.lane import Lane, Trader
from orderbook.execution.market import Market, Touch
from orderbook.execution.product import ProductLanes
from orderbook.execution.results import LaneRows, LogRow
from orderbook.execution.settings import LaneSettings, ProductRules
from orderbook.execution.totals import LaneTotals
from orderbook.execution.wakes import WakeRules, Wakes
from orderbook.strategy import StrategyError
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from orderbook.trades import TradeWatch
from recorder.runtime.loading import load_function
from recorder.tape.format.sidecars import Start
from recorder.tape.reader import Tape
from replay.running.window import start_before
from replay.simulation import tables
from replay.simulation.parts import LaneParts
from replay.simulation.record_parts import RecordParts
from replay.simulation.settings import BacktestSettings, named

Write: TypeAlias = Callable[[str, str, pa.RecordBatch], None]
"""Called with a stream (`orders`, `fills`, `equity` or `log`), a product and rows."""

Listen: TypeAlias = Callable[[str, QueueModel, Lane, Event | LogRow], None]
"""Called with a product, a queue model, the lane, and what has just happened in it."""


Made: TypeAlias = tuple[Trader, LaneSettings, str]
"""What a lane is made of: a strategy, its settings, and what errors call it."""


class Observer(Protocol):
    """Watches a product on its way through its lanes, as a report does."""

    def load(self, levels: Levels) -> None:
        """Take the book that is known before the first row."""

    def prepare(self, step: Step) -> None:
        """Take rows that build the book before the part to trade on."""

    def step(self, step: Step) -> None:
        """Take rows of the part to trade on; each step has `market`."""

    def lane(self, run: "LaneRun") -> None:
        """Take what is whole of a lane, before it is dropped."""


class LaneResult(Protocol):
    """What comes of a lane, whichever engine ran it."""

    rows: LaneRows

    @property
    def account(self) -> Account: ...  # noqa: D102
    @property
    def digest(self) -> ExecutionDigest: ...  # noqa: D102
    @property
    def totals(self) -> LaneTotals: ...  # noqa: D102
    @property
    def broken(self) -> Broken: ...  # noqa: D102
    @property
    def resting(self) -> int: ...  # noqa: D102


class ShownMarket(Protocol):
    """What the tape showed, see `Market`."""

    @property
    def tick(self) -> int | None: ...  # noqa: D102
    @property
    def shown_tick(self) -> int | None: ...  # noqa: D102
    @property
    def shown_lot(self) -> int | None: ...  # noqa: D102
    @property
    def sizes_cut(self) -> int: ...  # noqa: D102
    @property
    def touch(self) -> Touch: ...  # noqa: D102
    @property
    def seq(self) -> int: ...  # noqa: D102


class Shown(Protocol):
    """A product as its lanes saw it, see `ProductLanes`."""

    watch: TradeWatch
    trades: int

    @property
    def market(self) -> ShownMarket: ...  # noqa: D102
    def prepare(self, rows: pa.RecordBatch) -> Step: ...  # noqa: D102
    def step(self, rows: pa.RecordBatch) -> Step: ...  # noqa: D102
    def finish(self) -> None: ...  # noqa: D102


@dataclass(slots=True)
class LaneRun:
    """A lane in a backtest, and its place in the results."""

    setting: int
    queue: QueueModel
    lane: LaneResult
    parts: LaneParts


@dataclass(slots=True)
class ProductRun:
    """What came of a product.

    Attributes:
        tally: counts and digest of its summaries.
        lanes: none if the product has no summary in the window.
        shown: the product as its lanes saw it.
    """

    product: str
    tally: Tally
    lanes: list[LaneRun]
    shown: Shown

    def digests(self) -> dict[str, str]:
        """Return the execution digests so far of the lanes of one setting, by queue model."""
        return {each.queue: each.lane.digest.hexdigest() for each in self.lanes}


class ProductPass:
    """A product on its way through all its lanes, batch by batch; live as over a tape.

    Args:
        product: the product.
        settings: what is run.
        state: the product before the first row.
        write: takes the tables of what is whole; without it only the numbers of the lanes are kept.
        listen: called with each event of a lane as it happens; the plain engine alone does that.
        engine: that of the state; the compiled one must have been loaded for executions.
        observer: watches all of it.

    Attributes:
        run: what came of it so far.
    """

    def __init__(
        self,
        product: str,
        settings: BacktestSettings,
        state: State,
        write: Write | None = None,
        listen: Listen | None = None,
        *,
        engine: Engine | None = None,
        observer: Observer | None = None,
    ) -> None:
        keeps_market = observer is not None
        if engine is None or engine.name == PlainEngine.name:
            lanes, shown = _plain(product, settings, state, listen, keeps_market=keeps_market)
        else:
            keeps_rows = write is not None or keeps_market
            made = product, settings, state, engine
            lanes, shown = _compiled(*made, keeps_rows=keeps_rows, keeps_market=keeps_market)
        self.run = ProductRun(product, Tally(DEFAULT_THRESHOLD), lanes, shown)
        self._write = write
        self._observer = observer
        self._fills = tables.fills_schema(settings.lane.markouts)

    def prepare(self, rows: pa.RecordBatch) -> None:
        """Apply rows that come before the part to trade on: they build the book."""
        step = self.run.shown.prepare(rows)
        if self._observer is not None:
            self._observer.prepare(step)

    def step(self, rows: pa.RecordBatch) -> Step:
        """Show the lanes a batch of rows.

        Raises:
            StrategyError: if a strategy cannot be made, or raises.
        """
        step = self.run.shown.step(rows)
        self.run.tally.add(step)
        if self._observer is not None:
            self._observer.step(step)
        self._take()
        return step

    def finish(self) -> None:
        """End the tape for all lanes.

        Raises:
            StrategyError: if a strategy raises.
        """
        self.run.shown.finish()
        self._take()

    def _take(self) -> None:
        """Write the rows that are whole if they are wanted, and drop them."""
        for each in self.run.lanes:
            each.parts.add(each.lane.rows)
            if self._write is not None:
                for stream, batch in _batches(each, self._fills):
                    self._write(stream, self.run.product, batch)
            if self._observer is not None:
                self._observer.lane(each)
            each.lane.rows.clear()


def run_product(  # noqa: PLR0917
    tape: Tape,
    product: str,
    settings: BacktestSettings,
    write: Write | None,
    is_stopped: Callable[[], bool],
    progress: Watch | None = None,
    engine: Engine | None = None,
    observer: Observer | None = None,
) -> ProductRun:
    """Run all lanes of a product over its part of the tape, or until it is stopped.

    Without `write` and `observer` only the numbers of the lanes are kept.

    Raises:
        TapeError: if the tape cannot be read.
        StrategyError: if a strategy cannot be made, or raises.
    """
    engine = engine or PlainEngine()
    window, stored = settings.window, tape.product(product)
    start = Start() if window.start is None else start_before(stored, window.start)
    state = engine.load(start.saved) if start.saved else engine.start(product, tape.feed)
    if observer is not None and (levels := engine.levels(state)) is not None:
        observer.load(levels)
    passing = ProductPass(product, settings, state, write, engine=engine, observer=observer)
    for rows in window.cut(stored.batches(first_seq=start.seq)):
        if not window.is_reported(rows.column("recv_time").view(pa.int64())[0].as_py()):
            passing.prepare(rows)
            continue
        step = passing.step(rows)
        if progress is not None:
            progress(product, step)
        if is_stopped():
            break
    passing.finish()
    return passing.run


def _plain(
    product: str, settings: BacktestSettings, state: State, listen: Listen | None, *, keeps_market: bool
) -> tuple[list[LaneRun], Shown]:
    """Return the lanes of a product, which come once they begin, and the product as they see it."""
    rules = settings.rules_of.get(product, ProductRules())
    lanes: list[LaneRun] = []

    def make(market: Market) -> list[Lane]:
        made = []
        for place, (trader, of_lane, name) in _made(product, settings):
            lane = Lane(product, market, trader, rules=rules, settings=of_lane, name=name)
            if listen is not None:
                lane.listen = partial(listen, product, of_lane.queue, lane)
            made.append(lane)
            lanes.append(_lane_run(place, of_lane, lane, settings))
        return made

    at_once = settings.begins_at_once
    return lanes, ProductLanes(state, rules.tick, make, at_once=at_once, keeps_market=keeps_market)


def _compiled(
    product: str,
    settings: BacktestSettings,
    state: State,
    engine: Engine,
    *,
    keeps_rows: bool,
    keeps_market: bool,
) -> tuple[list[LaneRun], Shown]:
    """Return the same, of the compiled exchange."""
    from orderbook.compiled.engine import CompiledEngine  # noqa: PLC0415
    from orderbook.execution.compiled.loading import kernel_entry  # noqa: PLC0415  numba is heavy, and may be absent
    from orderbook.execution.compiled.product import CompiledProduct  # noqa: PLC0415

    assert isinstance(engine, CompiledEngine)  # noqa: S101  there is no other that is not plain
    rules = settings.rules_of.get(product, ProductRules())
    lanes: list[LaneRun] = []
    made = list[tuple[int, Made]]()

    def make() -> list[Made]:
        made.extend(_made(product, settings))
        for _, (trader, _, _) in made:
            called = getattr(trader, "compiled", None)
            if isinstance(called, CompiledTrader):
                load_function(called.strategy)
        return [each for _, each in made]

    def take(found: Sequence[LaneResult]) -> None:
        for (place, (_, of_lane, _)), lane in zip(made, found, strict=True):
            lanes.append(_lane_run(place, of_lane, lane, settings))

    def parts_of(number: int) -> LaneParts:
        return lanes[number].parts

    shown = CompiledProduct(
        engine,
        state,
        kernel_entry(),
        rules,
        settings.lane,
        make,
        take,
        at_once=settings.begins_at_once,
        keeps_rows=keeps_rows or (settings.by is not None and RecordParts(settings.by, parts_of)),
    )
    if keeps_market:
        shown.keep_market()
    return lanes, shown


def _made(product: str, settings: BacktestSettings) -> Iterator[tuple[int, Made]]:
    """Yield what a lane is made of, for each setting, whose index comes first, and queue model."""
    for number, values in enumerate(settings.settings):
        for queue in settings.queues:
            name = f"strategy {settings.name or 'of the orders'}, {named(values)}"
            yield number, (_trader(settings, product, values), settings.of_lane(values, queue), name)


def _lane_run(number: int, of_lane: LaneSettings, lane: LaneResult, settings: BacktestSettings) -> LaneRun:
    return LaneRun(number, of_lane.queue, lane, LaneParts(settings.by))


def _trader(settings: BacktestSettings, product: str, values: Mapping[str, Any]) -> Trader:
    """Return the strategy of a lane."""
    who = f"strategy {settings.name}, {product}, {named(values)}"
    try:
        trader = settings.make(product, **settings.of_strategy(values))
        wakes = getattr(trader, "wakes", None)
        trades = callable(getattr(trader, "on_event", None)) and isinstance(wakes, Wakes)
    except OptionError as error:  # of a setting, whatever option it has been given the name of
        raise OptionError(f"{who}: {error}", option="settings") from None
    except (BooktapeError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise StrategyError(f"{who}: {first_line(error)}") from error
    if not trades:
        raise StrategyError(f"{who}: it does not trade: it needs on_event(m), and wakes = Wakes(...)")
    try:
        WakeRules(trader.wakes)
    except (OptionError, TypeError) as error:
        raise StrategyError(f"{who}: wakes: {error}") from error
    return trader


def _batches(run: LaneRun, fills: pa.Schema) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield the rows of a lane that are whole, by stream."""
    rows, place = run.lane.rows, (run.setting, run.queue)
    if rows.orders:
        yield "orders", tables.orders_batch(*place, rows.orders)
    if rows.fills:
        yield "fills", tables.fills_batch(*place, rows.fills, fills)
    if rows.samples:
        yield "equity", tables.equity_batch(*place, rows.samples)
    if rows.log:
        yield "log", tables.log_batch(*place, rows.log)
