"""Opening sockets: how often, and to whom a key may be sent."""

import asyncio
import signal
import socket
import ssl
import struct
import subprocess
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from websockets.asyncio.server import ServerConnection, serve

from recorder.api import record
from recorder.live.client import FeedReader
from recorder.live.connect import RateLimiter, ReaderLoop, open_socket
from recorder.live.endpoint import FeedError
from recorder.settings import Backoff, ConnectionSettings, RecordSettings
from recorder.tape.row_batches import Position
from tests.recorder.live.test_credentials import KEY, environment, serve_book
from tests.support.commands import booktape, end, invoke, python, running_booktape
from tests.support.constants import BTC, TIMEOUT_S
from tests.support.leaks import leaves_nothing_open
from tests.support.rows import read_rows
from tests.support.scripted_server import ScriptedServer, book, failing, stall


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with virtual time, which jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        """Return the virtual time."""
        return self.now

    def _run_once(self) -> None:
        timers = self._scheduled  # type: ignore[attr-defined]
        if not self._ready and timers:  # type: ignore[attr-defined]
            self.now = max(self.now, timers[0].when())
        super()._run_once()  # type: ignore[misc]


def test_a_rate_limiter_spaces_attempts() -> None:
    """Simultaneous attempts are spaced by the distance; one that comes later than that is not delayed."""

    async def attempts() -> list[float]:
        limiter = RateLimiter(0.25)
        loop = asyncio.get_running_loop()
        passed: list[float] = []

        async def attempt() -> None:
            await limiter.wait()
            passed.append(loop.time())

        await asyncio.gather(*(attempt() for _ in range(4)))
        await asyncio.sleep(10)  # of virtual time
        await attempt()
        return passed

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(attempts()) == [0, 0.25, 0.5, 0.75, 10.75]


def test_a_redirect_takes_no_key_elsewhere(tmp_path: Path) -> None:
    """A server that redirects to an address that --url would refuse gets no key sent there."""
    caught: list[bytes] = []
    with socket.create_server(("127.0.0.2", 0)) as elsewhere, socket.create_server(("127.0.0.1", 0)) as here:
        location = f"ws://127.0.0.2:{elsewhere.getsockname()[1]}/"
        answer = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
        asked_again = threading.Event()

        def catch() -> None:
            client, _ = elsewhere.accept()
            with client:
                caught.append(client.recv(65536))
            asked_again.set()

        def send_on() -> None:
            for number in range(2):
                client, _ = here.accept()
                with client:
                    client.recv(65536)
                    client.sendall(answer)
                if number:
                    asked_again.set()

        for target in (catch, send_on):
            threading.Thread(target=target, daemon=True).start()
        url = f"ws://127.0.0.1:{here.getsockname()[1]}"
        options = ("-o", tmp_path / "tape", "--channel", "level2", "--url", url)
        with running_booktape("record", BTC, *options, env=environment(**KEY)) as process:
            assert asked_again.wait(TIMEOUT_S)
            end(process, code=1)
    assert caught == []


def test_no_proxy_sees_an_unencrypted_feed(tmp_path: Path) -> None:
    """A ws:// feed of this machine is reached directly: a proxy elsewhere would read the key."""
    reached = threading.Event()
    caught: list[bytes] = []

    async def tell(number: int, connection: ServerConnection) -> None:
        reached.set()
        await serve_book(number + 1, connection)

    with socket.create_server(("127.0.0.1", 0)) as proxy, ScriptedServer(tell) as peer:

        def catch() -> None:
            client, _ = proxy.accept()
            with client:
                caught.append(client.recv(65536))
            reached.set()

        threading.Thread(target=catch, daemon=True).start()
        unset = {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "ws_proxy", "socks_proxy"}
        env = {name: value for name, value in environment(**KEY).items() if name.lower() not in unset}
        env["http_proxy"] = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        options = ("-o", tmp_path / "tape", "--channel", "level2", "--url", peer.url)
        with running_booktape("record", BTC, *options, env=env) as process:
            assert reached.wait(TIMEOUT_S)
            end(process, code=None)
    assert caught == []
    assert len(peer.received) == 1


