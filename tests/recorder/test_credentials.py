"""Keys: taken from the environment, signed as the exchange wants it, and seen nowhere else."""

import base64
import binascii
import hashlib
import hmac
import json
import logging
import pickle
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection

from recorder.credentials import Credentials, credentials_for
from recorder.feeds import FeedError, endpoint
from recorder.reader import ReaderSettings
from tests.recorder.processes import QUICK, end, record_here, running_booktape, summaries
from tests.recorder.rows import BTC, read_rows
from tests.recorder.test_continuity import Peer, book, refusing, texts
from tests.replay.tapes import TIMEOUT_S, booktape, clean_environment

NAMES: Final = ("COINBASE_API_KEY", "COINBASE_API_SECRET", "COINBASE_API_PASSPHRASE")
SECRET: Final = b"canary-secret-0123456789-0123456789"
KEY: Final = dict(zip(NAMES, ("canary-key", base64.b64encode(SECRET).decode(), "canary-phrase"), strict=True))
CANARIES: Final = ("canary", KEY[NAMES[1]], KEY[NAMES[1]][:12], SECRET.hex(), str(list(SECRET))[1:-1])


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a process without a key, with changes."""
    return {name: value for name, value in clean_environment().items() if name not in NAMES} | changes


async def serve_book(number: int, connection: ServerConnection) -> None:
    """Serve a book on every connection and end the first."""
    for text in book(number):
        await connection.send(text)
    if number == 0:
        await connection.close(1012, "service restart")
    await connection.wait_closed()


def assert_clean(where: str, text: str | bytes, *more: str) -> None:
    """Insist that a text holds none of the canaries."""
    data = text.encode() if isinstance(text, str) else text
    for canary in (*CANARIES, *more):
        assert canary.encode() not in data, where


def assert_clean_files(directory: Path, *more: str) -> None:
    """Insist that no file below a directory holds a canary, names included, nor any frame on the tape."""
    for path in directory.rglob("*"):
        assert_clean(str(path), str(path))
        if path.is_file():
            assert_clean(str(path), path.read_bytes(), *more)
    for tape in directory.glob("tape*"):
        for row in read_rows(tape):
            assert_clean(f"row {row.seq}", row.payload, *more)


# The key itself


@given(st.binary(min_size=1, max_size=80), st.floats(0, 4e9), st.text(min_size=1).filter(str.isprintable))
def test_the_signature_is_the_exchanges(secret: bytes, time_s: float, key: str) -> None:
    """A message is signed over timestamp and request with the decoded secret, and else stays as it is."""
    values = (key, base64.b64encode(secret).decode(), "phrase")
    credentials = Credentials.from_environment(dict(zip(NAMES, values, strict=True)))
    message = {"type": "subscribe", "product_ids": [BTC], "channels": ["level2"]}
    signed = json.loads(credentials.sign(json.dumps(message), time_s))
    assert {name: signed[name] for name in message} == message
    assert (signed["key"], signed["passphrase"]) == (key, "phrase")
    assert abs(float(signed["timestamp"]) - time_s) <= 0.001
    text = f"{signed['timestamp']}GET/users/self/verify".encode()
    assert binascii.a2b_base64(signed["signature"]) == hmac.new(secret, text, hashlib.sha256).digest()
    assert signed.keys() == message.keys() | {"key", "passphrase", "timestamp", "signature"}


def test_no_text_form_shows_a_key() -> None:
    """Neither the credentials nor the settings that hold them have a text form with a key in it."""
    credentials = Credentials.from_environment(KEY)
    settings = ReaderSettings(endpoint("exchange", channel="level2"), credentials=credentials)
    for shown in (credentials, settings, [credentials], {"a": settings}):
        assert_clean("text", f"{shown}{shown!r}{shown!s}{shown!a}")


@pytest.mark.parametrize("missing", [NAMES, NAMES[:1], NAMES[1:], NAMES[2:]], ids=len)
@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_missing_variables_are_named(missing: tuple[str, ...], value: str | None) -> None:
    """An unset or empty variable is named, those that are set are not, and no value is shown."""
    given_ = {**KEY, **dict.fromkeys(missing, value or "")}
    chosen = {name: held for name, held in given_.items() if held or value is not None}
    with pytest.raises(FeedError) as refused:
        Credentials.from_environment(chosen)
    assert [name for name in NAMES if name in str(refused.value)] == list(missing)
    assert_clean("error", str(refused.value))


BAD_SECRETS: Final = [
    "canary-secret!",
    "Y2FuYXJ5LXNlY3JldA",
    "canary é",
    "canary \udcff",
    "canary==\n",
]


@pytest.mark.parametrize("secret", BAD_SECRETS, ids=range(len(BAD_SECRETS)))
def test_a_secret_that_is_no_base64(secret: str) -> None:
    """A secret that is no base64, or no ASCII, is told in one line that does not hold it."""
    with pytest.raises(FeedError) as refused:
        Credentials.from_environment({**KEY, NAMES[1]: secret})
    assert "COINBASE_API_SECRET is not base64" in str(refused.value)
    assert_clean("error", str(refused.value), secret.encode(errors="replace").decode(), "secret!", "Y2Fu")


def test_public_channels_take_no_key() -> None:
    """A key in the environment is not even read for a channel that needs none."""
    for feed, channel in (("exchange", None), ("exchange", "level2_50"), ("advanced", None)):
        assert credentials_for(endpoint(feed, None, channel), {NAMES[1]: "no base64"}) is None  # type: ignore[arg-type]
    assert credentials_for(endpoint("exchange", channel="level2"), KEY) is not None


# A recording with a key


@pytest.mark.parametrize("command", ["record", "live"])
def test_a_channel_that_needs_a_key_without_one(tmp_path: Path, command: str) -> None:
    """Without a key `--channel level2` exits 1 with one line that names the variables; nothing is made."""
    output = ["-o", tmp_path / "tape"] if command == "record" else []
    done = booktape(command, BTC, *output, "--channel", "level2", env=environment())
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert all(name in line for name in NAMES)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("secret", ["canary-secret!", "canary é"], ids=["no base64", "no ASCII"])
def test_a_bad_secret_ends_with_one_line(tmp_path: Path, secret: str) -> None:
    """A secret that is no base64 exits 1 with one clear line without it."""
    env = environment(**{**KEY, NAMES[1]: secret})
    done = booktape("record", BTC, "-o", tmp_path / "tape", "--channel", "level2", env=env)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert_clean("stderr", line, secret)
    assert "unexpected" not in line
    assert "COINBASE_API_SECRET" in line


def test_a_key_is_sent_and_nowhere_to_be_seen(tmp_path: Path) -> None:
    """The subscribe is signed right; tape, output, JSON log and /proc hold nothing of the key."""
    tape = tmp_path / "tape"
    command = ["booktape", "record", BTC, "-o", tape, "--channel", "level2", "--log-json", "--json"]
    env = environment(**KEY, BOOKTAPE_TRACEBACK="1", PYTHONASYNCIODEBUG="1")
    second = threading.Event()

    async def serve_and_tell(number: int, connection: ServerConnection) -> None:
        if number:
            second.set()
        await serve_book(number, connection)

    with Peer(serve_and_tell) as peer:
        with subprocess.Popen(
            [
                *(sys.executable, "-X", "dev", "-W", "ignore", "-m", *map(str, command)),
                *("--url", peer.url, "--log-every", "50ms"),
            ],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert second.wait(30)
                assert_clean("ps", Path(f"/proc/{process.pid}/cmdline").read_bytes())
                process.send_signal(signal.SIGTERM)
                stdout, stderr = process.communicate(timeout=TIMEOUT_S)
            finally:
                process.kill()
        said = peer.received
    assert process.returncode == 0, stderr
    signatures = []
    for (message,) in said:
        signed = json.loads(message)
        signatures.append(signed["signature"])
        text = f"{signed['timestamp']}GET/users/self/verify".encode()
        expected = base64.b64encode(hmac.new(SECRET, text, hashlib.sha256).digest()).decode()
        assert signed["signature"] == expected
        assert (signed["key"], signed["passphrase"]) == (KEY[NAMES[0]], KEY[NAMES[2]])
        assert signed["channels"] == ["level2", "heartbeat"]
    assert len(signatures) == 2
    assert_clean_files(tmp_path, *signatures)
    assert_clean("stdout", stdout, *signatures)
    assert_clean("stderr", stderr, *signatures)
    asked = [json.loads(row.payload)["subscribe"] for row in read_rows(tape) if row.kind == "connected"]
    assert len(asked) == 2
    assert all(json.loads(one)["channels"] == ["level2", "heartbeat"] for (one,) in asked)


@contextmanager
def every_log_line() -> Iterator[list[str]]:
    """Collect what any logger says at DEBUG while the block runs."""
    lines: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{self.format(record)} {record.__dict__}")

    handler = Collect(logging.DEBUG)
    names = ["", "websockets", "websockets.client", "websockets.server", "asyncio", "recorder", "replay"]
    loggers = [
        logging.getLogger(name) for name in (*names, *logging.root.manager.loggerDict, "recorder.reader")
    ]
    before = [(each, each.level, each.propagate, each.handlers[:]) for each in loggers]
    for each in loggers:
        each.setLevel(logging.DEBUG)
        each.propagate = True
    logging.root.addHandler(handler)
    try:
        yield lines
    finally:
        logging.root.removeHandler(handler)
        for each, level, propagate, handlers in before:
            each.setLevel(level)
            each.propagate = propagate
            each.handlers = handlers


def test_debug_logs_hold_no_key(tmp_path: Path) -> None:
    """With every logger at DEBUG nothing that is logged holds key, secret, passphrase or signature."""
    with every_log_line() as lines, Peer(serve_book) as peer:
        logging.getLogger("websockets.client").debug("proof that DEBUG lines come here")
        record_here(
            peer.url, tmp_path / "tape", {BTC: summaries(3, 1)}, credentials=Credentials.from_environment(KEY)
        )
        signatures = [json.loads(message)["signature"] for (message,) in peer.received]
    assert len(signatures) == 2
    assert any("proof" in line for line in lines)
    assert any("service restart" in line for line in lines)
    assert_clean("logs", "\n".join(lines), *signatures, "signature")
    assert_clean_files(tmp_path, *signatures)


def test_an_error_of_the_exchange_holds_no_key(tmp_path: Path) -> None:
    """A key that the exchange refuses ends with its reason, without the key."""
    error = json.dumps({"type": "error", "message": "Authentication Failed", "reason": "invalid signature"})

    tape = tmp_path / "tape"
    with Peer(refusing(error)) as peer:
        options = ("-o", tape, "--channel", "level2", "--url", peer.url)
        done = booktape("record", BTC, *options, env=environment(**KEY))
    assert (done.returncode, done.stdout) == (1, "")
    assert "Authentication Failed: invalid signature" in done.stderr
    assert_clean("stderr", done.stderr)
    assert_clean_files(tmp_path)
    assert texts(read_rows(tape), 0) == [error]


# Where a key may go


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
            assert asked_again.wait(30)
            end(process)
    assert caught == []


def test_no_proxy_sees_an_unencrypted_feed(tmp_path: Path) -> None:
    """A ws:// feed of this machine is reached directly: a proxy elsewhere would read the key."""
    reached = threading.Event()
    caught: list[bytes] = []

    async def tell(number: int, connection: ServerConnection) -> None:
        reached.set()
        await serve_book(number + 1, connection)

    with socket.create_server(("127.0.0.1", 0)) as proxy, Peer(tell) as peer:

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
            assert reached.wait(30)
            end(process)
    assert caught == []
    assert len(peer.received) == 1


