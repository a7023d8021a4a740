"""The log lines of a running recording: anomalies of the feed, and its status from time to time."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from orderbook import display
from orderbook.display import printable
from orderbook.engine import Step
from recorder.monitor.status import RecordingView
from recorder.settings import LOG_EVERY_S

log = logging.getLogger(__name__)


class AnomalyLog:
    """Logs the first anomaly of a kind on each connection; the others are counted and on the tape."""

    def __init__(self) -> None:
        self._logged: set[tuple[str, int, str]] = set()

    def update(self, product: str, step: Step) -> None:
        """Log what is new in a step of a product."""
        if not step.anomalies.num_rows:
            return
        for anomaly in step.anomalies.select(["kind", "detail", "connection"]).to_pylist():
            key = (product, anomaly["connection"], anomaly["kind"])
            if key not in self._logged:
                self._logged.add(key)
                log.warning("%s: %s: %s", product, anomaly["kind"], printable(anomaly["detail"]))


@contextmanager
def status_lines(view: RecordingView, log_every: float = LOG_EVERY_S) -> Iterator[None]:
    """Log a status line every `log_every` seconds while the block runs."""
    ended = threading.Event()

    def log_until_ended() -> None:
        while not ended.wait(log_every):
            log.info("%s", status_line(view))

    thread = threading.Thread(target=log_until_ended, name="status-lines", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def status_line(view: RecordingView) -> str:
    """Return the status of a recording as one line."""
    parts = []
    for product, state in view.status.products().items():
        if product in view.reader.given_up:
            parts.append(f"{product} given up: {view.reader.given_up[product]}")
            continue
        since = view.status.seconds_since(state.last_frame)
        last = "no frame yet" if since is None else f"last frame {since:.1f} s ago"
        since = view.status.seconds_since(state.last_book)
        book = "no book yet" if since is None else f"book changed {since:.1f} s ago"
        trades, price = view.reader.trades(product)
        traded = f"{display.plural(trades, 'trade')}, the last at {display.price(price)}"
        if not view.reader.reads_trades:
            traded = "trades not recorded"
        elif not trades:
            traded = "no trade yet"
        rows = display.plural(state.rows, "row")
        connections = display.plural(state.connections, "connection")
        parts.append(
            f"{product} {rows}, {connections}, {sum(state.anomalies.values()):,} anomalies, "
            f"{display.price(state.bid)} / {display.price(state.ask)}, {last}, {book}, {traded}"
        )
    parts += [f"{product} {standing.line()}" for product, standing in view.standings()]
    journal, sealed = view.writer.sizes()
    queued = display.size(view.reader.queue.queued_bytes)
    total = f"journal {display.size(journal)}, sealed {display.size(sealed)}, queue {queued}"
    return "; ".join([*parts, total])
