"""The server of a tape: its address and its end."""

import asyncio
import base64
import resource
import threading
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from replay.serving.served_tape import ServedTape, ServeError
from replay.serving.server import TapeServer, max_clients
from tests.support.constants import BTC, SAMPLE, SECOND
from tests.support.tape_server import WAIT_S, client, serving, subscribe, until_closed
from tests.support.tapes import import_frames, snapshot, update


def test_stopping_closes_with_1001(tmp_path: Path) -> None:
    """A server that is stopped closes with 1001."""
    tape = import_frames(tmp_path, [(0, snapshot(BTC)), (3_600 * SECOND, update(BTC))])
    with ExitStack() as clients:
        with serving(tape, speed=1.0) as url:
            websocket = clients.enter_context(client(url))
            subscribe(websocket, BTC)
            websocket.recv(timeout=WAIT_S)
        assert until_closed(websocket)[1] == (1001, "")
    assert "serving" not in [thread.name for thread in threading.enumerate()]


def test_a_port_that_is_taken() -> None:
    """The error names host and port."""
    with serving(SAMPLE) as url:
        port = int(url.rpartition(":")[2])
        server = TapeServer(ServedTape(SAMPLE), port=port)
        with pytest.raises(ServeError, match=f"127.0.0.1:{port}"):
            asyncio.run(server.run(lambda _url: None))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "rebound.example"}, 403),
        ({"Origin": "https://other.example"}, 403),
        ({"Origin": "http://localhost:3000"}, 101),
        ({}, 101),
    ],
)
def test_a_page_of_another_site_is_refused(headers: dict[str, str], status: int) -> None:
    """A browser's page is not served, by its Origin or by the name that it gave this machine."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
    }
    with serving(SAMPLE) as url:
        connection = HTTPConnection("127.0.0.1", int(url.rpartition(":")[2]), timeout=WAIT_S)
        connection.request("GET", "/", headers=upgrade | headers)
        assert connection.getresponse().status == status
        connection.close()


def test_clients_leave_descriptors_for_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """More clients than there are descriptors for are refused, one by one, and the others go on."""
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (30, 30))
    assert max_clients() == 2
    with ExitStack() as clients, serving(SAMPLE, speed=1.0) as url:
        served = [clients.enter_context(client(url)) for _ in range(2)]
        with pytest.raises(InvalidStatus) as refused, client(url):
            pass
        assert refused.value.response.status_code == 503
        subscribe(served[0], BTC)
        assert served[0].recv(timeout=WAIT_S)
