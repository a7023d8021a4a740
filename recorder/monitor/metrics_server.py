"""The HTTP server of the metrics."""

from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from orderbook.errors import explain
from recorder.runtime.local_server import LocalHandler, LocalServer

MAX_CONNECTIONS: Final = 16


class MetricsServer(LocalServer):
    """Serves a registry to any GET request, until `shutdown`; close it, or use `with`."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        self.registry = registry
        super().__init__(host, port, _Handler, MAX_CONNECTIONS)


class _Handler(LocalHandler):
    server: MetricsServer

    def respond(self) -> None:
        try:
            text = generate_latest(self.server.registry)
        except Exception as error:  # noqa: BLE001  a disk that is gone must not be a traceback
            self.send_error(500, explain=explain(error))
            return
        self.answer(text, CONTENT_TYPE_LATEST)