@pytest.mark.parametrize("command", ["record", "live"])
def test_no_option_switches_certificates_off(command: str) -> None:
    """No option of the command line has to do with certificates."""
    help_text = invoke(command, "--help").stdout.lower()
    assert "--url" in help_text
    for word in ("insecure", "verify", "cert", "tls", "ssl", "no-check"):
        assert word not in help_text


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a self-signed certificate for 127.0.0.1 and its key."""
    directory = tmp_path_factory.mktemp("certificate")
    made = (directory / "certificate.pem", directory / "key.pem")
    options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    command = ["openssl", "req", *options.split(), "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-out", made[0], "-keyout", made[1]], check=True, capture_output=True)
    return made


@pytest.mark.parametrize("trusted", [False, True], ids=["self-signed", "trusted"])
def test_a_certificate_is_verified(tmp_path: Path, certificate: tuple[Path, Path], trusted: bool) -> None:
    """A connection with an untrusted certificate is refused and retried, without a row."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    served = threading.Event()

    async def serve_on(number: int, connection: ServerConnection) -> None:
        for text in book(number):
            await connection.send(text)
        served.set()
        await connection.wait_closed()

    env = environment(**KEY)
    if trusted:
        env["SSL_CERT_FILE"] = str(certificate[0])
    tape = tmp_path / "tape"
    with ScriptedServer(serve_on, tls=context) as peer:
        options = ("-o", tape, "--channel", "level2", "--url", peer.url)
        with running_booktape("record", BTC, *options, env=env) as process:
            assert process.stderr is not None
            if trusted:
                assert served.wait(TIMEOUT_S)
            else:
                lines = [process.stderr.readline() for _ in range(2)]
                assert all("CERTIFICATE_VERIFY_FAILED" in line for line in lines)
                assert all("connecting again" in line for line in lines)
            end(process, code=None if trusted else 1)
        assert len(peer.received) == trusted
    assert bool(read_rows(tape)) == trusted


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "foo://example.com"])
def test_an_unsupported_proxy_is_an_error(tmp_path: Path, proxy: str) -> None:
    """If the environment names an unsupported proxy, one clear line says so."""
    options = ("-o", tmp_path / "tape", "--url", "wss://127.0.0.1:9", "--duration", "300ms")
    done = booktape("record", BTC, *options, env=environment(https_proxy=proxy, no_proxy=""))
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr
    assert "proxy" in done.stderr.lower()


@contextmanager
def tcp_peer(answer: bytes, times: int) -> Iterator[str]:
    """Answer a number of handshakes with bytes; yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve_all() -> None:
            with suppress(OSError):
                for _ in range(times):
                    client, _ = server.accept()
                    with client, suppress(OSError):
                        client.settimeout(TIMEOUT_S)
                        client.recv(65536)
                        client.sendall(answer)

        thread = threading.Thread(target=serve_all, daemon=True)
        thread.start()
        yield f"ws://127.0.0.1:{server.getsockname()[1]}"


def redirect(location: str) -> bytes:
    """Return an answer that sends the client elsewhere."""
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


ODD_ANSWERS: Final[dict[str, bytes]] = {
    "nothing": b"",
    "noise": bytes(range(256)) * 4,
    "no HTTP": b"220 smtp ready\r\n",
    "not WebSocket": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "too many requests": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "unavailable": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\ncut",
    "a wrong key": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: bm90IHRoaXMgb25l\r\n\r\n",
    "bytes in a header": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: \xff\xfe\r\n\r\n",
    "a header of a megabyte": b"HTTP/1.1 101 X\r\nA: " + b"x" * 2**20 + b"\r\n\r\n",
    "headers without end": b"HTTP/1.1 101 X\r\n" + b"A: b\r\n" * 10_000,
    "redirect to a website": redirect("https://example.invalid/"),
    "redirect to no address": redirect("ws://[::1"),
    "redirect to a bad port": redirect("ws://127.0.0.1:99999/"),
}


@pytest.mark.parametrize("name", ODD_ANSWERS)
def test_a_handshake_that_fails_is_tried_again(tmp_path: Path, name: str) -> None:
    """Whatever the answer to the handshake, it is logged and retried."""
    tape = tmp_path / "tape"
    waits: list[int] = []

    class StopAtSecond(Backoff):
        """Stops the recording before the third attempt."""

        def wait(self, attempt: int, jitter: float) -> float:  # noqa: ARG002  the interface
            waits.append(attempt)
            if len(waits) == 2:
                signal.raise_signal(signal.SIGINT)
            return 0.01

    with tcp_peer(ODD_ANSWERS[name], 3) as url, pytest.raises(FeedError, match=f"{BTC}: no frame"):
        record(
            [BTC],
            tape,
            RecordSettings(ConnectionSettings("exchange", url, backoff=StopAtSecond(), spacing=0.0)),
        )
    assert waits[:2] == [0, 1]
    assert read_rows(tape) == []


@contextmanager
def answering_lookups(answer: Callable[..., list[Any]]) -> Iterator[None]:
    """Let the system's lookup of names return an answer while the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", answer)
        yield


