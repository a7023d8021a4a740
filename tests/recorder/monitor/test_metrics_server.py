"""The metrics port: whoever opens connections to it takes no descriptors from the recording."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import Metric

from recorder.monitor.metrics_server import MAX_CONNECTIONS, MetricsServer
from tests.support.constants import TIMEOUT_S


@contextmanager
def running(host: str = "127.0.0.1", registry: CollectorRegistry | None = None) -> Iterator[MetricsServer]:
    """Run a server with one metric."""
    if registry is None:
        registry = CollectorRegistry()
        Gauge("answer", "A number", registry=registry).set(42)
    with MetricsServer(host, 0, registry, lambda: None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def descriptors() -> int:
    """Return the number of open descriptors of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def ask(server: MetricsServer, path: str = "/metrics", **headers: str) -> tuple[int, str]:
    """Return status and text of a request."""
    host, port = server.server_address[:2]
    connection = HTTPConnection(str(host), int(port), timeout=TIMEOUT_S)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_a_probe_of_a_misspelt_path_fails() -> None:
    """It does not get the metrics, which would say for ever that all is well."""
    with running() as server:
        assert [ask(server, path)[0] for path in ("/health", "/healthz", "/healthz/", "/")] == [
            404,
            200,
            200,
            200,
        ]
        assert ask(server, "/healthz/?a=1")[1] == "ok\n"


def test_head_has_the_headers_alone() -> None:
    """A load balancer that asks with HEAD is told whether all is well."""
    with running() as server:
        for path, status in (("/healthz", 200), ("/metrics", 200), ("/health", 404)):
            host, port = server.server_address[:2]
            connection = HTTPConnection(str(host), int(port), timeout=TIMEOUT_S)
            connection.request("HEAD", path)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (status, b"")
            assert status == 404 or int(answer.headers["Content-Length"]) > 0


def test_idle_connections_take_no_descriptors() -> None:
    """Beside a few hundred connections that say nothing, the metrics are served and few stay open."""
    with running() as server, ExitStack() as stack:
        address = ("127.0.0.1", server.server_address[1])
        before = descriptors()
        idle = []
        for _ in range(300):
            idle.append(stack.enter_context(socket.create_connection(address)))
            if len(idle) % 50 == 0:
                assert ask(server) == (200, ask(server)[1])
        assert "answer 42.0" in ask(server)[1]
        for each in idle[:-MAX_CONNECTIONS]:
            each.settimeout(TIMEOUT_S)
            assert each.recv(1) == b""  # closed by the server
        assert descriptors() <= before + len(idle) + MAX_CONNECTIONS + 2


def test_the_end_closes_every_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that says nothing does not outlive the server, however long it may be idle."""
    monkeypatch.setattr("recorder.monitor.metrics_server._Handler.timeout", None)
    with ExitStack() as stack:
        with running() as server:
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", server.server_address[1])))
            assert ask(server)[0] == 200  # the idle one was accepted before
        idle.settimeout(TIMEOUT_S)
        assert idle.recv(1) == b""


def test_who_is_answered() -> None:
    """A page of another site is refused, by its Origin or by the name that it gave this machine."""
    with running() as server:
        port = server.server_address[1]
        assert ask(server)[0] == 200
        assert ask(server, Host=f"localhost:{port}", Origin="http://localhost:3000")[0] == 200
        assert ask(server, Host=f"rebound.example:{port}")[0] == 403
        assert ask(server, Origin="https://rebound.example")[0] == 403
        assert ask(server, Origin="null")[0] == 403


def test_what_cannot_be_read_is_an_answer() -> None:
    """If a number cannot be read, such as the free bytes of a disk that is gone, the client is told."""

    class Gone:
        def collect(self) -> Iterator[Metric]:
            raise FileNotFoundError(2, "No such file or directory", "tape")

    registry = CollectorRegistry()
    registry.collect = Gone().collect  # type: ignore[method-assign]
    with running(registry=registry) as server:
        status, text = ask(server)
    assert status == 500
    assert "No such file or directory" in text
