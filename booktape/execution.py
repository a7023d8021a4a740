"""How orders are simulated: what `backtest`, `record` and `live` take alike, read in one place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, cast

from booktape import arguments
from booktape.latencies import latency_models
from orderbook.errors import OptionError
from orderbook.time_input import DurationLike

if TYPE_CHECKING:
    from orderbook.execution.codes import QueueModel
    from orderbook.execution.numbers import NumberLike
    from orderbook.execution.settings import LaneSettings, ProductRules

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Execution:
    """How the orders of a strategy are simulated.

    Attributes:
        fees: maker and taker in bps, such as `40/60`, or a tier such as `coinbase:1M`.
        latency: from a request to its effect on the book: a duration, `uniform:20ms:80ms`, `feed:40ms:1` or
            `file:PATH` with a duration a line; `backtest` takes several, also as `20ms,50ms,100ms`, and
            chooses the best setting at the largest.
        report: from an event at the exchange to its report.
        queue: the queue model that decides what fills, or several, also as `back,share,front`.
        seed: of random latencies, and of a random choice of settings.
        impact: `taken`: what was taken of a level stays taken; `none`: it is offered again at once.
        on_break: `end`: an interruption ends resting orders; `keep`: they stay, at the back.
        tick: smallest step of prices, also by product, `BTC-USD=0.01,ETH-USD=0.001`; None takes it from the
            first book.
        lot: smallest step of sizes, also by product; None for 0.00000001.
        cash: money at the start; None does not limit what is bought.
        base: size held at the start; None for none, and does not limit what is sold.
    """

    fees: str = "40/60"
    latency: DurationLike | Sequence[DurationLike] = "100ms"
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

_SHARED: Final = f"{', '.join(each.name for each in fields(Execution))}: as in `Execution`."


def with_execution(function: F) -> F:
    """Put into a docstring what the arguments are that a function shares with `Execution`."""
    shared = (Execution.__doc__ or "").partition("Attributes:\n")[2].strip()
    function.__doc__ = re.sub(
        re.escape(_SHARED).replace(r"\ ", r"\s+"), lambda _: shared, function.__doc__ or ""
    )
    return function


MARKOUTS: Final = "1s,5s,30s"
"""Times after a fill at which the mid is compared by default."""


def require_execution(execution: object) -> None:
    """Refuse what is no `Execution`."""
    if not isinstance(execution, Execution):
        raise OptionError("write booktape.Execution(fees=...)", option="execution", value=execution)


def queue_models(execution: Execution) -> tuple[QueueModel, ...]:
    """Return the queue models, each once.

    Raises:
        OptionError: if one is unknown, or none is named.
    """
    from orderbook.execution.codes import QUEUE_MODELS

    require_execution(execution)
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
    """Return the settings that all lanes share; of several latencies the first.

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
        latency=next(iter(latency_models(execution.latency).values())),
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
    ticks, lots = _steps(execution.tick, "tick"), _steps(execution.lot, "lot")
    for option, value in (("tick", ticks), ("lot", lots)):
        if isinstance(value, Mapping):
            check_products(option, value, known)
    return {product: _rules(product, ticks, lots) for product in products}


def _steps(
    value: NumberLike | Mapping[str, NumberLike] | None, option: str
) -> NumberLike | Mapping[str, NumberLike] | None:
    """Return a step, or steps by product, which may also be given as `BTC-USD=0.01,ETH-USD=0.001`."""
    if not isinstance(value, str) or "=" not in value:
        return value
    steps: dict[str, NumberLike] = {}
    for part in value.split(","):
        product, _, step = map(str.strip, part.partition("="))
        if not product or not step or product in steps:
            reason = f"{value!r}: write one size, or each product once, as BTC-USD=0.01,ETH-USD=0.001"
            raise OptionError(reason, option=option, value=value)
        steps[product] = step
    return steps


def inferred_settings(execution: Execution) -> tuple[str, ...]:
    """Return what is not given and comes from the tape or a default."""
    steps = (("tick", execution.tick), ("lot", execution.lot))
    return (*(option for option, value in steps if value is None), "min_funds", "collar")


def check_products(option: str, named: Iterable[str], known: Sequence[str]) -> None:
    """Refuse a product that the tape does not have: what is said of it would do nothing."""
    for product in named:
        if product not in known:
            reason = f"no product {product!r} on this tape; it has {', '.join(known)}"
            raise OptionError(reason, option=option, value=product)


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
