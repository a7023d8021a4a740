"""The three jobs of the recorder, each one call: `record`, `live` and `import_captures`."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from orderbook.digest import run_digest
from orderbook.engine import Engine, PlainEngine, Step
from orderbook.feeds import Feed
from orderbook.tally import Tally
from orderbook.threshold import DEFAULT_THRESHOLD
from recorder.captures import CaptureFormat
from recorder.flows import RowSource, Show, Watch, live_flow, recording_flow, run_to_end
from recorder.halt import Halt
from recorder.importing import CaptureRows
from recorder.inbox import Inbox
from recorder.lifetime import interruptible, until_stopped
from recorder.reader import FeedReader, ReaderSettings
from recorder.resume import resume
from recorder.sinks import TapeSink
from recorder.sources import CaptureSource, CoinbaseSource
from recorder.status import RecorderStatus
from recorder.survey import survey
from recorder.tape.errors import TapeError
from recorder.tape.overview import overview
from recorder.tape.product_writer import Position, SealPolicy
from recorder.tape.reader import Tape
from recorder.tape.writer import SEAL_POLICY, TapeWriter
from recorder.version import SOFTWARE
from recorder.view import Observer, RecordingView
from recorder.watch import AnomalyLog

PLAIN = PlainEngine()


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a recording or an import added to a tape.

    Attributes:
        tape, feed: where, in which dialect.
        tallies: by product, of the rows that were added; each digest covers the product's whole tape.
        digests: of every product with a row on the tape, hex; None where one is not sealed to its end.
        clamped: rows of a capture whose time would have gone back.
        gaps: jumps of sequence_num over all products of a capture's connections.
        cut_bytes: torn bytes that a dead recorder had left and that were cut.
    """

    tape: Path
    feed: Feed
    tallies: Mapping[str, Tally]
    digests: Mapping[str, str | None]
    clamped: int
    gaps: int
    cut_bytes: int

    @property
    def digest(self) -> str | None:
        """The digest of the whole tape, hex; None where that of a product is not known."""
        known = {product: digest for product, digest in self.digests.items() if digest is not None}
        return run_digest(known) if len(known) == len(self.digests) else None

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "tape": str(self.tape),
            "feed": self.feed,
            "digest": self.digest,
            "products": {product: tally.document() for product, tally in sorted(self.tallies.items())},
            "clamped": self.clamped,
            "gaps": self.gaps,
            "cut_bytes": self.cut_bytes,
        }

    def notes(self) -> list[str]:
        """Return what the user should know beside the counts, a line each."""
        notes = []
        if self.clamped:
            notes.append(f"{self.clamped:,} rows went back in time and were clamped to the row before")
        if self.gaps:
            notes.append(f"{self.gaps:,} jumps of sequence_num: the capture missed messages")
        if self.cut_bytes:
            notes.append(f"{self.cut_bytes:,} torn bytes of a recorder that died were cut")
        return notes


def record(
    products: Sequence[str],
    tape: Path,
    settings: ReaderSettings,
    *,
    duration: float | None = None,
    show: Show | None = None,
    threshold: float = DEFAULT_THRESHOLD,
    policy: SealPolicy = SEAL_POLICY,
    observers: Sequence[Observer] = (),
    engine: Engine = PLAIN,
) -> Recorded:
    """Record products to a tape until Ctrl-C, SIGTERM or `duration` seconds; then drain and seal.

    Args:
        products: product ids.
        tape: the tape's directory; made, or gone on with.
        settings: the feed and how to reach it.
        duration: seconds, None to go on until stopped.
        show: where summaries go as they happen.
        threshold: what the tallies count as a signal, a fraction of the ask price.
        policy: when a segment ends.
        observers: entered before the first connection, left after the last.
        engine: runs the books.

    Raises:
        FeedError: where the exchange refuses a subscription; what was received is kept.
        TapeError: where the tape cannot be written; what was recorded before is intact.
    """
    with TapeWriter.open(tape, settings.endpoint.feed, products, SOFTWARE, policy) as writer:
        recording = _Recording(writer, engine, threshold)
        inbox = Inbox(products, settings.queue_bytes)
        reader = FeedReader(settings, inbox, recording.positions)
        status = RecorderStatus(products)
        halt = Halt(reader.stop)
        source = CoinbaseSource(reader, inbox, recording.positions)

        tell = AnomalyLog()

        def watch(product: str, step: Step) -> None:
            status.take(product, step)
            tell(product, step)

        with ExitStack() as stack:
            for observer in observers:
                stack.enter_context(observer(RecordingView(status, reader, inbox, writer)))
            stack.enter_context(until_stopped(reader, duration))
            recording.run(source, halt, watch, show)
        return recording.result()


