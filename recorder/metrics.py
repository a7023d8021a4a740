"""A recording as Prometheus metrics, served on loopback unless asked otherwise."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from orderbook.errors import BooktapeError
from recorder.view import RecordingView


class MetricsError(BooktapeError):
    """The metrics cannot be served where they were asked for."""


class RecorderCollector(Collector):
    """Reads the status of a recording whenever it is scraped; nothing is counted twice."""

    def __init__(self, view: RecordingView) -> None:
        self._status = view.status
        self._reader = view.reader
        self._inbox = view.inbox
        self._writer = view.writer

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics as they stand now."""
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
        silence = GaugeMetricFamily("booktape_last_frame_age_seconds", "Since the last frame", labels=labels)
        received = self._inbox.received_bytes()
        for product, state in self._status.products().items():
            frames.add_metric([product], state.frames)
            payload.add_metric([product], received[product])
            reconnects.add_metric([product], max(state.connections - 1, 0))
            for reason, number in self._reader.endings(product).items():
                endings.add_metric([product, reason], number)
            for kind, number in state.anomalies.items():
                anomalies.add_metric([product, kind], number)
            since = self._status.seconds_since_frame(state)
            if since is not None:
                silence.add_metric([product], since)
        yield from (frames, payload, reconnects, endings, anomalies, silence)
        yield from self._process_metrics()

    def _process_metrics(self) -> Iterator[Metric]:
        journal, sealed = self._writer.sizes()
        free = shutil.disk_usage(self._writer.path).free
        waiting = self._inbox.waiting_bytes
        yield GaugeMetricFamily("booktape_queue_bytes", "Waiting between socket and tape", waiting)
        yield GaugeMetricFamily("booktape_journal_bytes", "In journals, not sealed yet", journal)
        yield CounterMetricFamily("booktape_sealed_bytes", "Sealed by this recorder", sealed)
        yield CounterMetricFamily("booktape_seal_seconds", "Spent on sealing", self._writer.seal_seconds())
        yield GaugeMetricFamily("booktape_free_disk_bytes", "Free on the tape's disk", free)


@contextmanager
def serving(view: RecordingView, host: str, port: int) -> Iterator[int]:
    """Serve metrics over HTTP while the block runs; yields the port.

    Raises:
        MetricsError: where the address cannot be had.
    """
    registry = CollectorRegistry()
    registry.register(RecorderCollector(view))
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise MetricsError(f"--metrics-port {port}: {error.strerror}") from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
