"""The end of a WebSocket server: whatever its clients do, and however it ends, no socket stays open."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed

from replay.serving.sockets import listening
from tests.support.constants import TIMEOUT_S
from tests.support.leaks import leaves_nothing_open

HOST: Final = "127.0.0.1"

WithPort = Callable[[int], Awaitable[None]]


async def refuses(port: int) -> bool:
    """Return whether nothing listens on a port."""
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


def port_of(server: Server) -> int:
    """Return the port of a server."""
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port


async def wait(connection: ServerConnection) -> None:
    """Serve a client that never gets anything."""
    await connection.wait_closed()


def test_a_client_that_says_nothing_does_not_hold_up_the_end() -> None:
    """A connection without its opening handshake, for which no time is too long, is broken at the end."""

    async def main() -> None:
        async with asyncio.timeout(TIMEOUT_S):
            async with listening(wait, HOST, 0, open_timeout=None) as server:
                port = port_of(server)
                reader, writer = await asyncio.open_connection(HOST, port)
                async with connect(f"ws://{HOST}:{port}", proxy=None):
                    pass  # the first one has been accepted too
            assert await reader.read() == b""
            writer.close()
            assert await refuses(port)

    with leaves_nothing_open():
        asyncio.run(main())


@pytest.mark.parametrize("times", [1, 2])
def test_an_end_that_is_cancelled_breaks_every_connection(times: int) -> None:
    """A server that is cancelled, and again while its clients are waited for, leaves none of them open."""

    async def deaf(connection: ServerConnection) -> None:
        connection.transport.pause_reading()  # so that its closing handshake takes long
        await asyncio.Event().wait()

    async def main() -> None:
        port: asyncio.Future[Server] = asyncio.get_running_loop().create_future()
        stopped = asyncio.Event()

        async def serve() -> None:
            async with listening(deaf, HOST, 0, close_timeout=TIMEOUT_S) as server:
                port.set_result(server)
                await stopped.wait()

        async with asyncio.timeout(TIMEOUT_S):
            serving = asyncio.create_task(serve())
            server = await port
            number = port_of(server)
            async with connect(f"ws://{HOST}:{number}", proxy=None, close_timeout=0) as client:
                if times == 2:
                    stopped.set()
                    while server.is_serving():  # noqa: ASYNC110  the library has no event for it
                        await asyncio.sleep(0)
                serving.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await serving
                with pytest.raises(ConnectionClosed):
                    await client.recv()
            assert await refuses(number)

    with leaves_nothing_open():
        asyncio.run(main())


def test_a_block_that_fails_closes_the_server() -> None:
    """An error in the block is raised once nothing listens any more."""
    ports: list[int] = []

    async def fail() -> None:
        async with listening(wait, HOST, 0) as server:
            ports.append(port_of(server))
            raise RuntimeError("a defect")

    async def main() -> None:
        with pytest.raises(RuntimeError, match="a defect"):
            await fail()
        assert await refuses(ports[0])

    with leaves_nothing_open():
        asyncio.run(main())
