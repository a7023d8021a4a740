"""Recording what serve sends gives the same tape again: frames byte for byte, endings, summaries."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from orderbook.feeds import Feed
from recorder.captures import read_capture
from recorder.feeds import endpoint
from recorder.flows import Show
from recorder.reader import ReaderSettings
from recorder.record import record
from replay.synthetic.exchange import ExchangeSettings, SyntheticExchange
from replay.synthetic.market import MarketSettings
from tests.recorder.processes import QUICK, summaries
from tests.replay.serving.served import (
    client,
    endings_of,
    frames_of,
    prices_of,
    record_served,
    serving,
    subscribe,
    subscribe_advanced,
    until_closed,
)
from tests.replay.tapes import Recording, products_of

BTC, ETH = "BTC-USD", "ETH-USD"


ENDINGS = [(1006, ""), (1012, "service restart"), (1006, "")]


@pytest.fixture(scope="module", params=["exchange", "advanced"])
def interrupted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Feed, Path]:
    """Return a tape of one product with three connections: one broke, one was closed, one broke."""
    feed: Feed = request.param
    tape = tmp_path_factory.mktemp("interrupted") / "tape"
    settings = ExchangeSettings(feed=feed, frames=40, drop_after=(30, None, 20))
    enough = summaries(41, connection=1)
    with SyntheticExchange([MarketSettings(BTC, depth=30)], settings) as exchange:

        def close_once(_product: str, batch: pa.RecordBatch) -> None:
            if enough(batch) and batch.column("connection")[-1].as_py() == 1:
                exchange.close_all(1012, "service restart")

        reader = ReaderSettings(endpoint(feed, exchange.url), QUICK, connections=3, spacing=0.0)
        record([BTC], tape, reader, show=Show(None, close_once))
    assert endings_of(tape, BTC) == ENDINGS
    return feed, tape


def test_every_interruption_of_both_dialects(interrupted: tuple[Feed, Path], tmp_path: Path) -> None:
    """A break is a break and a close has its code and reason; after the last connection comes close 1000."""
    feed, original = interrupted
    with serving(original) as url:
        recorded = record_served(url, tmp_path / "tape", [BTC], feed, connections=4)
    served = tmp_path / "tape"
    assert frames_of(served, BTC) == [*frames_of(original, BTC), []]
    assert endings_of(served, BTC)[:2] == ENDINGS[:2]
    assert endings_of(served, BTC)[2] == (1000, "the end of the tape")
    assert endings_of(served, BTC)[3][0] == 1000
    assert prices_of(served) == prices_of(original)
    assert recorded.tallies[BTC].anomalies == dict.fromkeys(recorded.tallies[BTC].anomalies, 0)


def test_a_loop_begins_again(interrupted: tuple[Feed, Path], tmp_path: Path) -> None:
    """With --loop the connection after the last is the first."""
    feed, original = interrupted
    with serving(original, loops=True) as url:
        record_served(url, tmp_path / "tape", [BTC], feed, connections=5)
    said = frames_of(original, BTC)
    assert frames_of(tmp_path / "tape", BTC) == [*said, *said[:2]]


def test_both_products_of_a_recording(recording: Recording, tmp_path: Path) -> None:
    """A tape of two products with an interruption each, recorded again through serve, is the same tape."""
    with serving(recording.tape) as url:
        record_served(url, tmp_path / "tape", [BTC, ETH], "exchange", connections=2)
    for product in (BTC, ETH):
        assert frames_of(tmp_path / "tape", product) == frames_of(recording.tape, product)
        assert endings_of(tmp_path / "tape", product) == [(1006, ""), (1000, "the end of the tape")]
    assert prices_of(tmp_path / "tape") == prices_of(recording.tape)


@pytest.mark.parametrize("name", ["advanced-2026-08-btc-eth", "exchange-2021-04-ten-products"])
def test_a_capture_of_many_products(name: str, captures: Path, import_capture: Callable[[str], Path]) -> None:
    """A client of all products of a real capture gets its very frames: none twice, none less, in order."""
    frames = [text for _, text in read_capture(captures / f"{name}.jsonl.gz", "jsonl")]
    tape = import_capture(name)
    with serving(tape) as url, client(url) as websocket:
        if name.startswith("advanced"):
            subscribe_advanced(websocket, *products_of(tape))
        else:
            subscribe(websocket, *products_of(tape), channels=["level2", "heartbeat"])
        received, end = until_closed(websocket)
    assert received == frames
    assert end == (1000, "the end of the tape")
