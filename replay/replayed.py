"""What a replay is asked for, and what it found."""

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from orderbook.digest import run_digest
from orderbook.tally import Tally, products_with_rows
from orderbook.threshold import DEFAULT_THRESHOLD
from orderbook.times import format_time
from recorder.strategies import StrategyRun, strategy_document
from recorder.tape.reader import BATCH_ROWS
from replay.lateness import Timing
from replay.pacing import MAX_SPEED
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
        processes: how many share the products; no result depends on it. Not with `idle_limit` or `follow`.
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
    processes: int = 1

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
            "processes": self.processes,
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
        timing: how it kept to the clock; None where unpaced.
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
    timing: Timing | None = None
    strategy: StrategyRun | None = None
    summaries: dict[str, pa.Table] = field(default_factory=dict)
    signals: dict[str, pa.Table] = field(default_factory=dict)
    anomalies: dict[str, pa.Table] = field(default_factory=dict)
    depth: dict[str, pa.Table] = field(default_factory=dict)
    strategy_rows: dict[str, pa.Table] = field(default_factory=dict)

    @property
    def pacing(self) -> dict[str, float] | None:
        """Lateness and error of the duration in ms, rows over 10 ms late, the silence cut; None unpaced."""
        return None if self.timing is None else self.timing.document()

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

    def merge(self, part: "RunResult") -> None:
        """Take up what another process found of other products."""
        self.tallies |= part.tallies
        self.summaries |= part.summaries
        self.signals |= part.signals
        self.anomalies |= part.anomalies
        self.depth |= part.depth
        self.strategy_rows |= part.strategy_rows
        if self.strategy is None:
            self.strategy = part.strategy
        elif part.strategy is not None:
            self.strategy.digests |= part.strategy.digests
        if self.timing is None:
            self.timing = part.timing
        elif part.timing is not None:
            self.timing.merge(part.timing)
