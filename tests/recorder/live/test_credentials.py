"""API keys: read from the environment, used for the signature, and visible nowhere."""

import base64
import binascii
import hashlib
import hmac
import json
import logging
import pickle
import signal
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

from recorder.live.credentials import Credentials, credentials_for
from recorder.live.endpoint import FeedError, endpoint
from recorder.settings import ConnectionSettings
from tests.support.commands import booktape, clean_environment
from tests.support.constants import BTC, TIMEOUT_S
from tests.support.recordings import QUICK, record_here, summaries
from tests.support.rows import read_rows
from tests.support.scripted_server import ScriptedServer, book, failing, frames_on, refusing, restart

NAMES: Final = ("COINBASE_API_KEY", "COINBASE_API_SECRET", "COINBASE_API_PASSPHRASE")
SECRET: Final = b"canary-secret-0123456789-0123456789"
KEY: Final = dict(zip(NAMES, ("canary-key", base64.b64encode(SECRET).decode(), "canary-phrase"), strict=True))
CANARIES: Final = ("canary", KEY[NAMES[1]], KEY[NAMES[1]][:12], SECRET.hex(), str(list(SECRET))[1:-1])


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a process without a key, with changes."""
    return {name: value for name, value in clean_environment().items() if name not in NAMES} | changes


serve_book = failing(restart)


def assert_clean(where: str, text: str | bytes, *more: str) -> None:
    """Check that a text has none of the canaries."""
    data = text.encode() if isinstance(text, str) else text
    for canary in (*CANARIES, *more):
        assert canary.encode() not in data, where


def assert_clean_files(directory: Path, *more: str) -> None:
    """Check that no file below a directory has a canary, in its name, content or frames."""
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
    """The signature is over timestamp and request with the decoded secret; other fields are unchanged."""
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
    settings = ConnectionSettings("exchange", channel="level2", credentials=credentials)
    for shown in (credentials, settings, [credentials], {"a": settings}):
        assert_clean("text", f"{shown}{shown!r}{shown!s}{shown!a}")


@pytest.mark.parametrize("missing", [NAMES, NAMES[:1], NAMES[1:], NAMES[2:]], ids=len)
@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_missing_variables_are_named(missing: tuple[str, ...], value: str | None) -> None:
    """A variable that is unset or empty is named; the others are not, and no value is shown."""
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
def test_a_secret_that_is_not_base64(secret: str) -> None:
    """A secret that is not base64 or not ASCII is an error of one line without the secret."""
    with pytest.raises(FeedError) as refused:
        Credentials.from_environment({**KEY, NAMES[1]: secret})
    assert "COINBASE_API_SECRET is not base64" in str(refused.value)
    assert_clean("error", str(refused.value), secret.encode(errors="replace").decode(), "secret!", "Y2Fu")


def test_public_channels_take_no_key() -> None:
    """The environment is not read for a public channel."""
    for feed, channel in (("exchange", None), ("exchange", "level2_50"), ("advanced", None)):
        assert credentials_for(endpoint(feed, None, channel), {NAMES[1]: "no base64"}) is None
    assert credentials_for(endpoint("exchange", channel="level2"), KEY) is not None


# A recording with a key


@pytest.mark.parametrize("command", ["record", "live"])
def test_a_channel_that_needs_a_key_without_one(tmp_path: Path, command: str) -> None:
    """Without a key `--channel level2` exits 1 with a line that names the variables; nothing is made."""
    output = ["-o", tmp_path / "tape"] if command == "record" else []
    done = booktape(command, BTC, *output, "--channel", "level2", env=environment())
    assert (done.returncode, done.stdout) == (1, "")
    *_, line = done.stderr.splitlines()  # `live` says first what it waits for
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

    with ScriptedServer(serve_and_tell) as peer:
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
                assert second.wait(TIMEOUT_S)
                assert_clean("ps", Path(f"/proc/{process.pid}/cmdline").read_bytes())
                process.send_signal(signal.SIGTERM)
                stdout, stderr = process.communicate(timeout=TIMEOUT_S)
            finally:
                process.kill()
        said = peer.received
    assert process.returncode == 0, stderr
    signatures = []
    for message in (each for connection in said for each in connection):
        signed = json.loads(message)
        signatures.append(signed["signature"])
        text = f"{signed['timestamp']}GET/users/self/verify".encode()
        expected = base64.b64encode(hmac.new(SECRET, text, hashlib.sha256).digest()).decode()
        assert signed["signature"] == expected
        assert (signed["key"], signed["passphrase"]) == (KEY[NAMES[0]], KEY[NAMES[2]])
        assert signed["channels"] in (["level2", "heartbeat"], ["matches"])
    assert len(signatures) >= 2  # one a connection; the peer may not read on
    assert_clean_files(tmp_path, *signatures)
    assert_clean("stdout", stdout, *signatures)
    assert_clean("stderr", stderr, *signatures)
    asked = [json.loads(row.payload)["subscribe"] for row in read_rows(tape) if row.kind == "connected"]
    assert len(asked) == 2
    channels = [[json.loads(message)["channels"] for message in messages] for messages in asked]
    assert channels == [[["level2", "heartbeat"], ["matches"]]] * 2


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
        logging.getLogger(name) for name in (*names, *logging.root.manager.loggerDict, "recorder.live.client")
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
    with every_log_line() as lines, ScriptedServer(serve_book) as peer:
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
    with ScriptedServer(refusing(error)) as peer:
        options = ("-o", tape, "--channel", "level2", "--url", peer.url)
        done = booktape("record", BTC, *options, env=environment(**KEY))
    assert (done.returncode, done.stdout) == (1, "")
    assert "Authentication Failed: invalid signature" in done.stderr
    assert_clean("stderr", done.stderr)
    assert_clean_files(tmp_path)
    assert frames_on(read_rows(tape), 0) == [error]


def test_a_key_that_the_exchange_repeats_is_not_kept(tmp_path: Path) -> None:
    """However the exchange spells key, passphrase and signature, the tape says that they were removed."""
    sent: list[str] = []

    async def repeat(number: int, connection: ServerConnection) -> None:
        signed = json.loads(peer.received[number][0])
        odd = json.dumps({"type": "echo", "signed": signed, "all": f"{signed}"})
        hidden = "".join(f"\\u{ord(each):04x}" for each in signed["key"])
        sent.extend(
            [odd, odd.replace("/", "\\/"), f'{{"type":"echo","key":"{hidden}"}}', f"text {signed['key']}."]
        )
        for text in (*book(number), *sent[-4:]):
            await connection.send(text)
        if number == 0:
            await connection.close(1008, f"bad {signed['key']} {signed['signature']}")
        await connection.wait_closed()

    tape = tmp_path / "tape"
    with every_log_line() as lines, ScriptedServer(repeat) as peer:
        credentials = Credentials.from_environment(KEY)
        record_here(peer.url, tape, {BTC: summaries(3, 1)}, credentials=credentials, backoff=QUICK)
    rows = read_rows(tape)
    assert_clean_files(tmp_path, *(json.loads(text)["signed"]["signature"] for text in sent[::4]))
    assert_clean("logs", "\n".join(lines))
    echoes = [row.payload for row in rows if "echo" in row.payload or row.payload.startswith("text")]
    assert len(echoes) >= 4
    assert all("[removed by booktape]" in text for text in echoes)
    assert json.loads(echoes[0])["signed"]["type"] == "subscribe"
    ended = [row.payload for row in rows if row.kind == "disconnected"]
    assert ended[0] == '{"code":1008,"reason":"bad [removed by booktape] [removed by booktape]"}'


def test_each_connection_is_signed_again(tmp_path: Path) -> None:
    """Each connection's subscribe carries a signature over its own timestamp."""
    with ScriptedServer(failing(restart, times=3)) as peer:
        credentials = Credentials.from_environment(KEY)
        record_here(
            peer.url, tmp_path / "tape", {BTC: summaries(3, 3)}, credentials=credentials, backoff=QUICK
        )
        said = [json.loads(message) for (message,) in peer.received]
    for signed in said:
        text = f"{signed['timestamp']}GET/users/self/verify".encode()
        assert base64.b64decode(signed["signature"]) == hmac.new(SECRET, text, hashlib.sha256).digest()
    assert len({each["timestamp"] for each in said}) == 4


def test_credentials_are_not_pickled() -> None:
    """A secret does not travel to another process, nor into a recovery store."""
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Credentials.from_environment(KEY))
