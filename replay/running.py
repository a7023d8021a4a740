"""`run`: one replay of a tape, from Python or the command line."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from orderbook.depth import depth_schema
from orderbook.digest import run_digest
from orderbook.engine import Engine, Step
from orderbook.schema import ANOMALY_SCHEMA, SUMMARY_SCHEMA, empty_batch
from orderbook.spread_filter import above
from orderbook.strategy import StrategyFactory
from orderbook.tally import Tally, products_with_rows
from orderbook.threshold import DEFAULT_THRESHOLD
from orderbook.times import format_time
from recorder.engines import ready_engine
from recorder.flows import attach_strategy, run_to_end
from recorder.lifetime import interruptible, on_signals
from recorder.options import EngineName
from recorder.strategies import StrategyRun, strategy_document
from recorder.tape.reader import BATCH_ROWS, Tape
from replay.flows import replay_flow
from replay.pacing import MAX_SPEED
from replay.rundir import RunError, RunWriter, run_directory
from replay.sources import paced_source
from replay.window import WHOLE, Window


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """How a tape is replayed.

    Attributes:
        products: which; all where none is named.
        speed: 1 is the original timing, 10 ten times faster, `MAX_SPEED` without a clock.
        idle_limit: seconds of recorded silence that are kept; None keeps all. Only where paced.
        precise: spin before each deadline, where paced.
        threshold: what is a signal, a fraction of the ask price.
        window: the part that is reported.
        batch_rows: rows in a batch; no result depends on it.
        depth: levels a side that are given after every summary, four columns each; 0 gives none.
        follow: go on with what is being recorded, until a signal or the window's end.
    """

    products: tuple[str, ...] = ()
    speed: float = MAX_SPEED
    idle_limit: float | None = None
    threshold: float = DEFAULT_THRESHOLD
    window: Window = WHOLE
    batch_rows: int = BATCH_ROWS
    depth: int = 0
    precise: bool = False
    follow: bool = False

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "products": list(self.products),
            "speed": "max" if self.speed == MAX_SPEED else self.speed,
            "idle_limit_s": self.idle_limit,
            "precise": self.precise,
            "threshold": self.threshold,
            "from": None if self.window.start is None else format_time(self.window.start),
            "to": None if self.window.end is None else format_time(self.window.end),
            "depth": self.depth or None,
            "follow": self.follow,
        }


@dataclass(slots=True)
class RunResult:
    """What a replay found.

    Attributes:
        tape: the tape's path.
        settings: as asked for.
        engine: name of what ran the books.
        tallies: counts and digest by product.
        elapsed_s: wall time of the flow.
        pacing: lateness and the error of the duration in milliseconds, rows that came over 10 ms late, the
            silence cut; None where unpaced.
        strategy: what a strategy made of it, where there was one.
        summaries, signals, anomalies, strategy_rows: Arrow tables by product, where they were to be kept; of
            a strategy for the products that have rows.
        depth: the same of the best levels (see `orderbook.depth`), where the settings ask for them.
    """

    tape: Path
    settings: ReplaySettings
    engine: str
    tallies: dict[str, Tally] = field(default_factory=dict)
    elapsed_s: float = 0.0
    pacing: dict[str, float] | None = None
    strategy: StrategyRun | None = None
    summaries: dict[str, pa.Table] = field(default_factory=dict)
    signals: dict[str, pa.Table] = field(default_factory=dict)
    anomalies: dict[str, pa.Table] = field(default_factory=dict)
    depth: dict[str, pa.Table] = field(default_factory=dict)
    strategy_rows: dict[str, pa.Table] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The run's digest, hex."""
        return run_digest(products_with_rows(self.tallies))

    def document(self) -> dict[str, object]:
        """Return the JSON form (`replay --json`, RUN/run.json)."""
        frames = sum(tally.frames for tally in self.tallies.values())
        return {
            "tape": str(self.tape),
            "digest": self.digest,
            "settings": self.settings.document(),
            "engine": self.engine,
            "products": {product: tally.document() for product, tally in sorted(self.tallies.items())},
            "elapsed_s": self.elapsed_s,
            "frames_per_s": frames / self.elapsed_s if self.elapsed_s else 0.0,
            "pacing": self.pacing,
            **strategy_document(self.strategy),
        }


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
        progress: told of every step.
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
    products = opened.select(settings.products)
    running = ready_engine(engine)
    source = paced_source(
        opened,
        products,
        settings.speed,
        settings.idle_limit,
        precise=settings.precise,
        window=settings.window,
        batch_rows=settings.batch_rows,
        following=settings.follow,
    )
    streams = replay_flow(
        source, opened.feed, running, settings.window, recoverable=False, depth=settings.depth
    )
    result = RunResult(opened.path, settings, running.name)
    with ExitStack() as stack:
        writer = stack.enter_context(run_directory(output)) if output else None
        outlet = _Outlet(settings.threshold, writer, keep)

        def full(error: OSError) -> None:
            source.halt(RunError(f"{output or 'stdout'}: {error}"))

        if writer or keep or progress:
            streams.into("write", streams.steps, _each(outlet.take, progress), full)
        if strategy is not None:
            result.strategy = StrategyRun(strategy, partial(outlet.put, "strategy"))
            attach_strategy(streams, result.strategy, source.halt, full)
        tallies = streams.total("tally", lambda: Tally(settings.threshold))
        streams.into("result", tallies, result.tallies.__setitem__)
        started = time.perf_counter()
        # To follow has no end of its own: there a signal is the way to end well.
        until = on_signals(source.stop)
        if not settings.follow:
            until = interruptible(source.stop, "no run was written")
        with until:
            run_to_end(streams.flow, source.halt)
        result.elapsed_s = time.perf_counter() - started
        result.pacing = None if source.pacer is None else source.pacer.document()
        for product in products:
            result.tallies.setdefault(product, Tally(settings.threshold))
        outlet.fill(result)
        if writer:
            writer.write_document(result.document())
    return result


