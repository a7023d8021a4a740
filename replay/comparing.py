"""`compare`: many thresholds in one pass over a tape."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pyarrow as pa

from orderbook.digest import run_digest
from orderbook.engine import Engine, Step
from orderbook.tally import Tally, products_with_rows
from orderbook.threshold import DEFAULT_THRESHOLD
from recorder.flows import run_to_end
from recorder.lifetime import interruptible
from recorder.tape.reader import Tape
from replay.flows import PLAIN, replay_flow
from replay.rundir import refuse_existing, run_directory
from replay.sources import TapeSource
from replay.sweep.sweeping import ThresholdStatistics, ThresholdSweep
from replay.window import WHOLE, Window


@dataclass(slots=True)
class Comparison:
    """What each threshold lets pass.

    Attributes:
        tape: the tape's path.
        statistics: by product, one entry a threshold, in ascending order of the thresholds.
        tallies: counts and digest by product.
        elapsed_s: wall time of the pass.
    """

    tape: Path
    statistics: dict[str, list[ThresholdStatistics]] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    elapsed_s: float = 0.0

    def sort(self, key: str) -> None:
        """Order each product's entries: by `threshold` ascending, by another number largest first."""
        for entries in self.statistics.values():
            entries.sort(key=lambda entry: entry.threshold)
            if key != "threshold":
                entries.sort(key=lambda entry: getattr(entry, key) or 0.0, reverse=True)

    def rows(self) -> list[dict[str, object]]:
        """Return one dict a product and threshold, products in alphabetical order."""
        return [
            {"product": product, **asdict(statistics)}
            for product, entries in sorted(self.statistics.items())
            for statistics in entries
        ]

    def table(self) -> pa.Table:
        """Return the rows as an Arrow table."""
        return pa.Table.from_pylist(self.rows())

    def document(self) -> dict[str, object]:
        """Return the JSON form (`compare --json`)."""
        return {
            "tape": str(self.tape),
            "digest": run_digest(products_with_rows(self.tallies)),
            "rows": self.rows(),
            "products": {product: tally.document() for product, tally in sorted(self.tallies.items())},
            "elapsed_s": self.elapsed_s,
        }


class _Compared:
    """The total of one product: its sweep and its tally."""

    def __init__(self, thresholds: Sequence[float]) -> None:
        self.sweep = ThresholdSweep(thresholds)
        self.tally = Tally(DEFAULT_THRESHOLD)

    def add(self, step: Step) -> None:
        self.tally.add(step)
        self.sweep.add(step.summaries)


def compare(
    tape: Path | str,
    thresholds: Sequence[float],
    *,
    products: tuple[str, ...] = (),
    window: Window = WHOLE,
    output: Path | None = None,
    progress: Callable[[str, Step], None] | None = None,
    engine: Engine = PLAIN,
) -> Comparison:
    """Compare thresholds over a tape, in one pass over the book however many there are.

    Args:
        tape: its directory.
        thresholds: fractions of the ask price, not negative; each counts once.
        products: which; all where none is named.
        window: the part that is reported.
        output: a RUN directory to make: thresholds.parquet and run.json.
        progress: told of every step.
        engine: runs the books.

    Raises:
        ThresholdError: where a threshold is negative or no number.
        TapeError: where the tape cannot be read.
        RunError: where `output` exists already or cannot be written.
        InterruptedRunError: where a signal ended it.
    """
    opened = Tape.open(Path(tape))
    selected = opened.select(products)
    ordered = sorted(set(thresholds))
    source = TapeSource(opened, selected, window=window)
    streams = replay_flow(source, opened.feed, engine, window, recoverable=False)
    if output is not None:
        refuse_existing(output)
    if progress is not None:
        streams.into("progress", streams.steps, progress)
    found = {product: _Compared(ordered) for product in selected}
    streams.into("result", streams.total("compare", lambda: _Compared(ordered)), found.__setitem__)
    started = time.perf_counter()
    with interruptible(source.stop, "nothing was compared"):
        run_to_end(streams.flow, source.halt)
    comparison = Comparison(opened.path)
    for product, compared in found.items():
        comparison.statistics[product] = compared.sweep.finish()
        comparison.tallies[product] = compared.tally
    comparison.elapsed_s = time.perf_counter() - started
    if output is not None:
        with run_directory(output) as writer:
            writer.write_table("thresholds", comparison.table())
            writer.write_document(comparison.document())
    return comparison
