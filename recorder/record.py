"""The three jobs of the recorder, each one call: `record`, `live` and `import_captures`."""

from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Final

from orderbook.engine import Engine, Step
from orderbook.feeds import Feed
from orderbook.tally import Tally
from orderbook.threshold import DEFAULT_THRESHOLD
from recorder.captures import CaptureFormat
from recorder.engines import ready_engine
from recorder.flows import RowSource, Show, Watch, live_flow, recording_flow
from recorder.halt import Halt
from recorder.importing import CaptureRows
from recorder.inbox import Inbox
from recorder.lifetime import interruptible, remembered_signals, until_stopped
from recorder.operators import run_to_end
from recorder.options import EngineName
from recorder.reader import FeedReader, ReaderSettings
from recorder.recorded import Recorded
from recorder.resume import resume
from recorder.sinks import TapeSink
from recorder.sources import CaptureSource, CoinbaseSource
from recorder.status import RecorderStatus
from recorder.strategies import StrategyRun
from recorder.survey import survey
from recorder.tape.errors import TapeError
from recorder.tape.overview import overview
from recorder.tape.policy import SealPolicy
from recorder.tape.position import Position
from recorder.tape.reader import Tape
from recorder.tape.writer import SEAL_POLICY, TapeWriter
from recorder.version import software
from recorder.view import Observer, RecordingView
from recorder.watch import AnomalyLog

_GATHER_S: Final = 0.005
"""What a recorded row may wait for others, as a batch of one costs as much as one of twenty.

`live` does not wait: it is there to show, at once.
"""


def record(  # noqa: PLR0913  a job's settings, by keyword
    products: Sequence[str],
    tape: Path,
    settings: ReaderSettings,
    *,
    duration: float | None = None,
    show: Show | None = None,
    strategy: StrategyRun | None = None,
    threshold: float = DEFAULT_THRESHOLD,
    policy: SealPolicy = SEAL_POLICY,
    observers: Sequence[Observer] = (),
    engine: Engine | EngineName = "auto",
) -> Recorded:
    """Record products to a tape until Ctrl-C, SIGTERM or `duration` seconds; then drain and seal.

    Args:
        products: product ids.
        tape: the tape's directory; made, or gone on with.
        settings: the feed and how to reach it.
        duration: seconds, None to go on until stopped.
        show: where summaries go as they happen.
        strategy: begins with the first row of this recording, also on an existing tape. Where it fails the
            recording goes on without; `failure` says so at the end.
        threshold: what the tallies count as a signal, a fraction of the ask price.
        policy: when a segment ends.
        observers: entered before the first connection, left after the last.
        engine: runs the books; `auto`, `compiled`, `plain` or one of your own.

    Raises:
        FeedError: where the exchange refuses a subscription; what was received is kept.
        TapeError: where the tape cannot be written; what was recorded before is intact.
    """
    with (
        # Compiling an engine or taking up a long tail is no time to die by a SIGTERM.
        remembered_signals() as asked_to_stop,
        nullcontext(ready_engine(engine)) as running,
        TapeWriter.open(tape, settings.endpoint.feed, products, software(), policy) as writer,
    ):
        recording = _Recording(writer, running, threshold)
        inbox = Inbox(products, settings.queue_bytes)
        reader = FeedReader(settings, inbox, recording.positions)
        status = RecorderStatus(products)
        halt = Halt(reader.stop)
        source = CoinbaseSource(reader, inbox, recording.positions, _GATHER_S)

        tell = AnomalyLog()

        def watch(product: str, step: Step) -> None:
            status.take(product, step)
            tell(product, step)

        with ExitStack() as stack:
            for observer in observers:
                stack.enter_context(observer(RecordingView(status, reader, inbox, writer)))
            stack.enter_context(until_stopped(reader, duration))
            if asked_to_stop.is_set():
                reader.stop()
            recording.run(source, halt, watch, show, strategy)
        return recording.result(strategy=strategy)


def live(
    products: Sequence[str],
    settings: ReaderSettings,
    show: Show | None,
    *,
    strategy: StrategyRun | None = None,
    duration: float | None = None,
    engine: Engine | EngineName = "auto",
) -> None:
    """Show a live feed without keeping anything, until Ctrl-C, SIGTERM or `duration` seconds.

    Args:
        products: product ids.
        settings: the feed and how to reach it.
        show: where summaries go; may be None where there is a strategy.
        strategy: its rows go where it says.
        duration: seconds, None to go on until stopped.
        engine: runs the books; `auto`, `compiled`, `plain` or one of your own.

    Raises:
        FeedError: where the exchange refuses a subscription.
        StrategyError: where the strategy fails.
    """
    running = ready_engine(engine)
    positions = {product: Position() for product in products}
    inbox = Inbox(products, settings.queue_bytes)
    reader = FeedReader(settings, inbox, positions)
    halt = Halt(reader.stop)
    source = CoinbaseSource(reader, inbox, positions)
    feed = settings.endpoint.feed
    flow = live_flow(source, feed, running, AnomalyLog(), show=show, strategy_run=strategy, halt=halt)
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
    engine: Engine | EngineName = "auto",
) -> Recorded:
    """Make a tape of captures, or append them to one.

    Args:
        paths: the files, in the order of their time; each begins a connection of its own.
        tape: the tape's directory.
        capture_format: of all files.
        feed: whose frames they are; None to recognise it.
        threshold: what the tallies count as a signal.
        policy: when a segment ends.
        engine: runs the books; `auto`, `compiled`, `plain` or one of your own.

    Raises:
        InterruptedRunError: where a signal ended it.
        CaptureError: where a capture is not what it should be; then nothing was written.
        TapeError: where the tape cannot be written.
    """
    found = survey(paths, capture_format, feed)
    running = ready_engine(engine)
    with TapeWriter.open(tape, found.feed, found.products, software(), policy) as writer:
        recording = _Recording(writer, running, threshold)
        rows = CaptureRows(found, recording.positions)
        halt = Halt(rows.stop)
        with interruptible(rows.stop, f"{tape} holds what was imported so far, sealed"):
            recording.run(CaptureSource(rows, halt), halt)
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

    def run(
        self,
        source: RowSource,
        halt: Halt,
        watch: Watch | None = None,
        show: Show | None = None,
        strategy: StrategyRun | None = None,
    ) -> None:
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
            strategy_run=strategy,
        )
        try:
            run_to_end(flow, halt, self._writer.policy.sync_s)
        finally:
            sink.seal_all()
        halt.raise_failure()

    def result(self, clamped: int = 0, gaps: int = 0, strategy: StrategyRun | None = None) -> Recorded:
        """Return what was added."""
        cut_bytes = sum(writer.cut_bytes for writer in self._writer.products.values())
        feed = self._writer.manifest.feed
        return Recorded(
            self._writer.path,
            feed,
            self._tallies,
            self._digests(),
            clamped,
            gaps,
            cut_bytes,
            self._engine.name,
            strategy,
        )

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
