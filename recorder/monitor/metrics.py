"""Prometheus metrics of a running recording."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from orderbook.anomalies import ODDITIES
from orderbook.errors import BooktapeError
from recorder.monitor.metrics_server import MetricsServer
from recorder.monitor.status import RecordingView
from recorder.settings import METRICS_HOST
from recorder.shipping.shipper import ShippingStatus
from recorder.tape.store.local import free_bytes

log = logging.getLogger(__name__)


class MetricsError(BooktapeError):
    """The address of the metrics server cannot be bound."""


class RecorderCollector(Collector):
    """Reads the status of a recording at each scrape; counts nothing itself."""

    def __init__(self, view: RecordingView) -> None:
        self._status = view.status
        self._reader = view.reader
        self._writer = view.writer
        self._shipper = view.shipper

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics with their values now."""
        frames = CounterMetricFamily("booktape_frames", "Frames recorded", labels=["product"])
        payload = CounterMetricFamily("booktape_frame_bytes", "Bytes of frames received", labels=["product"])
        reconnects = CounterMetricFamily(
            "booktape_reconnects", "Connections but the first", labels=["product"]
        )
        labels = ["product", "reason"]
        endings = CounterMetricFamily("booktape_interruptions", "Connections ended, by reason", labels=labels)
        labels = ["product", "kind"]
        anomalies = CounterMetricFamily("booktape_anomalies", "Anomalies of the feed, by kind", labels=labels)
        labels = ["product"]
        waiting = GaugeMetricFamily(
            "booktape_unprocessed_rows", "In the journal, not in the book yet", labels=labels
        )
        silence = GaugeMetricFamily("booktape_last_frame_age_seconds", "Since the last frame", labels=labels)
        age = GaugeMetricFamily("booktape_book_age_seconds", "Since the book last changed", labels=labels)
        given_up = GaugeMetricFamily(
            "booktape_given_up", "1 if the exchange refused the product for good", labels=labels
        )
        untraded = CounterMetricFamily(
            "booktape_connections_without_trades", "Trades not acknowledged", labels=labels
        )
        labels = ["product", "kind"]
        oddities = CounterMetricFamily(
            "booktape_oddities", "Frames that were odd and left the book as it is, by kind", labels=labels
        )
        trades = CounterMetricFamily("booktape_trades", "Trades received", labels=["product"])
        received = self._reader.queue.received_bytes()
        for product, state in self._status.products().items():
            frames.add_metric([product], state.frames)
            payload.add_metric([product], received[product])
            reconnects.add_metric([product], max(state.connections - 1, 0))
            for reason, number in self._reader.endings(product).items():
                endings.add_metric([product, reason], number)
            for kind, number in state.anomalies.items():
                anomalies.add_metric([product, kind], number)
            waiting.add_metric([product], self._writer.products[product].written_rows - state.rows)
            for gauge, time in ((silence, state.last_frame), (age, state.last_book)):
                if (since := self._status.seconds_since(time)) is not None:
                    gauge.add_metric([product], since)
            given_up.add_metric([product], product in self._reader.given_up)
            trades.add_metric([product], self._reader.trades(product)[0])
            odd = self._reader.oddities(product)
            untraded.add_metric([product], odd.get("trades_unacknowledged", 0))
            for kind in ODDITIES:
                oddities.add_metric([product, kind], odd.get(kind, 0))
        yield from (
            frames,
            payload,
            reconnects,
            endings,
            anomalies,
            waiting,
            silence,
            age,
            given_up,
            trades,
            untraded,
            oddities,
        )
        if self._shipper is not None:
            yield from _shipping_metrics(self._shipper.status)
        yield from self._process_metrics()

    def _process_metrics(self) -> Iterator[Metric]:
        journal, sealed = self._writer.sizes()
        free = free_bytes(self._writer.path)
        queued = self._reader.queue.queued_bytes
        yield GaugeMetricFamily("booktape_queue_bytes", "Waiting in memory for the book", queued)
        yield GaugeMetricFamily("booktape_journal_bytes", "In journals, not sealed yet", journal)
        yield CounterMetricFamily("booktape_sealed_bytes", "Sealed by this recorder", sealed)
        yield CounterMetricFamily("booktape_seal_seconds", "Spent on sealing", self._writer.seal_seconds())
        dropped = CounterMetricFamily("booktape_dropped_lines", "Not printed in time", labels=["stream"])
        for name in ("stdout", "stderr"):  # the streams of the command line count; others have no number
            dropped.add_metric([name], getattr(getattr(sys, name), "dropped_lines", 0))
        yield dropped
        yield GaugeMetricFamily("booktape_free_disk_bytes", "Free on the tape's disk", free)


def _shipping_metrics(status: ShippingStatus) -> Iterator[Metric]:
    segments = GaugeMetricFamily(
        "booktape_unshipped_segments", "Sealed, not in the store yet", labels=["product"]
    )
    size = GaugeMetricFamily("booktape_unshipped_bytes", "Bytes of those segments", labels=["product"])
    for product, amount in status.unshipped.items():
        segments.add_metric([product], amount.segments)
        size.add_metric([product], amount.bytes)
    yield from (segments, size)
    yield GaugeMetricFamily(
        "booktape_shipping_trouble", "1 if the store fails, or shipping has ended", bool(status.trouble)
    )


@contextmanager
def serving(view: RecordingView, port: int, host: str = METRICS_HOST) -> Iterator[int]:
    """Serve metrics and a health check over HTTP while the block runs; yield the port.

    Args:
        view: the recording.
        port: port to bind; 0 for a free one.
        host: address to bind.

    Raises:
        MetricsError: if the address cannot be bound.
    """
    registry = CollectorRegistry()
    registry.register(RecorderCollector(view))
    try:
        server = MetricsServer(host, port, registry, view.trouble)
    except OSError as error:
        raise MetricsError(f"--metrics-port {port}: {error.strerror}") from None
    with server:
        thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        bound = int(server.server_address[1])
        log.info("metrics at http://%s:%d/metrics", f"[{host}]" if ":" in host else host, bound)
        try:
            yield bound
        finally:
            server.shutdown()
            thread.join()
