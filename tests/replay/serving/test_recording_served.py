"""Recording what serve sends reproduces the tape: frames byte for byte, closes, summaries."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from recorder.api import record
from recorder.captures.formats import read_capture
from recorder.dataflow.flows import SummaryOutput
from recorder.settings import CaptureForm, ConnectionSettings, RecordSettings
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support.constants import BTC, ETH
from tests.support.recordings import QUICK, summaries
from tests.support.tape_server import (
    client,
    closes_of,
    frames_of,
    prices_of,
    record_served,
    serving,
    subscribe,
    subscribe_advanced,
    until_closed,
)
from tests.support.tapes import Recording, products_of

ENDINGS = [(1006, ""), (1012, "service restart"), (1006, "")]


@pytest.fixture(scope="module", params=["exchange", "advanced"])
def interrupted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return a tape of one product with three connections: one broke, one was closed, one broke."""
    feed: str = request.param
    tape = tmp_path_factory.mktemp("interrupted") / "tape"
    settings = ExchangeSettings(feed=feed, frames=40, drop_after=(30, None, 20))
    enough = summaries(41, connection=1)
    with SyntheticExchange([MarketSettings(BTC, depth=30)], settings) as exchange:

        def close_once(_product: str, batch: pa.RecordBatch) -> None:
            if enough(batch) and batch.column("connection")[-1].as_py() == 1:
                exchange.close_all(1012, "service restart")

        reader = ConnectionSettings(
            feed, exchange.url, trades=False, backoff=QUICK, connections=3, spacing=0.0
        )
        record([BTC], tape, RecordSettings(reader), output=SummaryOutput(None, close_once))
    assert closes_of(tape, BTC) == ENDINGS
    return feed, tape


def test_every_interruption_of_both_dialects(interrupted: tuple[str, Path], tmp_path: Path) -> None:
    """A break is a break and a close has its code and reason; after the last connection comes close 1000."""
    feed, original = interrupted
    with serving(original) as url:
        recorded = record_served(url, tmp_path / "tape", [BTC], feed, connections=4)
    served = tmp_path / "tape"
    assert frames_of(served, BTC) == [*frames_of(original, BTC), []]
    assert closes_of(served, BTC)[:2] == ENDINGS[:2]
    assert closes_of(served, BTC)[2] == (1000, "the end of the tape")
    assert closes_of(served, BTC)[3][0] == 1000
    assert prices_of(served) == prices_of(original)
    assert recorded.tallies[BTC].anomalies == dict.fromkeys(recorded.tallies[BTC].anomalies, 0)


def test_a_loop_begins_again(interrupted: tuple[str, Path], tmp_path: Path) -> None:
    """With --loop the connection after the last is the first."""
    feed, original = interrupted
    with serving(original, loops=True) as url:
        record_served(url, tmp_path / "tape", [BTC], feed, connections=5)
    said = frames_of(original, BTC)
    assert frames_of(tmp_path / "tape", BTC) == [*said, *said[:2]]


def test_both_products_of_a_recording(recording: Recording, tmp_path: Path) -> None:
    """A tape of two products with an interruption each, recorded again through serve, is the same tape."""
    with serving(recording.tape) as url:
        record_served(url, tmp_path / "tape", [BTC, ETH], "exchange", connections=2, trades=True)
    for product in (BTC, ETH):
        assert frames_of(tmp_path / "tape", product) == frames_of(recording.tape, product)
        assert closes_of(tmp_path / "tape", product) == [(1006, ""), (1000, "the end of the tape")]
    assert prices_of(tmp_path / "tape") == prices_of(recording.tape)


@pytest.mark.parametrize("name", ["advanced-2026-08-btc-eth", "exchange-2021-04-ten-products"])
def test_a_capture_of_many_products(name: str, captures: Path, import_capture: Callable[[str], Path]) -> None:
    """A client of all products of a real capture gets exactly its frames, each once and in order."""
    frames = [each.frame for each in read_capture(captures / f"{name}.jsonl.gz", CaptureForm())]
    tape = import_capture(name)
    with serving(tape) as url, client(url) as websocket:
        if name.startswith("advanced"):
            subscribe_advanced(websocket, *products_of(tape))
            subscribe_advanced(websocket, *products_of(tape), channel="market_trades")
        else:
            subscribe(websocket, *products_of(tape), channels=["level2", "heartbeat", "matches"])
        received, end = until_closed(websocket)
    assert received == frames
    assert end == (1000, "the end of the tape")
