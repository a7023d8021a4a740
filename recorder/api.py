"""The three jobs of the recorder, each one call: `record`, `live` and `import_captures`."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path

from orderbook.display import printable
from orderbook.engine import Step
from orderbook.facts import Lag, last_lag, wider
from orderbook.strategy import StrategyError
from orderbook.tally import Tally
from recorder.captures.capture_rows import CaptureRows
from recorder.captures.overlap import check_order
from recorder.captures.survey import survey
from recorder.dataflow.flows import SummaryOutput, live_flow, log_lost_output
from recorder.dataflow.running import FirstFailure, run_to_end
from recorder.dataflow.sources import CaptureSource, CoinbaseSource
from recorder.installed import software
from recorder.live.backlog import Backlog
from recorder.live.client import FeedReader
from recorder.live.endpoint import FeedError
from recorder.live.journaling import Journaling, Syncing
from recorder.monitor.log_lines import AnomalyLog, ClockLog
from recorder.monitor.status import FeedObserver, FeedView, Observer, RecordingView, RowStatus
from recorder.recording import Recording, check_kind
from recorder.results import Recorded
from recorder.runtime.descriptors import allow_open_files
from recorder.runtime.loading import load_engine
from recorder.runtime.signals import deferred_signals, interruptible, until_stopped
from recorder.runtime.strategy_thread import LiveStrategy, Outlets, StrategyThread
from recorder.settings import IMPORT, LIVE, RECORD, ImportSettings, LiveSettings, RecordSettings
from recorder.shipping.keeping import Keep
from recorder.shipping.shipper import shipping
from recorder.tape.format.manifest import note_import
from recorder.tape.reader import Tape
from recorder.tape.row_batches import Position
from recorder.tape.store.paths import RemotePath
from recorder.tape.writer import TapeWriter

log = logging.getLogger(__name__)


def record(
    products: Sequence[str],
    tape: Path,
    settings: RecordSettings = RECORD,
    *,
    output: SummaryOutput | None = None,
    strategy: LiveStrategy | None = None,
    observers: Sequence[Observer] = (),
    ship: RemotePath | None = None,
    keep: Keep | None = None,
) -> Recorded:
    """Record products to a tape until Ctrl-C, SIGTERM, SIGHUP or `settings.duration`; then drain and seal.

    Args:
        products: product ids.
        tape: directory of the tape; created, or continued after its last row.
        settings: the feed, the engine, when a segment ends.
        output: called with summaries as they happen.
        strategy: if it fails, the recording continues without it; its `failure` is set. One of rows starts
            with the first row of this recording, also on an existing tape.
        observers: entered before the first connection, left after the last.
        ship: where the sealed segments are shipped to meanwhile; nothing waits for that.
        keep: how long they are kept here once they are there; None to keep them all.

    Raises:
        FeedError: if the feed's address is invalid, an API key is missing, or no product is left, as each was
            refused or never had a book; what was received is kept. `Recorded.failures` names single products.
        TapeError: if the tape cannot be written, or is no recording of this address; what was recorded before
            is intact.
    """
    products = tuple(dict.fromkeys(products))
    allow_open_files(len(products), 2)  # a journal and a socket
    reader = FeedReader(products, settings.connection)
    if not settings.append:
        check_kind(tape, reader.endpoint.public_url)
    engine = load_engine(settings.engine)  # compiling takes a minute, in which a signal ends the process
    with (
        deferred_signals() as signalled,  # from here on it has the tape, and may read a long journal
        TapeWriter.open(
            tape, reader.endpoint.feed, products, software(), settings.seal, settings.now_ns
        ) as writer,
    ):
        recording = Recording(writer, engine, settings.threshold)
        failure = FirstFailure(reader.stop)
        backlog = Backlog(products, reader.queue, failure.report)
        journaling = Journaling(reader.queue, writer, settings.gather, failure.report, backlog)
        source = CoinbaseSource(reader, recording.positions, backlog)
        status, anomalies, clocks = RowStatus(recording.tallies), AnomalyLog(), ClockLog()

        def watch(product: str, step: Step) -> None:
            status.update(product, step)
            anomalies.update(product, step)
            clocks.update(product, step)
            reader.resync(product, step)
            if reader.is_synthetic:
                recording.mark_synthetic()

        with ExitStack() as stack:
            shipper = stack.enter_context(shipping(tape, ship, keep))
            for observer in observers:
                view = RecordingView(
                    status=status, reader=reader, writer=writer, strategy=strategy, shipper=shipper
                )
                stack.enter_context(observer(view))
            stack.enter_context(until_stopped(reader, settings.duration))
            if signalled.is_set():
                reader.interrupt()
            outlets = _log_failed_strategy, log_lost_output, failure.report
            place = recording.positions, recording.tape
            thread = _thread_of(strategy, reader, place, settings.patience, outlets)
            recording.run(source, failure, journaling, watch, output, thread)
        failures = reader.failures({name: tally.summaries for name, tally in recording.tallies.items()})
        if len(failures) == len(products):
            raise FeedError.of(failures)
        for product, tally in recording.tallies.items():
            if not tally.summaries and product not in failures:
                log.warning("%s: stopped before its first book (%s)", product, reader.state(product))
        outages = reader.outages({name: tally.last_book for name, tally in recording.tallies.items()})
        for product, outage in sorted(outages.items()):
            log.warning("%s", outage.line(product))
        oddities = {name: odd for name in products if (odd := reader.oddities(name))}
        found = recording.result(strategy=strategy, failures=failures)
        return replace(found, outages=outages, oddities=oddities)


def live(
    products: Sequence[str],
    settings: LiveSettings = LIVE,
    *,
    output: SummaryOutput | None = None,
    strategy: LiveStrategy | None = None,
    observers: Sequence[FeedObserver] = (),
) -> None:
    """Show a live feed without storing it, until Ctrl-C, SIGTERM, SIGHUP or `settings.duration`.

    Args:
        products: product ids.
        settings: the feed and the engine.
        output: called with summaries as they happen.
        strategy: a strategy, whose rows are written as they happen.
        observers: entered before the first connection, left after the last.

    Raises:
        FeedError: if the feed's address is invalid, an API key is missing, or at the end if a product was
            refused or never had a book.
        StrategyError: if the strategy fails.
    """
    products = tuple(dict.fromkeys(products))
    allow_open_files(len(products), 1)
    reader = FeedReader(products, settings.connection)
    failure = FirstFailure(reader.stop)
    tallies = {product: Tally(settings.threshold) for product in products}
    status, anomalies = RowStatus(tallies), AnomalyLog()

    def watch(product: str, step: Step) -> None:
        tallies[product].add(step)
        status.update(product, step)
        anomalies.update(product, step)
        reader.resync(product, step)

    positions = dict.fromkeys(products, Position())
    outlets = failure.report, failure.report, failure.report
    thread = _thread_of(strategy, reader, (positions, None), settings.patience, outlets)
    with ExitStack() as stack:
        for observer in observers:
            stack.enter_context(observer(FeedView(status=status, reader=reader, strategy=strategy)))
        engine = load_engine(settings.engine)
        signalled = stack.enter_context(deferred_signals())
        flow = live_flow(
            CoinbaseSource(reader, positions),
            reader.endpoint.feed,
            engine,
            watch,
            output=output,
            strategy=thread,
            failure=failure,
        )
        with until_stopped(reader, settings.duration), thread or nullcontext():
            if signalled.is_set():
                reader.interrupt()
            run_to_end(flow, failure)
    failure.reraise()
    if failures := reader.failures({name: tally.summaries for name, tally in tallies.items()}):
        raise FeedError.of(failures)


def _thread_of(
    strategy: LiveStrategy | None,
    reader: FeedReader,
    place: tuple[Mapping[str, Position], Tape | None],
    patience: float,
    outlets: Outlets,
) -> StrategyThread | None:
    """Return the thread of a strategy behind a feed, if there is one, which begins at a place of a tape."""
    if strategy is None:
        return None
    strategy.begin(reader.endpoint.feed, *place)
    return StrategyThread(strategy, lambda: reader.is_ending, outlets, patience)


def _log_failed_strategy(error: StrategyError) -> None:
    log.error("%s; the recording goes on without it", error)


def import_captures(paths: Sequence[Path], tape: Path, settings: ImportSettings = IMPORT) -> Recorded:
    """Import captures of other recorders to a tape.

    Args:
        paths: the files; each begins a new connection.
        tape: directory of the tape; created, or continued after its last row.
        settings: the format, the order of the files, the engine, when a segment ends.

    Raises:
        CaptureError: if a capture cannot be read, is not of the format, is on the tape already, or its rows
            would lose their times; then nothing was written.
        TapeError: if the tape cannot be written.
        InterruptedRunError: if a signal stopped it; what was imported before is sealed.
    """
    found = survey(paths, settings)
    for each in found.captures:
        if each.unit:
            log.info("%s: read %r as %s", printable(each.name), settings.form.time_field, each.unit)
        if each.made_from:
            made = f"frames of the {found.feed} feed, made from {each.made_from}"
            log.info("%s: %s", printable(each.name), printable(made))
    check_order(found, tape, settings)
    ordered = [path for each in found.captures for path in each.paths]
    if ordered != list(paths):
        log.info("in the order of their times: %s", printable(", ".join(path.name for path in ordered)))
    allow_open_files(len(found.products), 1)
    engine = load_engine(settings.engine)
    with TapeWriter.open(tape, found.feed, found.products, software(), settings.seal) as writer:
        recording = Recording(writer, engine, settings.threshold)
        rows = CaptureRows(found, recording.positions, settings)
        failure = FirstFailure(rows.stop)
        lags: dict[str, Lag] = {}

        def watch(product: str, step: Step) -> None:
            if (lag := last_lag(step.summaries)) is not None:
                lags[product] = wider(lags.get(product), (lag, lag))

        names = [each.name for each in found.captures]
        note_import(tape, names, ended=False)
        with interruptible(rows.stop, f"{tape} holds what was imported so far, sealed"):
            source = CaptureSource(rows, writer, failure)
            recording.run(source, failure, Syncing(writer, failure.report), watch)
        note_import(tape, names, ended=True)
        oddities = {product: dict(odd) for product, odd in sorted(rows.oddities.items())}
        return replace(recording.result(rows.clamped, rows.gaps, found.torn()), lags=lags, oddities=oddities)
