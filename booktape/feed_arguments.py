"""What `record`, `live`, `flow` and `import_` take alike: products, feed, segments, strategy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from booktape import arguments
from booktape.arguments import ProductsLike, SizeLike
from booktape.execution import (
    Execution,
    inferred_settings,
    lane_settings,
    product_rules,
    queue_models,
    require_execution,
)
from booktape.latencies import one_latency
from booktape.traders import check_settings, combined_settings, trader_factory
from orderbook.errors import OptionError
from orderbook.time_input import DurationLike, format_duration
from orderbook.venues.registry import VENUE_NAMES
from recorder.settings import (
    SEAL,
    ConnectionSettings,
    SealPolicy,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from orderbook.strategy import StrategyFactory
    from recorder.runtime.strategy_thread import LiveStrategy
    from replay.simulation.settings import BacktestSettings, TraderFactory


def product_ids(products: ProductsLike) -> tuple[str, ...]:
    """Return each product id once."""
    from orderbook.venues.base import is_product_id

    names = arguments.products_of(products)
    for name in names:
        if not is_product_id(name):
            reason = f"{name!r} is not a product id such as BTC-USD"
            raise OptionError(reason, option="products", value=products)
    if not names:
        raise OptionError("name at least one product, such as BTC-USD", option="products", value=products)
    return names


def seal_policy(
    rows: int, size: SizeLike, time: DurationLike, sync: DurationLike = format_duration(SEAL.sync_s)
) -> SealPolicy:
    """Return when a segment ends.

    Args:
        rows: rows in a segment at most.
        size: bytes of frames in a segment at most.
        time: time in a segment at most.
        sync: time between fsyncs of the journal.
    """
    return SealPolicy(
        arguments.whole_number(rows, "segment_rows", 1),
        arguments.size(size, "segment_bytes"),
        arguments.seconds(time, "segment_time"),
        arguments.seconds(sync, "sync"),
    )


def live_strategy(
    strategy: StrategyFactory | TraderFactory | str | None,
    settings: Mapping[str, Any] | Iterable[str],
    execution: Execution,
    products: tuple[str, ...],
    on_rows: Callable[[str, pa.RecordBatch], None] | None,
) -> LiveStrategy | None:
    """Return what runs behind a feed: `on_event` tells a strategy that trades from one of rows."""
    write = arguments.optional_function(on_rows, "on_rows") or _discard
    require_execution(execution)
    if strategy is None:
        require_defaults(settings, execution)
        return None
    paper = paper_settings(strategy, settings, execution, products)  # type: ignore[arg-type]  # it finds out
    if paper is not None:
        from replay.simulation.paper import PaperRun

        return PaperRun(paper, write)
    from orderbook.strategy import reads_trades
    from recorder.runtime.strategy_run import StrategyRun

    factory = arguments.strategy_of(strategy)  # type: ignore[arg-type]  # it makes rows
    assert factory is not None  # noqa: S101  there is one
    return StrategyRun(factory, write, reads_trades=reads_trades(factory, products[0]))


def _discard(_product: str, _rows: pa.RecordBatch) -> None:
    """Discard rows of a strategy that runs without `on_rows`."""


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
    one_latency(execution.latency, "a live strategy")
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


def connection_settings(
    feed: str, url: str | None, channel: str | None, stale_after: DurationLike, **options: Any
) -> ConnectionSettings:
    """Return how a feed is reached; `options` are further fields of the settings."""
    from recorder.live.endpoint import FeedError, endpoint

    arguments.choice(feed, "feed", VENUE_NAMES)
    for option, text, example in (
        ("url", url, "wss://ws-feed.exchange.coinbase.com"),
        ("channel", channel, "level2"),
    ):
        if text is not None:
            arguments.text_of(text, option, example)
    try:
        endpoint(feed, url, channel)
    except FeedError as error:
        raise OptionError(str(error), option="url", value=url) from None
    return ConnectionSettings(
        feed, url, channel, stale_after=arguments.seconds(stale_after, "stale_after"), **options
    )
