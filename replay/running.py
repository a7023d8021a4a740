"""`run`: one replay of a tape, from Python or the command line."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from orderbook.engine import Engine, Step
from orderbook.strategy import StrategyFactory
from orderbook.tally import Tally
from recorder.engines import name_of, ready_engine
from recorder.lifetime import interruptible, on_signals
from recorder.operators import attach_strategy, run_to_end
from recorder.options import EngineName
from recorder.strategies import StrategyRun
from recorder.tape.reader import Tape
from replay.flows import replay_flow
from replay.outlet import Outlet
from replay.processes import Crew, Meet, balanced
from replay.replayed import ReplaySettings, RunResult
from replay.rundir import RunError, RunWriter, run_directory
from replay.sources import first_reported, paced_source


def run(
    tape: Path | str,
    settings: ReplaySettings = ReplaySettings(),
    *,
    output: Path | None = None,
    keep: bool = True,
    progress: Callable[[str, Step], None] | None = None,
    engine: Engine | EngineName = "auto",
    strategy: StrategyFactory | None = None,
) -> RunResult:
    """Replay a tape.

    Args:
        tape: its directory.
        settings: what of it, and how.
        output: a RUN directory to make.
        keep: whether the result holds Arrow tables; False for memory that does not grow with the tape.
        progress: told of every step; not where several processes share the work.
        engine: runs the books; `auto`, `compiled`, `plain` or one of your own.
        strategy: makes a strategy for each product, see `orderbook.strategy`.

    Raises:
        TapeError: where the tape cannot be read.
        StrategyError: where the strategy fails.
        RunError: where `output` exists already or cannot be written.
        InterruptedRunError: where a signal ended it, unless it follows a recording.

    Example:
        >>> result = run("data/sample")  # doctest: +SKIP
        >>> result.summaries["BTC-USD"].to_pandas()  # doctest: +SKIP
    """
    opened = Tape.open(Path(tape))
    selected = replace(settings, products=opened.select(settings.products))
    with ExitStack() as stack:
        writer = stack.enter_context(run_directory(output)) if output else None
        several = settings.processes > 1
        groups = balanced([(opened, selected.products)], settings.processes) if several else []
        crew = Crew(_replay_part, len(groups), name_of(engine))
        stack.enter_context(crew)  # they import and load at once
        part = _Part(opened, selected, writer, keep, crew.ready_engine(engine), strategy)
        result = _in_processes(crew, part, groups) if several else _replay(part, progress=progress)
        result.settings = settings
        if writer:
            writer.write_document(result.document())
    return result


@dataclass(frozen=True, slots=True)
class _Part:
    """What one process replays; picklable.

    Attributes:
        tape, settings: with the products named.
        writer: of the RUN directory, if there is to be one.
        keep, engine, strategy: as for `run`.
        first_time: recv_time that is due at the start where other processes share the clock.
    """

    tape: Tape
    settings: ReplaySettings
    writer: RunWriter | None
    keep: bool
    engine: Engine | EngineName
    strategy: StrategyFactory | None
    first_time: int | None = None


def _in_processes(
    crew: "Crew[_Part, RunResult]", whole: _Part, groups: Sequence[tuple[str, ...]]
) -> RunResult:
    """Replay groups of products in processes of their own, on one clock."""
    settings, started = whole.settings, time.perf_counter()
    earliest = first_reported(whole.tape, settings.products, settings.window)
    parts = [
        replace(whole, settings=replace(settings, products=group, processes=1), first_time=earliest)
        for group in groups
    ]
    result = RunResult(whole.tape.path, settings, name_of(whole.engine))
    for found in crew.run(parts):
        result.merge(found)
    result.elapsed_s = time.perf_counter() - started
    return result


def _replay_part(part: _Part, meet: Meet) -> RunResult:
    """Replay a part in a process of its own; what it wrote is whole on disk when this returns."""
    result = _replay(part, meet)
    if part.writer is not None:
        part.writer.close()
    if result.strategy is not None:
        result.strategy.take = _nowhere  # its files and tables stay in this process
    return result


def _nowhere(_product: str, _rows: pa.RecordBatch) -> None:
    """Take rows of a run that is over."""


def _replay(
    part: _Part, meet: Meet | None = None, progress: Callable[[str, Step], None] | None = None
) -> RunResult:
    settings, engine = part.settings, ready_engine(part.engine)
    source = paced_source(
        part.tape,
        settings.products,
        settings.speed,
        settings.idle_limit,
        precise=settings.precise,
        window=settings.window,
        batch_rows=settings.batch_rows,
        following=settings.follow,
        first_time=part.first_time,
    )
    streams = replay_flow(
        source, part.tape.feed, engine, settings.window, recoverable=False, depth=settings.depth
    )
    result = RunResult(part.tape.path, settings, engine.name)
    outlet = Outlet(settings.threshold, part.writer, part.keep)

    def full(error: OSError) -> None:
        source.halt(RunError(f"{part.writer.directory if part.writer else 'RUN'}: {error}"))

    if part.writer or part.keep:
        streams.into("write", streams.steps, outlet.take, full)
    if progress is not None:
        streams.into("progress", streams.steps, progress, source.halt)
    if part.strategy is not None:
        result.strategy = StrategyRun(part.strategy, partial(outlet.put, "strategy"))
        attach_strategy(streams, result.strategy, source.halt, full)
    tallies = streams.total("tally", lambda: Tally(settings.threshold))
    streams.into("result", tallies, result.tallies.__setitem__)
    # To follow has no end of its own: there a signal is the way to end well.
    until = on_signals(source.stop) if settings.follow else interruptible(source.stop, "no run was written")
    started = time.perf_counter()
    with until:
        if source.pacer is not None and meet is not None:
            source.pacer.start_at(meet())
        run_to_end(streams.flow, source.halt)
    result.elapsed_s = time.perf_counter() - started
    result.timing = None if source.pacer is None else source.pacer.timing()
    for product in settings.products:
        result.tallies.setdefault(product, Tally(settings.threshold))
    outlet.fill(result)
    return result
