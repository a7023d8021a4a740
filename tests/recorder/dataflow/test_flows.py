"""`recorder.flow`: the streams of a live feed behind which a user puts operators."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pyarrow as pa
import pytest
from bytewax.testing import run_main
from websockets.asyncio.server import ServerConnection

import recorder
from recorder.live.endpoint import FeedError
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support.commands import clean_environment, free_ports, python
from tests.support.constants import BTC, ETH, ROOT, TIMEOUT_S
from tests.support.scripted_server import ScriptedServer, book
from tests.support.tapes import update

MARKETS = [
    MarketSettings(BTC, depth=20, thin_every=50),
    MarketSettings(ETH, mid="1800.00", tick="0.01", depth=20, thin_every=50),
]


def test_summaries_of_a_live_feed() -> None:
    """A flow carries a summary for every frame of the book; nothing is opened before it runs."""
    settings = ExchangeSettings(rate=3000.0, frames=400, drop_after=(400, 400), heartbeats=False)
    found: dict[str, list[pa.RecordBatch]] = {}
    with SyntheticExchange(MARKETS, settings) as exchange:
        streams = recorder.flow([BTC, ETH, BTC], url=exchange.url, connections=1)
        streams.into("take", streams.summaries(), lambda *item: found.setdefault(item[0], []).append(item[1]))
        assert not exchange.connections
        run_main(streams.flow)  # type: ignore[no-untyped-call]  # bytewax types it in a comment
        assert len(exchange.connections) == 2
    for product in (BTC, ETH):
        assert pa.Table.from_batches(found[product]).num_rows == 401


@pytest.mark.parametrize("workers", [1, 2])
def test_a_malformed_frame_is_an_interruption(workers: int) -> None:
    """A flow fetches a new snapshot, too, when its book has missed a frame; with balanced keys as well."""

    async def script(number: int, connection: ServerConnection) -> None:
        for text in book(number):
            await connection.send(text)
        await connection.send(update(BTC, ("buy", "98", "0.-1")))
        await connection.wait_closed()

    with ScriptedServer(script) as peer:
        streams = recorder.flow([BTC], url=peer.url, connections=2, workers=workers)
        streams.into("take", streams.summaries(), lambda *_: None)
        run_main(streams.flow)  # type: ignore[no-untyped-call]  # bytewax types it in a comment
        assert len(peer.received) == 2


REFUSED = """
import sys, recorder
from bytewax.testing import run_main
streams = recorder.flow(["NO-SUCH"], url=sys.argv[1])
streams.into("take", streams.summaries(), print)
run_main(streams.flow)
print("ended")
"""


def test_a_refusal_ends_the_flow() -> None:
    """An unknown product fails the flow; otherwise it would end as if nothing was wrong."""
    with SyntheticExchange(MARKETS[:1]) as exchange:
        done = python(REFUSED, exchange.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "recorder.live.endpoint.FeedError: NO-SUCH: " in done.stderr


def test_an_invalid_address() -> None:
    """An invalid address is an error before the flow runs."""
    with pytest.raises(FeedError, match="http"):
        recorder.flow([BTC], url="http://127.0.0.1")


@contextmanager
def running_example(url: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the README's live example while the block runs; it is killed if it is still running after."""
    command = [sys.executable, "-m", "bytewax.run", "booktape.examples.wide_spreads:live", *options]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**clean_environment(), "FEED_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_the_live_example() -> None:
    """The example prints wide spreads as they happen; processes share the connections; Ctrl-C ends them."""
    processes = 2
    addresses = ";".join(f"127.0.0.1:{port}" for port in free_ports(processes))
    with SyntheticExchange(MARKETS, ExchangeSettings(rate=500.0)) as exchange, ExitStack() as stack:
        running = [
            stack.enter_context(running_example(exchange.url, "-i", str(number), "-a", addresses))
            for number in range(processes)
        ]
        seen = set()
        for process in running:
            assert process.stdout is not None
            # While a process waits for another, bytewax says so on stdout.
            line = next(line for line in process.stdout if line.startswith((BTC, ETH)))
            seen.add(line.split()[0])
            assert float(line.split()[-2]) > 20
        assert len(seen) == processes
        assert len(exchange.connections) == 2
        for process in running:
            process.send_signal(signal.SIGINT)
        for process in running:
            process.communicate(timeout=TIMEOUT_S)
            assert process.returncode != os.EX_OK
