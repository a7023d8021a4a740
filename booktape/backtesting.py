"""`Tape.backtest`: check the arguments, make one call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from booktape import arguments
from booktape.arguments import ProductsLike, TableLike
from booktape.execution import (
    MARKOUTS,
    PAPER,
    Execution,
    check_products,
    inferred_settings,
    lane_settings,
    product_rules,
    queue_models,
    with_execution,
)
from booktape.latencies import latency_models
from booktape.paths import PathLike, optional_output, path_of, tape_paths
from booktape.preparing import prepare_for
from booktape.traders import check_settings, combined_settings, settings_by_name, trader_factory
from booktape.windows import refuse_offsets, window_of_all
from booktape.workers import workers_of
from orderbook.errors import OptionError
from orderbook.time_input import DurationLike, TimeLike
from recorder.settings import EngineName, PrepareName

if TYPE_CHECKING:
    import pyarrow as pa

    from booktape.workers import ClientLike
    from orderbook.engine import Engine, Step
    from orderbook.execution.codes import QueueModel
    from orderbook.execution.numbers import NumberLike
    from recorder.tape.reader import Tape as StoredTape
    from replay.comparing.metrics import By
    from replay.simulation.results import Backtest
    from replay.simulation.settings import BacktestSettings, TraderFactory

log = logging.getLogger(__name__)


@with_execution
def backtest(  # noqa: D417  `with_execution` adds those of Execution
    tapes: PathLike | Iterable[PathLike],
    strategy: TraderFactory | str | None = None,
    *,
    settings: Mapping[str, Any] | Iterable[str] = (),
    sweep: Mapping[str, Iterable[Any]] | Iterable[str] = (),
    random: int | None = None,
    orders: PathLike | TableLike | None = None,
    products: ProductsLike | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    fees: str = PAPER.fees,
    latency: DurationLike | Sequence[DurationLike] = PAPER.latency,
    report: DurationLike = PAPER.report,
    queue: QueueModel | str | Sequence[QueueModel] = PAPER.queue,
    seed: int = PAPER.seed,
    impact: Literal["taken", "none"] = PAPER.impact,
    on_break: Literal["end", "keep"] = PAPER.on_break,
    tick: NumberLike | Mapping[str, NumberLike] | None = PAPER.tick,
    lot: NumberLike | Mapping[str, NumberLike] | None = PAPER.lot,
    cash: NumberLike | None = PAPER.cash,
    base: NumberLike | None = PAPER.base,
    equity_every: DurationLike = "1s",
    markouts: DurationLike | Sequence[DurationLike] = MARKOUTS,
    by: By | None = None,
    sort: str = "product",
    engine: Engine | EngineName = "auto",
    prepare: PrepareName = "off",
    processes: int = 1,
    cluster: str | None = None,
    client: ClientLike | None = None,
    output: PathLike | None = None,
    html: PathLike | None = None,
    keep: bool = True,
    progress: Callable[[str, Step], None] | None = None,
    command: str | None = None,
) -> Backtest:
    """Run a strategy with simulated orders over a tape: queues, fills, fees and money.

    Every order is followed under three models of its queue: `back` is a lower bound of what would have been
    filled, `front` an upper bound, `share` an estimate.

    Args:
        tapes: one tape or several. On each every setting begins anew; there are rows for each and for all.
        strategy: makes a strategy from a product and its settings: a callable, or `module:factory`; None for
            `booktape.strategies:QuoteWhenWide`.
        settings: settings of the strategy, by name, or texts such as `size=0.01`.
        sweep: several values of settings, by name, or texts such as `size=0.01,0.02` and
            `threshold=1bps:5bps:1bps`: every combination is run.
        random: run so many of the combinations, drawn by `seed`; None for all.
        orders: a table of orders in place of a strategy: a Parquet or Arrow file, or a table of pyarrow,
            polars or pandas.
        products: product ids; None for all of the tape.
        start: first time to trade, inclusive; rows before it build the book.
        end: last time to trade, exclusive.
        fees, latency, report, queue, seed, impact, on_break, tick, lot, cash, base: as in
            `Execution`.
        equity_every: how often equity is sampled.
        markouts: times after a fill at which the mid is compared.
        by: also split profit, fills and turnover by `hour`, `day` (both UTC) or `connection`.
        sort: column of the table: `product`, `setting`, `queue` and `setting_...` ascending, others largest
            first.
        engine: what runs the books and the orders; all give the same results.
        prepare: `auto` first prepares what is read, see `Tape.prepare`, unless something hinders it.
        processes: number of processes that share the products of the tapes, and the settings of one where
            they cost more than to replay it; no result depends on it.
        cluster: share the work on a cluster of Dask instead: the address of its scheduler, such as
            `tcp://scheduler:8786`, or `local:4` for four processes here. Workers need the tapes at the same
            paths, and the module of the strategy.
        client: the same with a client of Dask that you have, or any `replay.pieces.cluster.Cluster`.
        output: RUN directory to write; must not exist.
        html: report to write, one HTML file; must not exist. Of more than 300 lanes the best settings are run
            again for it.
        keep: keep the tables in the result; False for memory that does not grow with the tape.
        progress: called with the product and every step; only in one process.
        command: command line to name in the report.

    Raises:
        OptionError: if an argument cannot be used.
        TapeError: if the tape cannot be read or has no such product.
        StrategyError: if a strategy cannot be made, or raises.
        RunError: if `output` or `html` exists or cannot be written.
        EngineError: if the compiled engine is requested and does not work here.
    """
    directory = optional_output(output, "output")
    report_path = optional_output(html, "html")
    processes = arguments.whole_number(processes, "processes", 1, 64)
    arguments.flag(keep, "keep")
    engine = arguments.engine_of(engine)
    # Each worker loads the engine when it knows which.
    with workers_of(processes, cluster, client, "plain", "replay.simulation.pieces") as workers:
        from replay.simulation.api import backtest as run
        from replay.simulation.columns import sort_columns

        execution = Execution(fees, latency, report, queue, seed, impact, on_break, tick, lot, cash, base)
        stored = open_tapes(tapes)
        run_settings = backtest_settings(
            stored,
            strategy,
            settings,
            sweep,
            random=random,
            orders=orders,
            products=products,
            start=start,
            end=end,
            execution=execution,
            equity_every=equity_every,
            markouts=markouts,
            by=by,
        )
        lane, values = run_settings.lane, run_settings.settings
        arguments.choice(sort, "sort", sort_columns(lane.markouts, values, has_tapes=len(stored) > 1))
        page = None
        if report_path is not None:
            from replay.report.backtest import BacktestReport

            page = BacktestReport(report_path, stored, run_settings)
        if workers is not None:
            log.info("sharing products of tapes, and their settings: a setting needs all rows of one")
        prepare_for(stored, run_settings.products, run_settings.window, prepare, engine, runs=len(values))
        result = run(
            stored,
            run_settings,
            output=directory,
            keep=keep,
            progress=arguments.optional_function(progress, "progress"),
            workers=workers,
            watch=page.watch if page is not None and page.watches and workers is None else None,
            engine=engine,
        )
        result.sort(sort)
        if page is not None:
            page.write(result, engine, command)
        return result


def open_tapes(tapes: PathLike | Iterable[PathLike]) -> list[StoredTape]:
    """Return one tape or several, opened."""
    from recorder.tape.reader import Tape as StoredTape

    paths = tape_paths(tapes)
    return [StoredTape.open(path) for path in paths]


def backtest_settings(
    stored: Sequence[StoredTape],
    strategy: TraderFactory | str | None,
    settings: Mapping[str, Any] | Iterable[str],
    sweep: Mapping[str, Iterable[Any]] | Iterable[str] = (),
    *,
    random: int | None = None,
    orders: PathLike | TableLike | None = None,
    products: ProductsLike | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    execution: Execution,
    equity_every: DurationLike = "1s",
    markouts: DurationLike | Sequence[DurationLike] = MARKOUTS,
    by: By | None = None,
    searched: Collection[str] = (),
) -> BacktestSettings:
    """Return what is run on tapes, checked.

    The arguments are those of `backtest`; `searched` are the names of settings that a search has values for.
    """
    from replay.simulation.orders_file import OrderTables, read_orders
    from replay.simulation.settings import LATENCY, MOST_LANES, BacktestSettings

    if len(stored) > 1:
        refuse_offsets(start, end)
    queues = queue_models(execution)
    if orders is not None and (strategy is not None or settings or sweep or random is not None):
        raise OptionError("not with a strategy: the table says what is sent", option="orders", value=orders)
    lane = lane_settings(execution, equity_every, markouts)
    if orders is not None:
        with arguments.naming("orders", str(orders)[:80], "a Parquet or Arrow file, or a table"):
            tables = OrderTables(read_orders(_table_or_path(orders)))
        make: TraderFactory = tables.make
        who, values = None, tables.settings
    else:
        make, who = trader_factory(strategy)
        values = combined_settings(settings, sweep, is_worked=strategy is None, drawn=random, seed=lane.seed)
        check_settings(make, values[0], who, searched or values[0].keys() - settings_by_name(settings))
    latencies = latency_models(execution.latency)
    if len(latencies) > 1 and LATENCY in values[0]:
        reason = "several are compared as the setting 'latency', which the strategy has, too: name one"
        raise OptionError(reason, option="latency", value=execution.latency)
    if (lanes := len(values) * len(queues) * len(latencies)) > MOST_LANES:
        reason = f"{lanes:,} lanes are more than {MOST_LANES:,}"
        raise OptionError(reason, option="sweep", value=len(values))
    chosen = arguments.products_of(products)
    names, held = (
        tuple(dict.fromkeys(product for each in stored for product in each.select(some)))
        for some in (chosen, ())
    )
    if orders is not None:
        check_products("orders", tables.products(), held)
    found = BacktestSettings(
        make,
        who,
        values,
        queues,
        lane,
        rules_of=product_rules(execution, names, held),
        products=names if len(stored) == 1 else chosen,
        window=window_of_all(stored, start, end, chosen),
        begins_at_once=orders is not None,
        fees=execution.fees,
        latency=",".join(latencies) if len(latencies) > 1 else str(execution.latency),
        inferred=inferred_settings(execution),
        by=arguments.choice(by, "by", (None, "hour", "day", "connection")),
    )
    return found.with_latencies(latencies) if len(latencies) > 1 else found


def _table_or_path(orders: PathLike | TableLike) -> pa.Table | Path:
    """Return a table, of whichever library, as one of pyarrow."""
    if not hasattr(orders, "__arrow_c_stream__"):
        return path_of(orders, "orders", "a path, or a table of pyarrow, polars or pandas")

    import pyarrow as pa

    return pa.table(orders)
