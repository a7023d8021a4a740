"""A real S3 server on loopback, SeaweedFS, and a proxy before it that is slow, fails, or loses answers.

moto takes wrong checksums and s3rver ignores conditions: neither would do.
"""

import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, Self, cast

import obstore
import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

from recorder.tape.store import objects
from tests.support.commands import free_ports
from tests.support.constants import TIMEOUT_S

KEY: Final = "AKIATESTKEY"
SECRET: Final = "a-secret-that-no-output-may-have"  # noqa: S105  of a server that lives as long as the tests
BUCKET: Final = "tapes"

_IDENTITY: Final = {
    "identities": [
        {
            "name": "tests",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
    ]
}


@dataclass
class ObjectStore:
    """A server with one bucket.

    Attributes:
        program: SeaweedFS.
        directory: what it keeps.
        ports: of its parts, on 127.0.0.1; the first one speaks S3.
    """

    program: str
    directory: Path
    ports: list[int] = field(default_factory=lambda: free_ports(8))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.ports[0]}"

    def environment(self, url: str = "") -> dict[str, str]:
        """Return the variables by which clients find the server, or what stands before it."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": url or self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
        }

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self.directory.mkdir(exist_ok=True)
        config = self.directory / "s3.json"
        config.write_text(json.dumps(_IDENTITY), encoding="utf-8")
        s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc = self.ports
        options = {
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "dir": self.directory,
            "master.port": master,
            "master.port.grpc": master_grpc,
            "master.telemetry": "false",
            "master.electionTimeout": "300ms",  # a killed one is back in seconds
            "master.resumeState": "false",
            "master.volumeSizeLimitMB": 64,
            "volume.port": volume,
            "volume.port.grpc": volume_grpc,
            "volume.max": 20,
            "filer": "true",
            "filer.port": filer,
            "filer.port.grpc": filer_grpc,
            "s3": "true",
            "s3.port": s3,
            "s3.port.grpc": s3_grpc,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.config": config,
        }
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "server", *(f"-{name}={value}" for name, value in options.items())],
                stdout=log,
                stderr=log,
                cwd=self.directory,
            )
        self._wait()

    def _wait(self) -> None:
        """Wait until the server takes and gives objects: it listens before it can, and tells nobody."""
        until = time.monotonic() + TIMEOUT_S
        bucket = self.bucket(max_retries=0)
        while True:
            try:
                with suppress(
                    FileNotFoundError
                ):  # it is new; one that was killed finds what it had a while later
                    obstore.get(bucket, "_ready")
                obstore.put(bucket, "_ready", b"ready")
            except (OSError, BaseError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
            else:
                return

    def bucket(self, **retry: Any) -> S3Store:
        """Return a client of the bucket that needs no environment."""
        return S3Store(
            BUCKET,
            access_key_id=KEY,
            secret_access_key=SECRET,
            endpoint=self.url,
            region="us-east-1",
            client_options={"allow_http": True},
            retry_config=cast("Any", retry),
        )

    def put_tree(self, directory: Path, name: str) -> str:
        """Put the files of a tape or a RUN into the bucket as they are; return its URL there."""
        bucket = self.bucket()
        for path in directory.rglob("*"):
            if path.is_file() and "_journal" not in path.parts:
                obstore.put(bucket, f"{name}/{path.relative_to(directory)}", path.read_bytes())
        return f"s3://{BUCKET}/{name}"

    def kill(self) -> None:
        """End the server as a power failure would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


_PIECE: Final = 2**18


def enter(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, retries: int = 8) -> None:
    """Let this process find a store, and retry what fails without delay."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    quick = {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=2), "base": 2}
    monkeypatch.setitem(objects.RETRIES, "backoff", quick)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", str(retries + 1))
    objects.client.cache_clear()


Fault = int | Literal["drop", "cut", "lose", "stall", "expired", "page"]
"""An answer's status; or: close without an answer, in the middle of one, or after the store has done it; do
not answer; say that the key has expired, and quote it; answer with a page of something else."""

_REQUEST: Final = re.compile(rb"(GET|PUT|HEAD|POST|DELETE) (\S+) HTTP/1\.1\r\n")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class FaultyProxy:
    """Stands before a store, on 127.0.0.1.

    Attributes:
        requests: the methods and paths so far.
        fault: called with method and path of each request; what it returns is done to it, None for nothing.
        delay_s: what each round trip takes longer.
        url: its address.
    """

    def __init__(self, store: ObjectStore, delay_s: float = 0) -> None:
        self.requests: list[tuple[str, str]] = []
        self.fault: Callable[[str, str], Fault | None] = lambda _method, _path: None
        self.delay_s = delay_s
        self._store = store
        self._has_ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._has_ended.set()
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments, name="proxy"))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._store.ports[0]))
                except OSError:  # it was killed
                    client.close()
                    continue
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets += [client, server]
                found: list[Fault | None] = [None]
                self._start(self._pass_on, client, server, found)
                self._start(_pass_back, client, server, found)

    def _pass_on(self, client: socket.socket, server: socket.socket, found: list[Fault | None]) -> None:
        """Pass on what the client asks for, unless a fault stops it."""
        with suppress(OSError):
            while data := client.recv(_PIECE):
                if request := _REQUEST.match(data):
                    method, path = request[1].decode(), request[2].decode()
                    self.requests.append((method, path))
                    found[0] = self.fault(method, path)
                    time.sleep(self.delay_s)
                if isinstance(found[0], int) or found[0] in ("expired", "page"):
                    client.sendall(_answer(_rest(client, data), found[0]))
                    break
                if found[0] == "stall":
                    self._has_ended.wait()
                if found[0] in ("drop", "stall"):
                    break
                server.sendall(data)
            if found[0] not in ("cut", "lose"):
                client.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)


def _pass_back(client: socket.socket, server: socket.socket, found: list[Fault | None]) -> None:
    """Pass on what the store answers, or half of it, or nothing; then close both."""
    with client, server, suppress(OSError):
        while (data := server.recv(_PIECE)) and found[0] != "lose":
            client.sendall(data[: len(data) // 2] if found[0] == "cut" else data)
            if found[0] == "cut":
                break
        client.shutdown(socket.SHUT_RDWR)


def _rest(client: socket.socket, data: bytes) -> bytes:
    """Receive the rest of a request, and return its head."""
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(found[1]) if (found := _LENGTH.search(head + b"\r\n")) else 0
    received = len(body)
    while received < length:
        received += len(client.recv(_PIECE))
    return head


def _answer(head: bytes, fault: Fault) -> bytes:
    if isinstance(fault, int):
        status, text = fault, "<Error><Code>SlowDown</Code></Error>"
    elif fault == "expired":
        status, text = 400, f"<Error><Code>ExpiredToken</Code><Token-0>{SECRET}</Token-0></Error>"
    else:
        status, text = 200, f"<html>Log in, {SECRET}</html>"
    body = b"" if head.startswith(b"HEAD") else text.encode()
    return b"HTTP/1.1 %d x\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (status, len(body), body)


@contextmanager
def running_store(program: str, directory: Path) -> Iterator[ObjectStore]:
    """Run a server while the block runs."""
    store = ObjectStore(program, directory)
    store.start()
    try:
        yield store
    finally:
        store.kill()
