"""How strategies that trade are run: what `backtest`, `record` and `live` take alike, read in one place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from io import TextIOWrapper
from math import prod
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from booktape import arguments
from orderbook.errors import OptionError, reason_of
from orderbook.time_input import DurationLike

if TYPE_CHECKING:
    from orderbook.execution.codes import QueueModel
    from orderbook.execution.latency import Latency
    from orderbook.execution.numbers import NumberLike
    from orderbook.execution.settings import LaneSettings, ProductRules
    from replay.simulation.settings import BacktestSettings, TraderFactory

WORKED: Final = "booktape.strategies:QuoteWhenWide"
"""The strategy of a backtest that names none."""

WORKED_SWEEP: Final[Mapping[str, tuple[str, ...]]] = {"threshold": ("0bps", "1bps", "2bps", "5bps")}
"""Settings that a backtest compares if it names neither a strategy nor settings."""

_MOST_COMBINATIONS: Final = 10**18


@dataclass(frozen=True, slots=True)
class Execution:
    """How the orders of a strategy are simulated.

    Attributes:
        fees: maker and taker in bps, such as `40/60`, or a tier such as `coinbase:1M`.
        latency: from a request to its effect on the book: a duration, `uniform:20ms:80ms`, `feed:40ms:1` or
            `file:PATH` with a duration a line.
        report: from an event at the exchange to its report.
        queue: the queue model that decides what fills, or several, also as `back,share,front`.
        seed: of random latencies, and of a random choice of settings.
        impact: `taken`: what was taken of a level stays taken; `none`: it is offered again at once.
        on_break: `end`: an interruption ends resting orders; `keep`: they stay, at the back.
        tick: smallest step of prices, also by product; None takes it from the first book.
        lot: smallest step of sizes, also by product; None for 0.00000001.
        cash: money at the start; None does not limit what is bought.
        base: size held at the start; None for none, and does not limit what is sold.
    """

    fees: str = "40/60"
    latency: DurationLike = "100ms"
    report: DurationLike = 0
    queue: QueueModel | str | Sequence[QueueModel] = "share"
    seed: int = 0
    impact: Literal["taken", "none"] = "taken"
    on_break: Literal["end", "keep"] = "end"
    tick: NumberLike | Mapping[str, NumberLike] | None = None
    lot: NumberLike | Mapping[str, NumberLike] | None = None
    cash: NumberLike | None = None
    base: NumberLike | None = None


PAPER: Final = Execution()

MARKOUTS: Final = "1s,5s,30s"
"""Times after a fill at which the mid is compared by default."""


def queue_models(execution: Execution) -> tuple[QueueModel, ...]:
    """Return the queue models, each once.

    Raises:
        OptionError: if one is unknown, or none is named.
    """
    from orderbook.execution.codes import QUEUE_MODELS

    texts = execution.queue.split(",") if isinstance(execution.queue, str) else execution.queue
    queues = tuple(dict.fromkeys(arguments.texts_of(texts, "queue", "share")))
    for each in queues:
        arguments.choice(each, "queue", QUEUE_MODELS)
    if not queues:
        raise OptionError("no queue model is named: write 'share'", option="queue", value=execution.queue)
    return cast("tuple[QueueModel, ...]", queues)


def lane_settings(
    execution: Execution,
    equity_every: DurationLike = "1s",
    markouts: DurationLike | Sequence[DurationLike] = MARKOUTS,
) -> LaneSettings:
    """Return the settings that all lanes share.

    Raises:
        OptionError: if a value cannot be used.
    """
    from orderbook.execution.numbers import MONEY_UNITS, UNITS
    from orderbook.execution.options import parse_fees
    from orderbook.execution.settings import LaneSettings
    from orderbook.times import NS
    from replay.comparing.settings import parse_horizons

    with arguments.naming("fees", execution.fees, "'40/60'"):
        rates = parse_fees(execution.fees)
    with arguments.naming("markouts", markouts, "'1s,5s,30s' or ['1s', '5s']"):
        horizons = parse_horizons(markouts)
    return LaneSettings(
        fees=rates,
        latency=_latency(execution.latency),
        report=_nanoseconds(execution.report, "report"),
        seed=arguments.whole_number(execution.seed, "seed", 0, 2**63 - 1),
        impact=arguments.choice(execution.impact, "impact", ("taken", "none")),
        on_break=arguments.choice(execution.on_break, "on_break", ("end", "keep")),
        cash=None if execution.cash is None else _amount(execution.cash, "cash") * (MONEY_UNITS // UNITS),
        base=None if execution.base is None else _amount(execution.base, "base"),
        equity_every=round(arguments.seconds(equity_every, "equity_every") * NS),
        markouts=horizons,
    )


def product_rules(
    execution: Execution, products: Iterable[str], known: Sequence[str]
) -> dict[str, ProductRules]:
    """Return the rules of products.

    Args:
        execution: says the steps.
        products: the products.
        known: those that may be named.

    Raises:
        OptionError: if a step is not a number, or is that of an unknown product.
    """
    for option, value in (("tick", execution.tick), ("lot", execution.lot)):
        if isinstance(value, Mapping):
            check_products(option, value, known)
    return {product: _rules(product, execution.tick, execution.lot) for product in products}


def inferred_settings(execution: Execution) -> tuple[str, ...]:
    """Return what is not given and comes from the tape or a default."""
    steps = (("tick", execution.tick), ("lot", execution.lot))
    return (*(option for option, value in steps if value is None), "min_funds", "collar")


def paper_settings(
    strategy: TraderFactory | str,
    settings: Mapping[str, Any] | Iterable[str],
    execution: Execution,
    products: tuple[str, ...],
) -> BacktestSettings | None:
    """Return the settings of a strategy that trades on a live feed; None if it is a strategy of rows.

    Raises:
        OptionError: if a value cannot be used, or the strategy takes none, as one of rows does.
        StrategyError: if a function that makes strategies raises; it is called once to see what it makes.
    """
    make, who = trader_factory(strategy)
    values = combined_settings(settings, {}, is_worked=False)
    if not _trades(make, who, products[0], values[0]):
        require_defaults(settings, execution)
        return None
    from replay.simulation.settings import BacktestSettings

    check_settings(make, values[0], who)
    queues, lane = queue_models(execution), lane_settings(execution)
    return BacktestSettings(
        make,
        who,
        values,
        queues,
        lane,
        rules_of=product_rules(execution, products, products),
        products=products,
        fees=execution.fees,
        latency=str(execution.latency),
        inferred=inferred_settings(execution),
    )


def _trades(make: TraderFactory, name: str, product: str, values: Mapping[str, Any]) -> bool:
    """Tell whether what is made has `on_event`. A class is looked at, a function called."""
    from orderbook.errors import BooktapeError, first_line
    from orderbook.strategy import StrategyError

    if isinstance(make, type):
        return hasattr(make, "on_event")
    try:
        return hasattr(make(product, **values), "on_event")
    except (BooktapeError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise StrategyError(f"strategy {name}, {product}, at its start: {first_line(error)}") from error


def require_defaults(settings: Mapping[str, Any] | Iterable[str], execution: Execution) -> None:
    """Refuse what only a strategy that trades has; a default may be given as text, as it is typed."""
    given = {"settings": settings} if settings else {}
    for each in fields(execution):
        if str(value := getattr(execution, each.name)) != str(each.default):
            given[each.name] = value
    for option, value in given.items():
        raise OptionError("only with a strategy that trades", option=option, value=value)


def trader_factory(strategy: TraderFactory | str | None) -> tuple[TraderFactory, str]:
    """Return what makes a strategy from a product and its settings, and its name."""
    from orderbook.strategy import NamedFactory, name_of

    made = arguments.strategy_of(WORKED if strategy is None else strategy)  # type: ignore[arg-type]
    assert made is not None  # noqa: S101  there is always a name
    # A trader is made from settings too; `on_event` tells it from a strategy of rows.
    factory = cast("TraderFactory", made.factory if isinstance(made, NamedFactory) else made)
    return factory, name_of(made)


def combined_settings(
    settings: Mapping[str, Any] | Iterable[str],
    sweep: Mapping[str, Iterable[Any]] | Iterable[str],
    *,
    is_worked: bool,
    drawn: int | None = None,
    seed: int = 0,
) -> tuple[Mapping[str, Any], ...]:
    """Return combinations of settings; those of the worked strategy if nothing is said about it.

    Args:
        settings: one value a name.
        sweep: several values a name.
        is_worked: whether the strategy is the worked one, not named by the user.
        drawn: draw so many combinations at random; None for all.
        seed: of the draw.

    Raises:
        OptionError: if a text cannot be read, a name is there twice, or the combinations are too many.
    """
    from orderbook.execution.options import combinations, parse_setting, parse_sweep

    fixed = _by_name(settings, "settings", "size=0.01", parse_setting)
    swept = {
        name: (values,) if isinstance(values, str) or not isinstance(values, Iterable) else tuple(values)
        for name, values in _by_name(sweep, "sweep", "size=0.01,0.02", parse_sweep).items()
    }
    if is_worked and not fixed and not swept:
        swept = dict(WORKED_SWEEP)
    for name, several in swept.items():
        if not several or name in fixed:
            reason = f"{name} is set and swept" if several else f"{name} has no value"
            raise OptionError(f"{reason}: give it values in one place", option="sweep", value=name)
    return combinations(fixed, swept, _numbers(prod(map(len, swept.values())), drawn, seed))


def _numbers(count: int, drawn: int | None, seed: int) -> Sequence[int]:
    """Return which of so many combinations are run, before any is made: all, or some drawn at random."""
    from replay.simulation.settings import MOST_LANES

    if count > _MOST_COMBINATIONS:
        reason = f"these are more than {_MOST_COMBINATIONS:,} combinations: sweep fewer values"
        raise OptionError(reason, option="sweep", value=count)
    wanted = count if drawn is None else min(count, arguments.whole_number(drawn, "random", 1))
    if wanted > MOST_LANES:
        reason = f"{wanted:,} combinations are more than {MOST_LANES:,}: draw some of them at random"
        raise OptionError(reason, option="sweep" if drawn is None else "random", value=wanted)
    if wanted == count:
        return range(count)
    return sorted(Random(seed).sample(range(count), wanted))  # noqa: S311  no secret: the same draw again


def _by_name(
    given: Mapping[str, Any] | Iterable[str],
    option: str,
    example: str,
    read: Callable[[str], tuple[str, Any]],
) -> dict[str, Any]:
    """Return values by name; each text is one."""
    if isinstance(given, Mapping):
        return dict(given)
    named: dict[str, Any] = {}
    for text in arguments.texts_of(given, option, example):
        with arguments.naming(option, text, repr(example)):
            name, value = read(text)
            if name in named:
                raise OptionError(f"{name} is there twice")
            named[name] = value
    return named


def check_settings(make: TraderFactory, values: Mapping[str, Any], name: str | None) -> None:
    """Refuse settings that the strategy does not have, before the tape is read."""
    try:
        known = inspect.signature(make)
    except (TypeError, ValueError):
        return  # a callable that does not say what it takes
    try:
        known.bind("BTC-USD", **values)
    except TypeError as error:
        names = ", ".join(list(known.parameters)[1:]) or "none"
        raise OptionError(f"{name}: {error}; its settings are {names}", option="settings") from None


def check_products(option: str, named: Iterable[str], known: Sequence[str]) -> None:
    """Refuse a product that the tape does not have: what is said of it would do nothing."""
    for product in named:
        if product not in known:
            reason = f"no product {product!r} on this tape; it has {', '.join(known)}"
            raise OptionError(reason, option=option, value=product)


def _latency(latency: DurationLike) -> Latency:
    from orderbook.execution.options import latency_table, parse_latency
    from recorder.tape.store.local import open_file

    with arguments.naming("latency", latency, "'100ms', 'uniform:20ms:80ms', 'feed:40ms:1' or 'file:PATH'"):
        if isinstance(latency, timedelta):
            latency = latency.total_seconds()
        if not isinstance(latency, str | int | float):
            raise TypeError
        if not isinstance(latency, str) or not latency.startswith("file:"):
            return parse_latency(latency if isinstance(latency, str) else f"{latency}s")
        path = Path(latency.removeprefix("file:"))
        try:
            with TextIOWrapper(open_file(path), encoding="utf-8") as lines:
                return latency_table(lines)
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"{path}: cannot be read ({reason_of(error)})") from None
        except OptionError as error:
            raise OptionError(f"{path}: {error.reason}") from None


def _nanoseconds(value: DurationLike, option: str) -> int:
    from orderbook.execution.options import nanoseconds
    from orderbook.times import NS

    if isinstance(value, str):
        with arguments.naming(option, value, "a duration such as '100ms'"):
            return nanoseconds(value)
    is_zero = isinstance(value, int | float) and value == 0
    return 0 if is_zero else round(arguments.seconds(value, option) * NS)


def _amount(value: NumberLike, option: str) -> int:
    """Return an amount above 0 in units of 1e-8."""
    from orderbook.execution.numbers import LARGEST_ORDER, UNITS, order_units

    with arguments.naming(option, value, "a number such as '0.01'"):
        units = order_units(value)
        if not units:
            limits = f"above 0 and up to {LARGEST_ORDER // UNITS:,} with at most 8 decimals"
            raise OptionError(f"{value!r} is not a number {limits}")
        return units


def _rules(
    product: str,
    tick: NumberLike | Mapping[str, NumberLike] | None,
    lot: NumberLike | Mapping[str, NumberLike] | None,
) -> ProductRules:
    from orderbook.execution.settings import ProductRules

    ticks, lots = (each.get(product) if isinstance(each, Mapping) else each for each in (tick, lot))
    return ProductRules(
        None if ticks is None else _amount(ticks, "tick"), 1 if lots is None else _amount(lots, "lot")
    )
