"""A tape that is continued by a feed or captures: where it ends, the flow that writes it, the result.

A recording does not continue a tape of another kind: rows of an import or of a made-up market are not
mixed in.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

from msgspec import UNSET

from orderbook.connection_marks import read_connected
from orderbook.display import printable
from orderbook.engine import Engine, Watch
from orderbook.errors import reason_of
from orderbook.tally import Tally
from recorder.dataflow.flows import RowSource, SummaryOutput, recording_flow
from recorder.dataflow.running import FirstFailure, run_to_end
from recorder.dataflow.sinks import TapeSink
from recorder.live.journaling import Journaling, Syncing
from recorder.live.redaction import without_secrets
from recorder.results import Recorded
from recorder.runtime.strategy_thread import LiveStrategy, StrategyThread
from recorder.tape.errors import TapeError
from recorder.tape.format.layout import MANIFEST
from recorder.tape.format.manifest import mark_synthetic
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape
from recorder.tape.recovery import resume
from recorder.tape.row_batches import Position
from recorder.tape.store import files as store
from recorder.tape.writer import TapeWriter


def check_kind(tape: Path, url: str) -> None:
    """Refuse to continue a tape of another kind than a recording of an address.

    Args:
        tape: directory of the tape; it may not exist.
        url: address of the feed.

    Raises:
        TapeError: if the tape is one, or cannot be read.
    """
    other = _other_kind(tape, url)
    if other:
        raise TapeError(f"{tape}: {other}: name another tape, or add --append to continue this one", tape)


def _other_kind(tape: Path, url: str) -> str:
    """Return what a tape holds by the marks of its first connections; an empty text if that may go on."""
    if not store.exists(tape / MANIFEST):
        return ""
    opened = Tape.open(tape)
    is_local = url.startswith("ws://")
    if opened.manifest.synthetic and not is_local:
        return "a tape of a synthetic market"
    for product in opened.select(()):
        if payload := _first_mark(opened.product(product)):
            opened_by = read_connected(payload)
            begun = opened_by.url
            if opened_by.origins is not UNSET:
                return "a merged tape, not a recording"
            if begun and "://" not in begun:
                return f"an import of {printable(without_secrets(begun), 80)}, not a recording"
            if begun and begun.startswith("ws://") != is_local:
                where = "this machine" if begun.startswith("ws://") else printable(without_secrets(begun), 80)
                return f"a recording from {where}, not from {printable(url, 80)}"
    return ""


def _first_mark(tape: ProductTape) -> str:
    """Return the payload of the `connected` row that begins a product; an empty text if none does."""
    if (removed := tape.removed) is not None:
        return removed.begun
    rows = next(tape.batches(1), None)
    if rows is None or rows.column("kind")[0].as_py() != "connected":
        return ""
    return str(rows.column("payload")[0].as_py())


class Recording:
    """A tape that is continued: where it ends, the flow that writes it, and the result."""

    def __init__(self, writer: TapeWriter, engine: Engine, threshold: float) -> None:
        self._writer = writer
        self._engine = engine
        self.tape = Tape(writer.path, writer.manifest)
        self._is_marked = writer.manifest.synthetic
        try:
            resumed = {
                product: resume(self.tape.product(product), self.tape.feed, each, engine)
                for product, each in writer.products.items()
            }
        except OSError as error:
            raise TapeError(
                f"{writer.path}: cannot seal what an earlier recorder left ({reason_of(error)})", writer.path
            ) from None
        self.tallies = {product: Tally(threshold, left.digest) for product, left in resumed.items()}
        self._books = {product: left.book for product, left in resumed.items()}

    def mark_synthetic(self) -> None:
        """Say on the tape that its frames are synthetic, unless it says so already."""
        if not self._is_marked:
            mark_synthetic(self.tape.path)
            self._is_marked = True

    @property
    def positions(self) -> dict[str, Position]:
        """The position after each product's last row."""
        return {product: writer.position for product, writer in self._writer.products.items()}

    def run(
        self,
        source: RowSource,
        failure: FirstFailure,
        journal: Journaling | Syncing,
        watch: Watch | None = None,
        output: SummaryOutput | None = None,
        strategy: StrategyThread | None = None,
    ) -> None:
        """Run the flow to its end and seal; raise a failure after everything that can be sealed is.

        Args:
            source: the rows.
            failure: what ends the flow.
            journal: writes the journal, or only syncs it, while the flow runs.
            watch: called with every step.
            output: called with summaries.
            strategy: runs a strategy; it may go on while the last rows are sealed.
        """
        sink = TapeSink(self._writer, self.tallies, failure)
        flow = recording_flow(
            source,
            self._writer,
            sink,
            engine=self._engine,
            starts=self._books,
            watch=watch,
            output=output,
            strategy=strategy,
        )
        with strategy or nullcontext():
            try:
                with journal:
                    run_to_end(flow, failure)
            finally:
                sink.seal_all()
        failure.reraise()

    def result(
        self,
        clamped: int = 0,
        gaps: int = 0,
        torn: Mapping[str, int] | None = None,
        strategy: LiveStrategy | None = None,
        failures: Mapping[str, str] | None = None,
    ) -> Recorded:
        """Return what was added to the tape."""
        return Recorded(
            self._writer.path,
            self._writer.manifest.feed,
            self.tallies,
            self._digests(),
            clamped,
            gaps,
            cut_bytes=sum(writer.cut_bytes for writer in self._writer.products.values()),
            engine=self._engine.name,
            strategy=strategy,
            torn=torn or {},
            failures=failures or {},
        )

    def _digests(self) -> dict[str, str | None]:
        digests: dict[str, str | None] = {}
        for product in self.tape.select(()):
            tape = self.tape.product(product)
            last = tape.last_segment()
            has_unsealed = any(tape.batches(1, last.next_seq if last else 0))
            if product in self.tallies and (last or has_unsealed):
                digests[product] = self.tallies[product].digest.hexdigest()
            elif last or has_unsealed:
                digests[product] = None if has_unsealed or not last else last.digest
        return digests
