"""The page's server: who is answered, and that no client harms another, or a recording."""

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from recorder.runtime.local_server import LocalHandler
from recorder.tape.reader import Tape
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from replay.viewing.library import Library
from replay.viewing.server import ViewServer, running
from tests.support.commands import json_of, record_process
from tests.support.constants import BTC, SAMPLE, SECOND, TIMEOUT_S
from tests.support.tapes import import_frames, snapshot, tape_rows

MINUTE = f"pictures?source=0&start=0&end={60 * SECOND}&number=1"


@contextmanager
def serving(tape: Path = SAMPLE) -> Iterator[ViewServer]:
    """Serve a tape while the block runs; then no thread is left."""
    with ViewServer(Library([Tape.open(tape)], None, 0.001, "plain")) as server, running(server):
        yield server
    wait_for_connections()


@pytest.fixture(scope="module")
def sample_server() -> Iterator[ViewServer]:
    """A server of the sample, for tests that only ask."""
    with serving() as server:
        yield server


def wait_for_connections() -> None:
    """Wait until no connection is open any more."""
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()


def ask(
    server: ViewServer, question: str, token: str | None = None, method: str = "GET", **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    """Return status, content and headers of an answer."""
    port = int(server.server_address[1])
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    path = f"/{server.token if token is None else token}/{question}"
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, {name.lower(): value for name, value in answer.getheaders()}


def told(server: ViewServer, question: str) -> dict[str, Any]:
    """Return an answer in JSON."""
    status, content, _ = ask(server, question)
    assert status == 200, content
    found: dict[str, Any] = json.loads(content)
    return found


def test_who_is_answered(sample_server: ViewServer) -> None:
    """Only who has the token, on this machine, and no page of another site; no answer allows another."""
    server = sample_server
    for token in ("", "x", server.token[:-1], f"{server.token}x", "%00", "é"[:0] + "~"):
        for question in ("", "view.js", "sources", MINUTE):
            status, content, _ = ask(server, question, token)
            assert (status, server.token.encode() in content) == (403, False)
    assert ask(server, "", Origin="https://other.example")[0] == 403
    assert ask(server, "", Host="rebound.example")[0] == 403
    assert ask(server, "", method="POST")[0] == 501
    status, content, headers = ask(server, "")
    assert (status, b"<!DOCTYPE html>" in content) == (200, True)
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ("../server.py", 404),
        ("%2e%2e/server.py", 404),
        ("vendor/../../server.py", 404),
        ("/etc/passwd", 404),
        ("vendor/flechette.LICENSE", 404),
        ("source?source=9", 400),
        ("source?source=-1", 400),
        ("source", 400),
        (f"source?source={'9' * 5000}", 400),
        ("moment?source=0&seq=99999999", 400),
        ("pictures?source=0&start=0&end=0&number=1", 400),
        ("pictures?source=0&start=5&end=1&number=1", 400),
        (f"pictures?source=0&start=0&end={10**15}&number=1", 400),
        (f"pictures?source=0&start={10**30}&end={10**30 + 1}&number=1", 400),
        ("pictures?source=0&start=0&end=1000&number=1&step=nan", 400),
        ("pictures?source=0&start=0&end=1000&number=1&step=-1", 400),
        ("pictures?source=0&start=0&end=1000&number=0", 400),
        ("pictures?source=0&start=0&end=1000&number=9", 400),
        ("pictures?source=0&start=0&end=1000&number=1&time=0&seq=x", 400),
        ("block?source=0&start=0&end=1000&block=7", 400),
        ("own?source=0&start=0&end=1000&lane=0", 400),
    ],
)
def test_questions_that_have_no_answer(sample_server: ViewServer, question: str, status: int) -> None:
    """They are refused in a line, and nothing else of the disk is served."""
    found, content, _ = ask(sample_server, question)
    assert found == status
    if status == 400:
        assert set(json.loads(content)) == {"error"}


def test_a_hundred_tabs() -> None:
    """A hundred clients at once get the same picture."""
    with serving() as server, ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: ask(server, MINUTE)[:2], range(100)))
    assert {status for status, _ in answers} == {200}
    assert len({content for _, content in answers}) == 1
    (picture,) = pa.ipc.open_stream(answers[0][1]).read_all().to_pylist()
    assert len(picture["cells"]) == picture["columns"] * picture["bins"] > 0


def test_clients_that_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside clients that ask and never read, or say nothing, others are served, and they are cut off."""
    monkeypatch.setattr(LocalHandler, "timeout", 0.5)
    with serving() as server, ExitStack() as stack:
        address = ("127.0.0.1", server.server_address[1])
        request = f"GET /{server.token}/{MINUTE} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        for number in range(60):
            silent = stack.enter_context(socket.socket())
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            silent.connect(address)
            if number % 2:
                silent.sendall(request)
        assert ask(server, MINUTE)[0] == 200
        wait_for_connections()  # the server still runs: it has cut them off


def test_a_tape_that_is_damaged_is_told(tmp_path: Path) -> None:
    """The page gets one line that names the file, and other questions are still answered."""
    tape = import_frames(tmp_path, [(0, snapshot(BTC)), (SECOND, snapshot(BTC))])
    with serving(tape) as server:
        assert told(server, "source?source=0")["last_seq"] == 3
        (segment,) = tape.glob("product=*/date=*/*.parquet")
        segment.write_bytes(b"PAR1")
        status, content, _ = ask(server, MINUTE)
        assert (status, segment.name in json.loads(content)["error"]) == (500, True)
        assert told(server, "sources")["sources"] == [BTC]


def test_a_recording_beside_loses_nothing(tmp_path: Path) -> None:
    """While pages ask for all of a growing tape, the recording keeps every frame, and the page has them."""
    market = MarketSettings(BTC, depth=30)
    settings = ExchangeSettings(rate=400.0, frames=1200, heartbeats=False)
    tape = tmp_path / "tape"
    seen: list[float] = []
    with SyntheticExchange([market], settings) as exchange:

        def look() -> None:
            exchange.wait_until((tape / "_tape.json").exists, TIMEOUT_S)
            with serving(tape) as server, ThreadPoolExecutor(6) as pool:
                while not seen or seen[-1] < 1200:
                    answers = pool.map(lambda _: ask(server, MINUTE)[:2], range(12))
                    pictures = [
                        pa.ipc.open_stream(text).read_all() for status, text in answers if status == 200
                    ]
                    seen.extend(picture["blocks_seq"][0].as_py()[-1] for picture in pictures)
                    seen.append(told(server, "now?source=0")["last_seq"])
                exchange.wait_for_done(1, TIMEOUT_S)
                while seen[-1] < len(exchange.sent[0]):  # row 0 opens the connection
                    seen.append(told(server, "now?source=0")["last_seq"])
                end, reached = told(server, "now?source=0")["last_time"], -1.0
                while reached < end:  # the picture that was asked for from the beginning has grown
                    picture = pa.ipc.open_stream(ask(server, MINUTE)[1]).read_all()
                    reached = picture["until"][0].as_py()

        record_process(tape, [BTC], exchange.url, look, "--segment-rows", "300")
        sent = exchange.sent[0]
    assert [row.payload for row in tape_rows(tape, BTC) if row.kind == "frame"] == sent
    assert not json_of("verify", tape)["damage"]
