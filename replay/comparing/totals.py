"""What a pass of a comparison adds up for each product: its sweep, its counts and its episodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from orderbook.book import Levels
from orderbook.engine import Engine, Step
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from recorder.settings import EngineName
from recorder.tape.reader import Tape
from replay.comparing.settings import CompareSettings
from replay.comparing.sweep.episode_rows import EpisodeRows
from replay.comparing.sweep.threshold_sweep import ThresholdSweep
from replay.pieces.reading import Prepared
from replay.run_dir.writer import RunWriter


class Collected(Prepared, Protocol):
    """What a report shows of a product beside its numbers; picklable."""

    def add(self, step: Step, /) -> None:
        """Add the next step."""


class Collector(Protocol):
    """What a report shows of the products of a tape; picklable while it is empty."""

    def load(self, product: str, levels: Levels, /) -> None:
        """Take the book of a product that is known before the first row."""

    def prepare(self, product: str, step: Step, /) -> None:
        """Take rows that build the book before the part to compare."""

    def __call__(self, product: str, step: Step, /) -> None:
        """Add the next step of a product."""

    def begin(self, product: str, /) -> Any:
        """Return a `Collected` of a product, empty."""

    def put(self, product: str, collected: Any, /) -> None:
        """Take what a worker has collected."""


@dataclass(frozen=True, slots=True)
class Work:
    """The passes to run; picklable.

    Attributes:
        tapes: in the order in which they were named.
        names: their paths, as they were given.
        products: of each tape.
        settings: what is compared.
        engine: builds the books.
        writer: of the RUN directory; None if nothing is written.
        episodes_of: thresholds whose episodes are written.
        collectors: of each tape, if a report is made of it by workers.
    """

    tapes: Sequence[Tape]
    names: Sequence[str]
    products: Sequence[tuple[str, ...]]
    settings: CompareSettings
    engine: Engine | EngineName
    writer: RunWriter | None
    episodes_of: tuple[float, ...]
    collectors: Sequence[Collector] = ()


class ProductTotal:
    """The sweep and the counts of one product, or of a piece of it that others precede."""

    def __init__(self, settings: CompareSettings, *, is_piece: bool = False) -> None:
        self.sweep = ThresholdSweep(settings.thresholds, settings.horizons_ns, settings.fee, settings.by)
        self.tally = Tally.piece(DEFAULT_THRESHOLD) if is_piece else Tally(DEFAULT_THRESHOLD)

    def add(self, step: Step) -> None:
        """Add the next step."""
        self.tally.add(step)
        self.sweep.add(step.summaries)

    def merge(self, later: "ProductTotal") -> None:
        """Add the piece that comes next, which cannot be used any more."""
        self.tally.merge(later.tally)
        self.sweep.merge(later.sweep)


class EpisodeWriter:
    """Writes the episodes of one tape, product by product.

    Args:
        writer: writes the files.
        work: whose episodes.
        tape: number of the tape.
    """

    def __init__(self, writer: RunWriter, work: Work, tape: int) -> None:
        self._writer = writer
        self._work = work
        self._tape = work.names[tape] if len(work.tapes) > 1 else None
        self._rows: dict[str, EpisodeRows] = {}

    def add(self, product: str, step: Step) -> None:
        """Add the next step of a product."""
        if product not in self._rows:
            self._rows[product] = EpisodeRows(self._work.episodes_of, self._work.settings.horizons_ns)
        self.write(product, self._rows[product].add(step.summaries))

    def finish(self) -> None:
        """Write the episodes that are open."""
        for product, rows in self._rows.items():
            self.write(product, rows.finish())

    def write(self, product: str, episodes: pa.RecordBatch) -> None:
        """Write episodes of a product."""
        if not episodes.num_rows:
            return
        if self._tape is not None:
            tapes = pa.array([self._tape] * episodes.num_rows, pa.string())
            episodes = episodes.append_column(pa.field("tape", pa.string(), nullable=False), tapes)
        self._writer.write("episodes", product, episodes)
