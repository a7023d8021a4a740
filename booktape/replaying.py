"""`Tape.replay`: check the arguments, replay, write the report."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from booktape import arguments
from booktape.arguments import ProductsLike, SpeedLike
from booktape.paths import PathLike, optional_output, tape_path
from booktape.preparing import prepare_for
from booktape.windows import window
from booktape.workers import refuse_cluster, workers_of
from orderbook.errors import OptionError
from orderbook.thresholds import ThresholdLike, format_threshold
from orderbook.time_input import DurationLike, TimeLike
from recorder.settings import EngineName, PrepareName

if TYPE_CHECKING:
    import pyarrow as pa

    from booktape.workers import ClientLike
    from orderbook.engine import Engine, Step
    from orderbook.strategy import StrategyFactory
    from replay.running.results import RunResult
    from replay.running.settings import ReplaySettings

log = logging.getLogger(__name__)


def replay(
    tape: PathLike,
    *,
    products: ProductsLike | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    speed: SpeedLike = "max",
    idle_limit: DurationLike | None = None,
    precise: bool = False,
    follow: bool = False,
    processes: int = 1,
    cluster: str | None = None,
    client: ClientLike | None = None,
    threshold: ThresholdLike = arguments.THRESHOLD,
    strategy: StrategyFactory | str | None = None,
    output: PathLike | None = None,
    depth: int | None = None,
    trades: bool = False,
    html: PathLike | None = None,
    keep: bool = True,
    engine: Engine | EngineName = "auto",
    prepare: PrepareName = "off",
    on_signals: Callable[[str, pa.RecordBatch], None] | None = None,
    progress: Callable[[str, Step], None] | None = None,
    progress_trades: bool = False,
    command: str | None = None,
) -> RunResult:
    """Replay a tape through the same book and filter as a live feed.

    Args:
        tape: the tape.
        products: product ids; None for all of the tape.
        start: first time to report, inclusive; rows before it build the book.
        end: last time to report, exclusive.
        speed: 1 is the original timing, 10 ten times faster, `max` as fast as possible.
        idle_limit: shorten recorded silences to this duration; needs a `speed`.
        precise: spin before each deadline instead of sleeping; needs a `speed`.
        follow: wait for rows that are still being recorded, until Ctrl-C.
        processes: number of processes that share the work; no result depends on it.
        cluster: share the work on a cluster of Dask instead: the address of its scheduler, such as
            `tcp://scheduler:8786`, or `local:4` for four processes here. It needs the tape at the same path.
        client: the same with a client of Dask that you have, or any `replay.pieces.cluster.Cluster`.
        threshold: a signal is a summary whose relative spread is above it.
        strategy: makes a strategy for each product: a callable, or `module:factory`.
        output: RUN directory to write; must not exist.
        depth: number of best levels a side to return after every summary, 1 to 1000; None for none.
        trades: return the trades of others too, which came beside the book.
        html: report to write, one HTML file; must not exist.
        keep: keep the tables in the result; False for memory that does not grow with the tape.
        engine: what runs the books; all give the same results.
        prepare: `auto` first prepares what is read, see `prepare`, unless something hinders it.
        on_signals: called with the product and each batch of signals as they happen.
        progress: called with the product and every step; only in one process.
        progress_trades: whether the steps of `progress` hold the trades of others; no result depends on it.
        command: command line to name in the report.

    Raises:
        OptionError: if an argument cannot be used.
        TapeError: if the tape cannot be read or has no such product.
        StrategyError: if the strategy fails.
        RunError: if `output` or `html` exists or cannot be written.
    """
    processes = arguments.whole_number(processes, "processes", 1, 64)
    pace = arguments.speed_of(speed)
    report_path = optional_output(html, "html")
    directory = optional_output(output, "output")
    engine = arguments.engine_of(engine)
    divisible = math.isinf(pace) and strategy is None and not follow
    if not divisible:
        refuse_cluster(cluster, client, "only as fast as possible, without a strategy and not following")
    with workers_of(
        processes if divisible else 1, cluster, client, engine, "replay.running.pieces"
    ) as workers:
        from orderbook.engine import both
        from recorder.installed import tape_name, tapes_title
        from recorder.tape.reader import Tape as StoredTape
        from replay.running.api import run
        from replay.running.pieces import is_divisible
        from replay.running.settings import ReplaySettings

        stored = StoredTape.open(tape_path(tape))
        names = stored.select(arguments.products_of(products))
        settings = ReplaySettings(
            names,
            pace,
            arguments.optional_seconds(idle_limit, "idle_limit"),
            arguments.threshold(threshold),
            window(stored, start, end, names, may_be_empty=follow),
            depth=0 if depth is None else arguments.whole_number(depth, "depth", 1, 1000),
            precise=arguments.flag(precise, "precise"),
            follow=arguments.flag(follow, "follow"),
            trades=arguments.flag(trades, "trades"),
            processes=processes,
        )
        has_output = directory is not None or arguments.flag(keep, "keep")
        has_watch = report_path is not None and not divisible
        _check(settings, has_output=has_output, has_watch=has_watch)
        arguments.optional_function(progress, "progress")
        arguments.optional_function(on_signals, "on_signals")
        report = None
        if report_path is not None:
            from replay.report.api import ReplayReport

            report = ReplayReport(report_path, stored, settings.threshold, len(settings.products))
        if follow:
            limit = format_threshold(settings.threshold)
            log.info("%s waiting for a spread above %s", tapes_title(stored.path), limit)
        elif not math.isinf(settings.speed):
            shared = ", each product in one process" if settings.processes > 1 else ""
            log.info("replaying %s at speed %g%s", tape_name(stored.path), settings.speed, shared)
        elif settings.processes > 1 and not is_divisible(settings, has_strategy=strategy is not None):
            log.info("replaying each product in one process: a strategy needs all its rows")
        elif report is not None and workers is not None:
            log.info("replaying each product in one process: its report is collected over all its rows")
        prepare_for([stored], settings.products, settings.window, prepare, engine)
        result = run(
            stored,
            settings,
            output=directory,
            keep=arguments.flag(keep, "keep"),
            progress=both(progress, _signals(settings.threshold, on_signals)),
            progress_trades=arguments.flag(progress_trades, "progress_trades"),
            engine=engine,
            workers=workers,
            strategy=arguments.strategy_of(strategy),
            watch=report,
        )
        if report is not None:
            report.write(result, command)
        return result


def _check(settings: ReplaySettings, *, has_output: bool, has_watch: bool) -> None:
    """Refuse settings that do not go together.

    Raises:
        OptionError: naming one of them.
    """
    for option, value in (("idle_limit", settings.idle_limit), ("precise", settings.precise)):
        if value and math.isinf(settings.speed):
            raise OptionError("needs a speed: at max nothing waits", option=option, value=value)
    if settings.depth and not has_output:
        reason = "needs an output (-o RUN): the levels go to RUN/depth"
        raise OptionError(reason, option="depth", value=settings.depth)
    if settings.processes > 1 and (settings.follow or has_watch or settings.idle_limit is not None):
        reason = (
            "not with follow or idle_limit, and with html only as fast as possible and without a strategy"
        )
        raise OptionError(reason, option="processes", value=settings.processes)


def _signals(
    threshold: float, call: Callable[[str, pa.RecordBatch], None] | None
) -> Callable[[str, Step], None] | None:
    """Return what calls a function with the signals of each step."""
    if call is None:
        return None
    from orderbook.thresholds import above

    def show(product: str, step: Step) -> None:
        signals = above(step.summaries, threshold)
        if signals.num_rows:
            call(product, signals)

    return show