def reader_of(url: str, *names: str) -> FeedReader:
    """Return a reader of products that has been started."""
    reader = FeedReader(names, ConnectionSettings("exchange", url, spacing=0.0))
    reader.start(dict.fromkeys(names, Position()))
    return reader


def assert_ends(reader: FeedReader) -> None:
    """Stop a reader and wait for the end of its thread; all products have ended without a row."""
    reader.stop()
    reader.join(TIMEOUT_S)
    assert all(reader.queue.is_drained(product) for product in reader.failures({}))
    assert reader.failure is None


def test_a_stop_does_not_wait_for_a_lookup() -> None:
    """A reader ends while the lookup of a name hangs; all products wait for one lookup, on one thread."""
    looked_up, released = threading.Event(), threading.Event()
    lookups: list[object] = []

    def hang(*question: object) -> list[Any]:
        lookups.append(question)
        looked_up.set()
        released.wait(TIMEOUT_S)
        return []

    with answering_lookups(hang):
        reader = reader_of("wss://feed.example", *(f"P{number}-USD" for number in range(5)))
        assert looked_up.wait(TIMEOUT_S)
        assert_ends(reader)
        assert not released.is_set()
        released.set()
    assert len(lookups) == 1


def test_a_race_of_addresses_that_is_cancelled_leaves_no_socket_open() -> None:
    """A stop at the moment at which the first address of a host is connected loses no socket."""
    opening: asyncio.Task[Any]

    class StoppedLoop(ReaderLoop):
        """Is stopped as soon as a socket is connected."""

        async def sock_connect(self, sock: socket.socket, address: object) -> None:
            await super().sock_connect(sock, address)
            opening.cancel()

    async def open_one() -> None:
        nonlocal opening
        opening = asyncio.create_task(open_socket(f"ws://127.0.0.1:{port}", None))
        with pytest.raises(asyncio.CancelledError):
            await opening

    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        leaves_nothing_open(),
        asyncio.Runner(loop_factory=StoppedLoop) as runner,
    ):
        port = silent.getsockname()[1]
        runner.run(open_one())


def test_a_process_does_not_wait_for_a_lookup(tmp_path: Path) -> None:
    """The command ends after a lookup that never does, and says what was in the way."""
    (tmp_path / "hanging.py").write_text(
        "import signal, socket, sys, threading\n"
        "def hang(*_):\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    threading.Event().wait()\n"
        "socket.getaddrinfo = hang\n"
        "from booktape.cli.main import main\n"
        f"sys.argv = ['booktape', 'record', 'BTC-USD', '-o', {str(tmp_path / 'tape')!r}]\n"
        "main()\n"
    )
    done = python((tmp_path / "hanging.py").read_text())
    assert done.returncode == 0  # nothing is wrong yet
    said = "BTC-USD: stopped before its first book (still looking up ws-feed.exchange.coinbase.com)"
    assert said in done.stderr


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_stop_does_not_wait_for_a_handshake(scheme: str) -> None:
    """A reader ends while a peer accepts connections and says nothing, with and without TLS."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reader = reader_of(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}", BTC)
        client, _ = silent.accept()
        with client:
            assert client.recv(1)
            assert_ends(reader)
            assert "still connecting" in reader.failures({})[BTC]  # no time limit has ended the handshake
            reader.is_interrupted = True
            assert not reader.failures({})  # a signal came before a book was due: nothing is wrong


@contextmanager
def full_listener(host: str, port: int) -> Iterator[None]:
    """Listen on an address that answers no further connection, as behind a broken route."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):  # Linux takes one or two, and is silent to the others
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((host, port))
        yield