def _each(
    take: Callable[[str, Step], None], progress: Callable[[str, Step], None] | None
) -> Callable[[str, Any], None]:
    def both(product: str, step: Step) -> None:
        take(product, step)
        if progress is not None:
            progress(product, step)

    return both


class _Outlet:
    """Takes the steps apart: into files, into tables, or both."""

    def __init__(self, threshold: float, writer: RunWriter | None, keep: bool) -> None:
        self._threshold = threshold
        self._writer = writer
        self._kept: dict[str, dict[str, list[pa.RecordBatch]]] | None = {} if keep else None

    def take(self, product: str, step: Step) -> None:
        summaries = step.summaries.select(SUMMARY_SCHEMA.names)
        streams = {
            "summaries": summaries,
            "signals": above(summaries, self._threshold),
            "anomalies": step.anomalies.select(ANOMALY_SCHEMA.names),
        }
        if step.depth is not None:
            streams["depth"] = step.depth
        for stream, batch in streams.items():
            self.put(stream, product, batch)

    def put(self, stream: str, product: str, batch: pa.RecordBatch) -> None:
        """Take a batch of one stream."""
        if self._kept is not None:
            self._kept.setdefault(stream, {}).setdefault(product, []).append(batch)
        if self._writer is not None and batch.num_rows:
            self._writer.write(stream, product, batch)

    def fill(self, result: RunResult) -> None:
        """Give a result its tables; every product has one of each, maybe empty."""
        if self._kept is None:
            return
        streams = [
            ("summaries", result.summaries, SUMMARY_SCHEMA),
            ("signals", result.signals, SUMMARY_SCHEMA),
            ("anomalies", result.anomalies, ANOMALY_SCHEMA),
        ]
        if depth := result.settings.depth:
            streams.append(("depth", result.depth, depth_schema(depth)))
        for stream, tables, schema in streams:
            for product in result.tallies:
                batches = self._kept.get(stream, {}).get(product) or [empty_batch(schema)]
                tables[product] = pa.Table.from_batches(batches, schema)
        for product, rows in self._kept.get("strategy", {}).items():
            result.strategy_rows[product] = pa.Table.from_batches(rows)
