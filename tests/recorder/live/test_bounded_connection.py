"""What waits in a connection is bounded in bytes, and everything arrives once and in order."""

import asyncio
import struct
import zlib
from collections.abc import Awaitable, Callable
from random import Random

import pytest
from websockets.asyncio.server import ServerConnection, serve

from recorder.live.connect import open_socket
from tests.support.constants import TIMEOUT_S

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

    async def server(connection: ServerConnection) -> None:
        connection.transport.write(b"".join(bomb(number) for number in range(60)))
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
