"""A WebSocket server that costs next to nothing: one client, frames made before, sent at an even pace.

`python -m tests.benchmarks.feed_server FRAMES RATE SECONDS` prints its port as a line of JSON; serves the
first client the lines of FRAMES, the snapshot at once after an acknowledgement and then RATE updates a second
while there are any and SECONDS last; prints when, on the monotonic clock, the first and the last were due and
the last was sent. It sends every millisecond what is due by then.
"""

import json
import socket
import struct
import sys
import time
from base64 import b64encode
from hashlib import sha1
from pathlib import Path
from typing import Final

from replay.synthetic.dialects import ExchangeDialect

HOST: Final = "127.0.0.1"
BEAT_S: Final = 0.001
SETTLING_S: Final = 1.0
"""Between the snapshot and the first update."""

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
_ACKNOWLEDGED: Final = {"level2_batch": ["BTC-USD"], "heartbeat": ["BTC-USD"]}


def acknowledgement() -> bytes:
    """Return the first frame that is sent."""
    return ExchangeDialect().subscriptions(_ACKNOWLEDGED, 0).encode()


def on_the_wire(text: bytes) -> bytes:
    """Return a text frame as a server sends it, unmasked."""
    size = len(text)
    if size < 126:
        return struct.pack(">BB", 0x81, size) + text
    if size < 2**16:
        return struct.pack(">BBH", 0x81, 126, size) + text
    return struct.pack(">BBQ", 0x81, 127, size) + text


def shake_hands(client: socket.socket) -> None:
    """Answer the upgrade request and wait for the subscription, which is not looked at."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += client.recv(4096)
    (key,) = (
        line.partition(b":")[2].strip()
        for line in request.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key:")
    )
    accepted = b64encode(sha1(key + _GUID).digest())  # noqa: S324  the protocol's
    client.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accepted + b"\r\n\r\n"
    )
    client.recv(4096)


def stream(client: socket.socket, updates: list[bytes], rate: float) -> dict[str, float]:
    """Send updates at a rate; return when the first and last were due and the last was sent."""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    began = time.monotonic()
    sent = 0
    while sent < len(updates):
        due = min(int((time.monotonic() - began) * rate) + 1, len(updates))
        if due > sent:
            client.sendall(b"".join(updates[sent:due]))
            sent = due
        time.sleep(BEAT_S)
    return {"began": began, "due": began + (len(updates) - 1) / rate, "sent": time.monotonic()}


def main(frames: Path, rate: float, seconds: float) -> None:
    """Serve the first client; end when stdin does."""
    snapshot, *updates = map(on_the_wire, frames.read_bytes().splitlines())
    del updates[max(int(rate * seconds), 1) :]
    with socket.create_server((HOST, 0)) as server:
        _tell({"port": server.getsockname()[1]})
        client, _ = server.accept()
        with client:
            shake_hands(client)
            client.sendall(on_the_wire(acknowledgement()) + snapshot)
            time.sleep(SETTLING_S)
            _tell({"updates": len(updates)})
            _tell(stream(client, updates, rate))
            sys.stdin.read()


def _tell(document: dict[str, float]) -> None:
    sys.stdout.write(f"{json.dumps(document)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