@pytest.mark.parametrize(
    "url", ["wss://canary-user:canary-word@example.com", "ws://canary@127.0.0.1:1", "wss://:canary@[::1]"]
)
def test_a_password_in_the_address_is_refused(tmp_path: Path, url: str) -> None:
    """An address with a user or a password is wrong usage, and is not repeated."""
    done = booktape("record", BTC, "-o", tmp_path / "tape", "--url", url, env=environment())
    assert (done.returncode, done.stdout) == (2, "")
    assert "--url" in done.stderr
    assert_clean("stderr", done.stderr)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "url",
    [
        "ws://ws-feed.exchange.coinbase.com",
        "ws://10.0.0.1",
        "ws://0.0.0.0:1",
        "ws://127.0.0.1.nip.io",
        "ws://localhost.example.com",
        "WS://example.com",
        "ws://[::ffff:10.0.0.1]:1",
    ],
)
def test_an_unencrypted_feed_of_elsewhere_is_refused(url: str) -> None:
    """ws:// is taken from this machine only, however the address is spelled."""
    with pytest.raises(FeedError):
        endpoint("exchange", url)


@pytest.mark.parametrize("command", ["record", "live"])
def test_no_option_switches_certificates_off(command: str) -> None:
    """No option of the command line has to do with certificates."""
    help_text = booktape(command, "--help").stdout.lower()
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
    """A certificate that nobody vouches for is refused and tried again, without a row."""
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
    with Peer(serve_on, tls=context) as peer:
        options = ("-o", tape, "--channel", "level2", "--url", peer.url)
        with running_booktape("record", BTC, *options, env=env) as process:
            assert process.stderr is not None
            if trusted:
                assert served.wait(30)
            else:
                lines = [process.stderr.readline() for _ in range(2)]
                assert all("CERTIFICATE_VERIFY_FAILED" in line for line in lines)
                assert all("connecting again" in line for line in lines)
            end(process)
        assert len(peer.received) == trusted
    assert bool(read_rows(tape)) == trusted


