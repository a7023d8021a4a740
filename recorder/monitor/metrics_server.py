"""The HTTP server of the metrics: few connections at a time, each for seconds, so that none ends a recording.

A server of a thread for each connection, such as that of prometheus_client, lets whoever opens a thousand of
them take all descriptors of the recorder.
"""

import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from orderbook.errors import explain
from recorder.runtime.local_http import refusal

MAX_CONNECTIONS: Final = 16
IDLE_S: Final = 5.0
"""Seconds without a byte after which a connection is closed."""
_RETRY_S: Final = 0.2


class MetricsServer(ThreadingMixIn, TCPServer):
    """Serves a registry to any GET request, until `shutdown`; close it, or use `with`."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128  # with the usual 5, a burst of connections waits for seconds

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.bound = host
        self._lock = threading.Lock()
        self._open: dict[socket.socket, None] = {}  # the oldest first
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        super().__init__((host, port), _Handler)

    def get_request(self) -> Any:
        """Accept a connection; where that fails for want of descriptors, not again at once."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(_RETRY_S)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection on a thread of its own; the oldest one makes room for it."""
        with self._lock:
            self._open[request] = None
            oldest = next(iter(self._open)) if len(self._open) > MAX_CONNECTIONS else None
            if oldest is not None:
                del self._open[oldest]
        if oldest is not None:
            with suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)  # which ends its thread
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Close the port and every connection."""
        super().server_close()
        with self._lock:
            for request in self._open:
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)  # which ends its thread

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: what a client does to its connection is no event of the recording."""


class _Handler(BaseHTTPRequestHandler):
    timeout = IDLE_S
    server: MetricsServer

    def do_GET(self) -> None:
        reason = refusal(self.headers["Host"], self.headers["Origin"], self.server.bound)
        if reason is not None:
            self.send_error(403, explain=reason)
            return
        try:
            text = generate_latest(self.server.registry)
        except Exception as error:  # noqa: BLE001  a disk that is gone must not be a traceback
            self.send_error(500, explain=explain(error))
            return
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE_LATEST)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the interface
        """Log no request."""