def live(
    products: Sequence[str],
    settings: ReaderSettings,
    show: Show,
    *,
    duration: float | None = None,
    engine: Engine = PLAIN,
) -> None:
    """Show a live feed without keeping anything, until Ctrl-C, SIGTERM or `duration` seconds.

    Raises:
        FeedError: where the exchange refuses a subscription.
    """
    positions = {product: Position() for product in products}
    inbox = Inbox(products, settings.queue_bytes)
    reader = FeedReader(settings, inbox, positions)
    halt = Halt(reader.stop)
    flow = live_flow(
        CoinbaseSource(reader, inbox, positions), settings.endpoint.feed, engine, AnomalyLog(), show, halt
    )
    with until_stopped(reader, duration):
        run_to_end(flow, halt)


def import_captures(
    paths: Sequence[Path],
    tape: Path,
    capture_format: CaptureFormat,
    *,
    feed: Feed | None = None,
    threshold: float = DEFAULT_THRESHOLD,
    policy: SealPolicy = SEAL_POLICY,
    engine: Engine = PLAIN,
) -> Recorded:
    """Make a tape of captures, or append them to one.

    Args:
        paths: the files, in the order of their time; each begins a connection of its own.
        tape: the tape's directory.
        capture_format: of all files.
        feed: whose frames they are; None to recognise it.
        threshold: what the tallies count as a signal.
        policy: when a segment ends.
        engine: runs the books.

    Raises:
        InterruptedRunError: where a signal ended it.
        CaptureError: where a capture is not what it should be; then nothing was written.
        TapeError: where the tape cannot be written.
    """
    found = survey(paths, capture_format, feed)
    with TapeWriter.open(tape, found.feed, found.products, SOFTWARE, policy) as writer:
        recording = _Recording(writer, engine, threshold)
        rows = CaptureRows(found, recording.positions)
        halt = Halt(rows.stop)
        with interruptible(rows.stop, f"{tape} holds what was imported so far, sealed"):
            recording.run(CaptureSource(rows, halt), halt, None, None)
        return recording.result(rows.clamped, rows.gaps)


class _Recording:
    """A tape being written: takes up where it ends, runs a flow, seals the rest."""

    def __init__(self, writer: TapeWriter, engine: Engine, threshold: float) -> None:
        self._writer = writer
        self._engine = engine
        tape = Tape.open(writer.path)
        try:
            resumed = {
                product: resume(tape.product(product), tape.feed, each, engine)
                for product, each in writer.products.items()
            }
        except OSError as error:
            raise TapeError(f"{writer.path}: cannot seal what an earlier recorder left ({error})") from None
        self._tallies = {product: Tally(threshold, left.digest) for product, left in resumed.items()}
        self._books = {product: left.book for product, left in resumed.items()}

    @property
    def positions(self) -> dict[str, Position]:
        """Where each product's rows go on."""
        return {product: writer.position for product, writer in self._writer.products.items()}

    def run(self, source: RowSource, halt: Halt, watch: Watch | None, show: Show | None) -> None:
        """Run the flow to its end and seal; a failure is raised after what can be sealed was."""
        sink = TapeSink(self._writer, self._tallies, halt)
        flow = recording_flow(
            source,
            self._writer,
            sink,
            halt,
            engine=self._engine,
            starts=self._books,
            watch=watch,
            show=show,
        )
        try:
            run_to_end(flow, halt, self._writer.policy.sync_s)
        finally:
            sink.seal_all()
        halt.raise_failure()

    def result(self, clamped: int = 0, gaps: int = 0) -> Recorded:
        """Return what was added."""
        cut_bytes = sum(writer.cut_bytes for writer in self._writer.products.values())
        feed = self._writer.manifest.feed
        return Recorded(self._writer.path, feed, self._tallies, self._digests(), clamped, gaps, cut_bytes)

    def _digests(self) -> dict[str, str | None]:
        tape = Tape.open(self._writer.path)
        digests: dict[str, str | None] = {}
        for product in tape.select(()):
            found = overview(tape.product(product))
            if product in self._tallies and found.rows:
                digests[product] = self._tallies[product].digest.hexdigest()
            elif found.rows:
                digests[product] = None if found.journal_rows else tape.product(product).segments()[-1].digest
        return digests
