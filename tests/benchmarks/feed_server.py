"""A WebSocket server with little overhead: it sends prepared frames to one client at an even rate.

`python -m tests.benchmarks.feed_server FRAMES RATE SECONDS` prints its port as a line of JSON. It sends the
first client an acknowledgement, the snapshot in the first line of FRAMES, and then RATE updates a second from
the other lines, for SECONDS at most. Every millisecond it sends the updates that are due. At the end it
prints the times of the monotonic clock at which the first and the last update were due and the last one was
sent.
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

from orderbook.venues.exchange.server import ExchangeServer

HOST: Final = "127.0.0.1"
INTERVAL_S: Final = 0.001
SETTLING_S: Final = 1.0
"""Seconds between the snapshot and the first update."""

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
_ACKNOWLEDGED: Final = {"level2_batch": ["BTC-USD"], "heartbeat": ["BTC-USD"]}


def acknowledgement() -> bytes:
    """Return the first frame, which acknowledges the subscription."""
    return ExchangeServer().subscriptions(_ACKNOWLEDGED, 0).encode()


def encode_frame(text: bytes) -> bytes:
    """Return a text as an unmasked WebSocket frame."""
    size = len(text)
    if size < 126:
        return struct.pack(">BB", 0x81, size) + text
    if size < 2**16:
        return struct.pack(">BBH", 0x81, 126, size) + text
    return struct.pack(">BBQ", 0x81, 127, size) + text


def shake_hands(client: socket.socket) -> bytes:
    """Answer the upgrade request, wait for a subscription and return it."""
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
    return unmasked(client.recv(4096))


def unmasked(frame: bytes) -> bytes:
    """Return the content of the first frame of a client, of less than 64 KiB."""
    size, start = frame[1] & 0x7F, 2
    if size == 126:
        size, start = int.from_bytes(frame[2:4], "big"), 4
    mask, content = frame[start : start + 4], frame[start + 4 : start + 4 + size]
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(content))


def stream(client: socket.socket, updates: list[bytes], rate: float) -> dict[str, float]:
    """Send updates at a rate; return when the first and the last were due and when the last was sent."""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    began = time.monotonic()
    sent = 0
    while sent < len(updates):
        due = min(int((time.monotonic() - began) * rate) + 1, len(updates))
        if due > sent:
            client.sendall(b"".join(updates[sent:due]))
            sent = due
        time.sleep(INTERVAL_S)
    return {"began": began, "due": began + (len(updates) - 1) / rate, "sent": time.monotonic()}


def main(frames: Path, rate: float, seconds: float) -> None:
    """Serve the first client, until stdin is closed."""
    snapshot, *updates = map(encode_frame, frames.read_bytes().splitlines())
    del updates[max(int(rate * seconds), 1) :]
    with socket.create_server((HOST, 0)) as server:
        _print({"port": server.getsockname()[1]})
        client, _ = server.accept()
        with client:
            shake_hands(client)
            client.sendall(encode_frame(acknowledgement()) + snapshot)
            time.sleep(SETTLING_S)
            _print({"updates": len(updates)})
            _print(stream(client, updates, rate))
            sys.stdin.read()


def _print(document: dict[str, float]) -> None:
    sys.stdout.write(f"{json.dumps(document)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
