"""`Tape.search`: check the arguments, make one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from booktape import arguments
from booktape.arguments import ProductsLike
from booktape.backtesting import backtest_settings, open_tapes
from booktape.execution import MARKOUTS, PAPER, Execution
from booktape.latencies import one_latency
from booktape.paths import PathLike
from booktape.preparing import prepare_for
from booktape.traders import settings_by_name, spaces_by_name
from orderbook.errors import OptionError
from orderbook.time_input import DurationLike, TimeLike
from recorder.settings import EngineName, PrepareName

if TYPE_CHECKING:
    from orderbook.engine import Engine
    from replay.comparing.metrics import By
    from replay.simulation.results import Backtest
    from replay.simulation.settings import TraderFactory


def search(
    tapes: PathLike | Iterable[PathLike],
    strategy: TraderFactory | str | None = None,
    *,
    trials: int,
    sweep: Mapping[str, Iterable[Any] | str] | Iterable[str],
    choose: str = "net",
    study: str | None = None,
    settings: Mapping[str, Any] | Iterable[str] = (),
    products: ProductsLike | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    execution: Execution = PAPER,
    equity_every: DurationLike = "1s",
    markouts: DurationLike | Sequence[DurationLike] = MARKOUTS,
    by: By | None = None,
    engine: Engine | EngineName = "auto",
    prepare: PrepareName = "off",
    progress: Callable[[int, int], None] | None = None,
) -> Backtest:
    """Search settings of a strategy with Optuna, and return all trials as one backtest.

    Trials are run in batches, each one pass over the tapes with a lane for each trial. The same seed gives
    the same trials, also if the search is stopped and run again with the same study.

    Args:
        tapes: one tape or several: a trial is judged by all of them together.
        strategy: as of `backtest`.
        trials: number of trials to run; a study has them in addition to its own.
        sweep: what settings are chosen from, by name, or texts: `size=0.01,0.02` for values without an order,
            `threshold=1bps:50bps:1bps` for steps, `threshold=1bps..50bps` for anything between.
        choose: the column of a backtest that is to be large, such as `net` or `sharpe`.
        study: where the trials are kept: a storage of Optuna, such as `sqlite:///study.db`, or a journal
            file, and behind a `#` the name of the study (`booktape`). If it has trials, the search goes on.
        settings: settings of the strategy that are not searched, by name, or texts such as `size=0.01`.
        products: product id; None if the tapes have one.
        start: first time to trade, inclusive; rows before it build the book.
        end: last time to trade, exclusive.
        execution: how the orders are simulated; one queue model, one latency. Its seed also draws the trials.
        equity_every: how often equity is sampled.
        markouts: times after a fill at which the mid is compared.
        by: also split profit, fills and turnover by `hour`, `day` (both UTC) or `connection`; by hour or day
            the best is judged against luck.
        engine: what runs the books and the orders; all give the same results.
        prepare: `auto` first prepares what is read, see `Tape.prepare`, unless something hinders it.
        progress: called before each batch with the trials so far, and the number of trials.

    Raises:
        OptionError: if an argument cannot be used, Optuna is not installed, or the study is of something
            else.
        TapeError: if a tape cannot be read or has no such product.
        StrategyError: if a strategy cannot be made, or raises.
        EngineError: if the compiled engine is requested and does not work here.
    """
    from replay.simulation.columns import number_columns
    from replay.simulation.searching import SearchPlan
    from replay.simulation.searching import search as run
    from replay.simulation.settings import MOST_LANES
    from replay.simulation.study_place import StudyPlace

    stored = open_tapes(tapes)
    number = arguments.whole_number(trials, "search", 1, MOST_LANES)
    fixed, spaces = settings_by_name(settings), spaces_by_name(sweep)
    engine = arguments.engine_of(engine)
    for name, space in spaces.items():
        if name in fixed or not len(space):
            reason = f"{name} is set and swept" if name in fixed else f"{name} has no value"
            raise OptionError(f"{reason}: give it values in one place", option="sweep", value=name)
    if not spaces:
        raise OptionError("there is nothing to search: write threshold=1bps..50bps", option="sweep")
    one_latency(execution.latency, "a search")
    found = backtest_settings(
        stored,
        strategy,
        {**fixed, **{name: next(iter(space)) for name, space in spaces.items()}},
        products=products,
        start=start,
        end=end,
        execution=execution,
        equity_every=equity_every,
        markouts=markouts,
        by=by,
        searched=spaces,
    )
    arguments.choice(choose, "choose", number_columns(found.lane.markouts))
    place = None
    if study is not None:
        with arguments.naming("study", study, "'sqlite:///study.db', or the path of a journal file"):
            place = StudyPlace.of(study)
    prepare_for(stored, found.products, found.window, prepare, engine, runs=number)
    return run(
        stored,
        replace(found, settings=(fixed,)),
        SearchPlan(number, spaces, choose, place),
        engine=engine,
        progress=arguments.optional_function(progress, "progress"),
    )
