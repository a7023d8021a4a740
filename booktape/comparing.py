"""`compare` thresholds, `diff` tapes or RUNs: check the arguments, make one call, write the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from booktape import arguments
from booktape.arguments import ProductsLike
from booktape.execution import PAPER, Execution
from booktape.paths import PathLike, optional_output, tape_path, tape_paths
from booktape.preparing import prepare_for
from booktape.threshold_trades import trades_by_threshold
from booktape.windows import refuse_offsets, window_of_all
from booktape.workers import workers_of
from orderbook.errors import OptionError
from orderbook.thresholds import ThresholdLike
from orderbook.time_input import DurationLike, TimeLike
from recorder.settings import EngineName, PrepareName
from replay.comparing import DEFAULT_MARKOUTS

if TYPE_CHECKING:
    from booktape.workers import ClientLike
    from orderbook.engine import Engine, Step
    from replay.checking.diff.results import Diff
    from replay.comparing.metrics import By
    from replay.comparing.results import Comparison
    from replay.simulation.settings import TraderFactory


def compare(
    tapes: PathLike | Iterable[PathLike],
    thresholds: ThresholdLike | Iterable[ThresholdLike] | None = None,
    *,
    products: ProductsLike | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    markouts: DurationLike | Sequence[DurationLike] = DEFAULT_MARKOUTS,
    fee: ThresholdLike | None = None,
    strategy: TraderFactory | str | None = None,
    settings: Mapping[str, Any] | Iterable[str] = (),
    execution: Execution = PAPER,
    by: By | None = None,
    sort: str = "threshold",
    min_signals: int = 0,
    min_episodes: int = 0,
    episodes: ThresholdLike | Iterable[ThresholdLike] | None = None,
    processes: int = 1,
    cluster: str | None = None,
    client: ClientLike | None = None,
    output: PathLike | None = None,
    html: PathLike | None = None,
    detail: ThresholdLike | None = None,
    engine: Engine | EngineName = "auto",
    prepare: PrepareName = "off",
    progress: Callable[[str, Step], None] | None = None,
    command: str | None = None,
) -> Comparison:
    """Compare thresholds of the spread filter over one tape or several, all in one pass over each book.

    Args:
        tapes: one tape or several.
        thresholds: a threshold, a sweep `MIN:MAX:STEP` or `MIN:MAX:xCOUNT` (equal ratios), or several; None
            for quantiles of each product's own spread over time, without those that select nothing or the
            same summaries as a higher one.
        products: product ids; None for all.
        start: first time to report, inclusive; rows before it build the book.
        end: last time to report, exclusive.
        markouts: times after an episode's start at which the change of the mid price is measured.
        fee: fee of each side, a fraction of the price: adds the spread less two fees.
        strategy: also say what each threshold earns: a strategy that trades, as of `backtest`, and has the
            threshold as its setting `threshold`, such as `booktape.strategies:QuoteWhenWide`.
        settings: other settings of the strategy, by name, or texts such as `size=0.01`.
        execution: how its orders are simulated; all queue models are run.
        by: split the numbers by `hour`, `day` (both UTC) or `connection` as well.
        sort: column that orders the rows of a block: `threshold` ascending, others largest first.
        min_signals: leave out rows with fewer signals.
        min_episodes: leave out rows with fewer episodes.
        episodes: thresholds whose episodes `output` gets one by one; None for all if there are at most 50,
            else for those that are not part of a sweep.
        processes: number of processes that share the work; no result depends on it.
        cluster: share the work on a cluster of Dask instead: the address of its scheduler, such as
            `tcp://scheduler:8786`, or `local:4` for four processes here. Workers need the tapes at the same
            paths.
        client: the same with a client of Dask that you have, or any `replay.pieces.cluster.Cluster`.
        output: RUN directory to write; must not exist.
        html: report to write, one HTML file; must not exist.
        detail: threshold whose episodes the report shows; None for 10 bps, or the middle one.
        engine: what runs the books; all give the same results.
        prepare: `auto` first prepares what is read, see `Tape.prepare`, unless something hinders it.
        progress: called with the product and every step; only in one process.
        command: command line to name in the results.

    Raises:
        OptionError: if an argument cannot be used.
        TapeError: if a tape cannot be read or has no such product.
        StrategyError: if the strategy cannot be made, or raises.
        RunError: if `output` or `html` exists or cannot be written.
    """
    processes = arguments.whole_number(processes, "processes", 1, 64)
    report_path = optional_output(html, "html")
    directory = optional_output(output, "output")
    engine = arguments.engine_of(engine)
    with workers_of(processes, cluster, client, engine, "replay.comparing.pieces") as workers:
        from recorder.tape.reader import Tape as StoredTape
        from replay.comparing.api import compare as run
        from replay.comparing.default_thresholds import choose_thresholds
        from replay.comparing.metrics import sort_columns
        from replay.comparing.settings import CompareSettings, parse_horizons
        from replay.comparing.sweep.episode_rows import MAX_THRESHOLDS

        named = None if thresholds is None else _several(thresholds)
        paths = tape_paths(tapes)
        if len(paths) > 1:
            refuse_offsets(start, end)
        wanted = () if named is None else arguments.thresholds_of(named, "thresholds")
        with arguments.naming("markouts", markouts, "'100ms,1s' or ['100ms', '1s']"):
            horizons = parse_horizons(markouts)
        arguments.choice(sort, "sort", tuple(sort_columns(horizons, trades=strategy is not None)))
        lowest = [
            arguments.whole_number(value, option, 0)
            for option, value in (("min_signals", min_signals), ("min_episodes", min_episodes))
        ]
        shown = None if detail is None else arguments.threshold(detail, "detail")
        if shown is not None and report_path is None:
            raise OptionError("needs html: the report shows the episodes", option="detail", value=detail)
        if episodes is None and named is not None and len(wanted) > MAX_THRESHOLDS:
            episodes = [each for each in named if not (isinstance(each, str) and ":" in each)]
        paid = None if fee is None else arguments.threshold(fee, "fee")
        stored = [StoredTape.open(path) for path in paths]
        chosen = arguments.products_of(products)
        part = window_of_all(stored, start, end, chosen)
        details: Mapping[str, float] = {}
        prepare_for(stored, chosen, part, prepare, engine)
        if named is None:
            wanted, details = choose_thresholds(stored, chosen, part, engine)
        trades = trades_by_threshold(
            stored,
            wanted,
            strategy=strategy,
            settings=settings,
            execution=execution,
            products=chosen,
            window=part,
            by=by,
        )
        compared = CompareSettings(
            wanted,
            chosen,
            part,
            horizons,
            paid,
            arguments.choice(by, "by", (None, "hour", "day", "connection")),
            "spread" if named is None else "named",
            trades,
        )
        report = None
        if report_path is not None:
            from replay.report.api import Report

            subjects = sum(len(each.select(chosen)) for each in stored)
            report = Report(report_path, wanted, subjects, shown, details, part)
        comparison = run(
            stored,
            compared,
            episodes_of=None if episodes is None else _listed(episodes),
            output=directory,
            command=command,
            progress=arguments.optional_function(progress, "progress"),
            watch=None if report is None else report.watch,
            engine=engine,
            processes=processes,
            workers=workers,
        )
        if named is None:
            comparison.keep_telling()
        comparison.sort(sort)
        comparison.keep(min_signals=lowest[0], min_episodes=lowest[1])
        if report is not None:
            report.write(comparison, sort)
        return comparison


def _several(thresholds: ThresholdLike | Iterable[ThresholdLike]) -> tuple[ThresholdLike, ...]:
    if isinstance(thresholds, str) or not isinstance(thresholds, Iterable):
        return (thresholds,)
    return tuple(thresholds)


def _listed(episodes: ThresholdLike | Iterable[ThresholdLike]) -> tuple[float, ...]:
    return () if episodes == [] else arguments.thresholds_of(episodes, "episodes")


def diff(
    a: PathLike,
    b: PathLike,
    *,
    products: ProductsLike | None = None,
    ignore: str | Iterable[str] = (),
    frames: bool = False,
) -> Diff:
    """Compare two tapes, or two RUN directories, row by row.

    Args:
        a: a tape or a RUN directory.
        b: another one of the same kind.
        products: product ids; None for all.
        ignore: columns that are not compared, e.g. `recv_time`.
        frames: compare the payloads of the frames of two tapes alone, in their order: when and on which
            connection they came does not matter.

    Raises:
        OptionError: if there is no such column to ignore.
        DiffError: if one is neither a tape nor a RUN, or one is a tape and the other a RUN.
        TapeError: if a tape cannot be read, or neither has such a product.
        RunError: if a RUN cannot be read.
    """
    from replay.checking.diff.api import diff as run

    first, second = tape_path(a, "a"), tape_path(b, "b")
    columns = arguments.texts_of(ignore, "ignore", "recv_time")
    return run(
        first,
        second,
        products=arguments.products_of(products),
        ignore=columns,
        frames=arguments.flag(frames, "frames"),
    )
