"""The lanes of a product, made of a strategy for each setting and queue model, in either engine."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias

from orderbook.engine import Engine, State
from orderbook.errors import BooktapeError, OptionError, first_line
from orderbook.execution.codes import QueueModel
from orderbook.execution.compiled_strategy import CompiledTrader
from orderbook.execution.events import Event
from orderbook.execution.lane import Lane
from orderbook.execution.market import Market
from orderbook.execution.product import ProductLanes
from orderbook.execution.records import TakeRecords
from orderbook.execution.results import LogRow
from orderbook.execution.settings import LaneSettings, ProductRules
from orderbook.execution.trader import Trader
from orderbook.execution.wakes import WakeRules, Wakes
from orderbook.strategy import StrategyError
from recorder.runtime.strategies import load_function
from replay.simulation.lane_runs import LaneResult, LaneRun, Shown
from replay.simulation.parts import LaneParts
from replay.simulation.settings import BacktestSettings, named

Listen: TypeAlias = Callable[[str, QueueModel, Lane, Event | LogRow], None]
"""Called with a product, a queue model, the lane, and what has just happened in it."""


Made: TypeAlias = tuple[Trader, LaneSettings, str]
"""What a lane is made of: a strategy, its settings, and what errors call it."""


def plain_lanes(
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


def compiled_lanes(
    product: str,
    settings: BacktestSettings,
    state: State,
    engine: Engine,
    *,
    keeps_rows: bool,
    watched_by: TakeRecords | None,
) -> tuple[list[LaneRun], Shown]:
    """Return the same as `plain_lanes`, of the compiled exchange, whose records give the parts of lanes."""
    from orderbook.compiled.engine import CompiledEngine  # noqa: PLC0415
    from orderbook.execution.compiled.loading import kernel_entry  # noqa: PLC0415  numba is heavy, and may be absent
    from orderbook.execution.compiled.product import CompiledProduct  # noqa: PLC0415
    from replay.simulation.record_parts import RecordParts  # noqa: PLC0415

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

    watching = [] if watched_by is None else [watched_by]
    shown = CompiledProduct(
        engine,
        state,
        kernel_entry(),
        rules,
        settings.lane,
        make,
        take,
        at_once=settings.begins_at_once,
        keeps_rows=keeps_rows,
        takes=[*([] if settings.by is None else [RecordParts(settings.by, parts_of)]), *watching],
    )
    if watching:
        shown.keep_market()
    return lanes, shown


_LANES_OF_A_REPLAY: Final = {"idle": 100, "compiled": 6, "python": 1}
"""How many lanes cost about what the replay beside them does, by the kind of their strategy."""


def lanes_of_a_replay(product: str, settings: BacktestSettings) -> int:
    """Return how many lanes cost about as much as to replay the rows for them.

    Measured on the compiled engine over 60,000 and 1,000,000 rows with trades: 56 to 150 lanes of
    `QuoteWhenWide`, which is idle below its threshold; 6 to 8 of a compiled market maker; a third of a lane
    of one in Python, and two of a class that looks at each change at the top and does nothing.
    """
    if settings.begins_at_once:  # a table of orders sleeps between them
        return _LANES_OF_A_REPLAY["idle"]
    with suppress(BooktapeError):  # whoever runs the lane says so
        called = getattr(_trader(settings, product, settings.settings[0]), "compiled", None)
        if isinstance(called, CompiledTrader):
            return _LANES_OF_A_REPLAY["compiled" if called.strategy.idle_below is None else "idle"]
    return _LANES_OF_A_REPLAY["python"]


def _made(product: str, settings: BacktestSettings) -> Iterator[tuple[int, Made]]:
    """Yield what a lane is made of, for each setting, whose index comes first, and queue model."""
    for number, queue in settings.lanes_here():
        values = settings.settings[number]
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
        raise OptionError(f"{who}: {error}", option="" if settings.swept() else "settings") from None
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