def test_a_key_with_quick_reconnects_is_signed_anew(tmp_path: Path) -> None:
    """Each connection's subscribe carries a signature over its own timestamp."""

    async def drop(number: int, connection: ServerConnection) -> None:
        for text in book(number):
            await connection.send(text)
        if number < 3:
            await connection.close(1012, "again")
        await connection.wait_closed()

    with Peer(drop) as peer:
        credentials = Credentials.from_environment(KEY)
        record_here(
            peer.url, tmp_path / "tape", {BTC: summaries(3, 3)}, credentials=credentials, backoff=QUICK
        )
        said = [json.loads(message) for (message,) in peer.received]
    for signed in said:
        text = f"{signed['timestamp']}GET/users/self/verify".encode()
        assert base64.b64decode(signed["signature"]) == hmac.new(SECRET, text, hashlib.sha256).digest()
    assert len({each["timestamp"] for each in said}) == 4


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "foo://example.com"])
def test_a_proxy_that_cannot_be_used_is_told(tmp_path: Path, proxy: str) -> None:
    """Where the environment names a proxy of a kind that is not supported, one clear line says so."""
    options = ("-o", tmp_path / "tape", "--url", "wss://127.0.0.1:9", "--duration", "300ms")
    done = booktape("record", BTC, *options, env=environment(https_proxy=proxy, no_proxy=""))
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr
    assert "proxy" in done.stderr.lower()


def test_credentials_are_not_pickled() -> None:
    """A secret does not travel to another process, nor into a recovery store."""
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Credentials.from_environment(KEY))
