"""`Tape.walk_forward`: check the arguments, make one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from booktape import arguments
from booktape.arguments import ProductsLike
from booktape.backtesting import backtest_settings
from booktape.execution import PAPER, Execution
from booktape.latencies import one_latency
from booktape.paths import PathLike, tape_path
from booktape.preparing import prepare_for
from booktape.workers import workers_of
from orderbook.errors import OptionError
from orderbook.time_input import DurationLike, TimeLike
from recorder.settings import EngineName, PrepareName

if TYPE_CHECKING:
    from booktape.workers import ClientLike
    from orderbook.engine import Engine
    from replay.simulation.settings import TraderFactory
    from replay.simulation.walk_results import WalkForward


def walk_forward(
    tape: PathLike,
    strategy: TraderFactory | str | None = None,
    *,
    walk: str | tuple[DurationLike, DurationLike],
    choose: str = "net",
    settings: Mapping[str, Any] | Iterable[str] = (),
    sweep: Mapping[str, Iterable[Any]] | Iterable[str] = (),
    random: int | None = None,
    products: ProductsLike | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    execution: Execution = PAPER,
    equity_every: DurationLike = "1s",
    engine: Engine | EngineName = "auto",
    prepare: PrepareName = "off",
    processes: int = 1,
    cluster: str | None = None,
    client: ClientLike | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WalkForward:
    """Choose settings of a strategy on one part of a tape, judge them on the next, and roll on.

    Every part is a backtest of its own: it begins flat, with the book as it stood. What is chosen has not
    seen the part that it is judged on.

    Args:
        tape: the tape.
        strategy: as of `backtest`.
        walk: lengths of the part to fit and of the part to judge, such as `1d:1h`; each step goes on by the
            second.
        choose: the column of a backtest whose largest value chooses, such as `net` or `sharpe`.
        settings: settings of the strategy, by name, or texts such as `size=0.01`.
        sweep: several values of settings, as of `backtest`: there must be something to choose among.
        random: choose among so many of the combinations, drawn by the seed of `execution`; None for all.
        products: product ids; None for all of the tape.
        start: where the first part begins; None for the first row.
        end: where the last part ends; None for the last row.
        execution: how the orders are simulated: fees, latency, queue model and so on.
        equity_every: how often equity is sampled.
        engine: what runs the books and the orders; all give the same results.
        prepare: `auto` first prepares what is read, see `Tape.prepare`, unless something hinders it.
        processes: number of processes that share the steps; no result depends on it.
        cluster: share the work on a cluster of Dask instead: the address of its scheduler, such as
            `tcp://scheduler:8786`, or `local:4` for four processes here. Workers need the tape at the same
            path, and the module of the strategy.
        client: the same with a client of Dask that you have, or any `replay.pieces.cluster.Cluster`.
        progress: called before each step with its number from 0, and the number of steps; only in one
            process.

    Raises:
        OptionError: if an argument cannot be used, or the tape is too short for one step.
        TapeError: if the tape cannot be read or has no such product.
        StrategyError: if a strategy cannot be made, or raises.
        EngineError: if the compiled engine is requested and does not work here.
    """
    fit, judge = _lengths(walk)
    processes = arguments.whole_number(processes, "processes", 1, 64)
    engine = arguments.engine_of(engine)
    with workers_of(processes, cluster, client, "plain", "replay.simulation.walking") as workers:
        from recorder.tape.reader import Tape as StoredTape
        from replay.simulation.columns import number_columns
        from replay.simulation.walk_plan import WalkPlan
        from replay.simulation.walking import walk_forward as run

        stored = StoredTape.open(tape_path(tape))
        found = backtest_settings(
            [stored],
            strategy,
            settings,
            sweep,
            random=random,
            products=products,
            start=start,
            end=end,
            execution=execution,
            equity_every=equity_every,
        )
        one_latency(execution.latency, "a walk")
        if len(found.settings) < 2:
            raise OptionError(
                "there is nothing to choose among: sweep a setting", option="sweep", value=sweep
            )
        arguments.choice(choose, "choose", number_columns(found.lane.markouts))
        prepare_for([stored], found.products, found.window, prepare, engine, runs=len(found.settings))
        return run(
            stored,
            found,
            WalkPlan(fit, judge, choose),
            workers=workers,
            engine=engine,
            progress=arguments.optional_function(progress, "progress"),
        )


def _lengths(walk: str | tuple[DurationLike, DurationLike]) -> tuple[int, int]:
    """Return the lengths of the parts in nanoseconds."""
    with arguments.naming("walk", walk, "'1d:1h', the part to fit and the part to judge"):
        fit, judge = walk.split(":") if isinstance(walk, str) else walk
        return round(arguments.seconds(fit, "walk") * 1e9), round(arguments.seconds(judge, "walk") * 1e9)
