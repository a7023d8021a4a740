"""A venue is one value: a new one is recorded, imported, verified, replayed and served."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orderbook.engine import Engine, PlainEngine
from orderbook.venues import registry
from recorder.live.endpoint import FeedError
from recorder.tape.reader import Tape
from replay.checking.verify import verify
from replay.running import api as running
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support import toy_venue
from tests.support.constants import BTC, MS
from tests.support.engines import COMPILED
from tests.support.recordings import record_here, summaries
from tests.support.rows import read_rows
from tests.support.tape_server import client, frames_of, record_served, serving, until_closed
from tests.support.tapes import import_frames, products_of

MARKETS = [MarketSettings(BTC, depth=20), MarketSettings("ETH-USD", depth=20, seed=1)]


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the toy venue where its folder and its line in the registry would put it."""
    names = (*registry.VENUE_NAMES, "toy")
    for module in ("orderbook.venues.registry", "recorder.tape.format.manifest"):
        monkeypatch.setattr(f"{module}.VENUE_NAMES", names)
    monkeypatch.setitem(sys.modules, "orderbook.venues.toy", toy_venue)
    yield
    registry.venue.cache_clear()


def verdicts(tape: Path) -> dict[str, list[str]]:
    """Return the verdict of each connection, by product."""
    found = verify(tape, PlainEngine())
    assert not found.damage
    return {product: [each.verdict for each in judged] for product, judged in found.verdicts.items()}


def test_recorded_and_served(tmp_path: Path) -> None:
    """A recording with an interruption is verified, and the served tape sends the same frames."""
    settings = ExchangeSettings("toy", frames=20, drop_after=(10,), heartbeats=False)
    with SyntheticExchange(MARKETS[:1], settings) as exchange:
        record_here(exchange.url, tmp_path / "tape", {BTC: summaries(21, connection=1)}, feed="toy")
        sent = exchange.sent
    assert frames_of(tmp_path / "tape", BTC)[1] == sent[1]
    assert verdicts(tmp_path / "tape") == {BTC: ["verified", "verified"]}
    with serving(tmp_path / "tape") as url, client(url) as websocket:
        websocket.send(toy_venue.VENUE.subscribe("depth", BTC, False)[0])
        received, _ = until_closed(websocket)
    assert received == frames_of(tmp_path / "tape", BTC)[0]


@pytest.mark.parametrize("engine", [PlainEngine(), COMPILED], ids=lambda engine: engine.name)
def test_imported_and_replayed(tmp_path: Path, engine: Engine) -> None:
    """A capture is recognised; the gap of a connection that products share is found by their union."""
    server = toy_venue.ToyServer(5)
    texts = [server.snapshot(each.product, [("99", "1")], [("100", "2")], 0) for each in MARKETS]
    texts += [server.update(BTC, [("ask", "100", "0"), ("ask", "101", "1")], 0)]
    tape = import_frames(tmp_path, [(n * MS, text) for n, text in enumerate(texts)])
    assert (Tape.open(tape).feed, products_of(tape)) == ("toy", [BTC, "ETH-USD"])
    assert verdicts(tape) == {BTC: ["verified"], "ETH-USD": ["verified"]}
    prices = running.run(tape, engine=engine).summaries[BTC].select(["bid_price", "ask_price"]).to_pylist()
    assert prices == [{"bid_price": 99.0, "ask_price": 100.0}, {"bid_price": 99.0, "ask_price": 101.0}]
    (tmp_path / "gap").mkdir()
    gap = import_frames(tmp_path / "gap", [(0, texts[0]), (MS, texts[2])])
    assert verdicts(gap) == {BTC: ["broken"]}


def test_a_refusal_ends_a_recording(tmp_path: Path) -> None:
    """What the venue refuses is an error in its words."""
    with SyntheticExchange(MARKETS[:1], ExchangeSettings("toy")) as exchange:  # noqa: SIM117  one is the server
        with pytest.raises(FeedError, match="refused the subscription: no depth"):
            record_served(exchange.url, tmp_path / "tape", ["DOGE-USD"], "toy")
    payloads = [row.payload for row in read_rows(tmp_path / "tape", "DOGE-USD") if row.kind == "frame"]
    assert not any(map(toy_venue.VENUE.holds_book, payloads))
