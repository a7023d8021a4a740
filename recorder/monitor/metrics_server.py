"""The HTTP server of metrics and health."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from orderbook.errors import explain
from recorder.runtime.local_server import LocalHandler, LocalServer

MAX_CONNECTIONS: Final = 16


class MetricsServer(LocalServer):
    """Serves a registry, and at /healthz whether all is well, until `shutdown`; close it, or use `with`.

    Args:
        host, port: address to bind.
        registry: of the metrics.
        trouble: returns why it is not well, or None.
    """

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, trouble: Callable[[], str | None]
    ) -> None:
        self.registry = registry
        self.trouble = trouble
        super().__init__(host, port, _Handler, MAX_CONNECTIONS)


class _Handler(LocalHandler):
    server: MetricsServer

    def respond(self) -> None:
        path = self.path.partition("?")[0].rstrip("/")
        if path == "/healthz":
            trouble = self.server.trouble()
            self.answer(f"{trouble or 'ok'}\n".encode(), "text/plain; charset=utf-8", 503 if trouble else 200)
            return
        if path not in ("", "/metrics"):  # a probe of a misspelt path must not find all well
            self.send_error(404, explain="/metrics and /healthz are here")
            return
        try:
            text = generate_latest(self.server.registry)
        except Exception as error:  # noqa: BLE001  a disk that is gone must not be a traceback
            self.send_error(500, explain=explain(error))
            return
        self.answer(text, CONTENT_TYPE_LATEST)
