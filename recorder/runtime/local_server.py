"""An HTTP server for local clients: few connections at a time, each for seconds; none ends a recording.

A server of a thread for each connection, such as that of the standard library, lets whoever opens a thousand
of them take all descriptors of the process.
"""

import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final

from recorder.runtime.local_http import refusal

IDLE_S: Final = 5.0
"""Seconds after which a connection is closed: without a byte, or while its client does not read."""
_RETRY_S: Final = 0.2


class LocalServer(ThreadingMixIn, TCPServer):
    """Answers connections, each on a thread of its own, until `shutdown`; close it, or use `with`.

    Args:
        host: address to bind.
        port: port to bind; 0 is any free one.
        handler: class that answers a connection.
        most: connections that are open at once; the oldest makes room for another one.

    Raises:
        OSError: if the address cannot be bound.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128  # with the usual 5, a burst of connections waits for seconds

    def __init__(self, host: str, port: int, handler: type["LocalHandler"], most: int) -> None:
        self.bound = host
        self._most = most
        self._lock = threading.Lock()
        self._open: dict[socket.socket, None] = {}  # the oldest first
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        super().__init__((host, port), handler)

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
            oldest = next(iter(self._open)) if len(self._open) > self._most else None
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
        """Say nothing: what a client does to its connection is no event of the process."""


class LocalHandler(BaseHTTPRequestHandler):
    """Answers the request of one connection; a subclass has `respond`."""

    timeout = IDLE_S
    server: LocalServer

    def do_GET(self) -> None:
        """Answer a request, but not one that a web page of another site makes."""
        reason = refusal(self.headers["Host"], self.headers["Origin"], self.server.bound)
        if reason is None:
            self.respond()
        else:
            self.send_error(403, explain=reason)

    do_HEAD = do_GET  # noqa: N815  as the interface spells it

    def respond(self) -> None:
        """Answer a GET or HEAD request."""
        raise NotImplementedError

    def answer(self, content: bytes, kind: str, status: int = 200) -> None:
        """Send a whole answer; its headers alone if no more was asked for."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the interface
        """Log no request."""