def test_an_address_that_does_not_answer_holds_up_no_other() -> None:
    """All addresses of a host are tried side by side: the first may be broken IPv6."""
    with ScriptedServer(failing(stall)) as peer:
        port = int(peer.url.rpartition(":")[2])
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        addresses = [(*kind, (host, port)) for host in ("127.0.0.2", "127.0.0.3", "127.0.0.1")]
        with (
            full_listener("127.0.0.2", port),
            full_listener("127.0.0.3", port),
            answering_lookups(lambda *_: addresses),
        ):
            reader = reader_of(f"ws://localhost:{port}", BTC)
            while not reader.queue.received_bytes()[BTC]:
                assert reader.problems == {}
                reader.queue.wait(0.05)
            reader.stop()
            reader.join(TIMEOUT_S)


LARGE = 4 * 2**20
MIB = 2**20


def bomb(number: int) -> bytes:
    """Return a compressed text frame of some 4 KB that inflates to 4 MiB and a number."""
    deflate = zlib.compressobj(9, wbits=-15)
    data = deflate.compress(b" " * LARGE + b"%d" % number) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return b"\xc1\x7e" + struct.pack(">H", len(data) - 4) + data[:-4]


async def exchange(
    server: Callable[[ServerConnection], Awaitable[None]], client: Callable[..., Awaitable[None]]
) -> None:
    """Run a server and one client of it."""
    async with asyncio.timeout(TIMEOUT_S), serve(server, "127.0.0.1", 0) as running:
        port = next(iter(running.sockets)).getsockname()[1]
        connection = await open_socket(f"ws://127.0.0.1:{port}", None)
        try:
            await client(connection)
        finally:
            connection.transport.abort()


def test_frames_that_inflate_wait_in_the_socket() -> None:
    """Of 60 frames, all in one packet, that inflate to 240 MiB, a few wait as text; all arrive in order."""
    held: list[int] = []
    packet = b"".join(bomb(number) for number in range(60))  # made before: it holds up the loop for seconds

    async def server(connection: ServerConnection) -> None:
        connection.transport.write(packet)
        await connection.wait_closed()

    async def client(connection: object) -> None:
        messages = connection.recv_messages  # type: ignore[attr-defined]
        for number in range(60):
            text = await connection.recv()  # type: ignore[attr-defined]
            held.append(sum(len(frame.data) for frame in messages.frames.queue))
            assert (len(text), int(text)) == (LARGE + len(str(number)), number)

    asyncio.run(exchange(server, client))
    assert max(held) < 24 * MIB


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_or_reordered(seed: int) -> None:
    """Small and large messages in any order and packets, a slow reader and a close at the end."""
    rng = Random(seed)
    sizes = [rng.choice((1, 100, 5_000, 70_000, 2 * MIB)) for _ in range(150)]
    texts = [f"{number} ".ljust(size, rng.choice("ab")) for number, size in enumerate(sizes)]

    async def server(connection: ServerConnection) -> None:
        for text in texts:
            await connection.send(text)
        await connection.close(1001, "the end")

    async def client(connection: object) -> None:
        received = []
        async for text in connection:  # type: ignore[attr-defined]
            received.append(text)
            if rng.random() < 0.1:
                await asyncio.sleep(0.001)
        assert received == texts
        assert connection.close_code == 1001  # type: ignore[attr-defined]

    asyncio.run(exchange(server, client))
