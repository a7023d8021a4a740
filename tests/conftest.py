"""Fixtures that several packages' tests share: the real captures, and tapes made once a session."""

import os
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from orderbook.compiled.loading import kernels
from recorder.record import import_captures
from replay.synthetic.dialects import ExchangeDialect
from replay.synthetic.exchange import ExchangeSettings, SyntheticExchange
from replay.synthetic.market import MarketSettings, SyntheticMarket
from tests import oracle
from tests.replay import tapes
from tests.replay.tapes import Recording

CAPTURES = Path(__file__).resolve().parents[2] / "shared" / "captures"
CAPTURE_NAMES = (
    "advanced-2026-08-btc-eth",
    "exchange-2018-04-btc",
    "exchange-2018-04-btc-ten-minutes",
    "exchange-2021-04-ten-products",
)

UPDATES = 4300  # on the connection that lasts: more than a block of the digest
DROP_AFTER = 400
RATE = 2500.0


def pytest_sessionstart(session: pytest.Session) -> None:
    """Hear Ctrl-C, and compile the engine before any test.

    A shell lets what it starts in the background ignore Ctrl-C, and all that it starts in turn. Two processes
    that compile at once would each take their time over it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(session.config, "workerinput"):
        kernels()


@pytest.fixture(scope="session")
def captures() -> Path:
    """Return the directory of the real captures; they are no part of the repository."""
    if CAPTURES.is_dir():
        return CAPTURES
    if os.environ.get("CI"):
        pytest.fail(f"the real captures are not here: {CAPTURES}")
    pytest.skip(f"the real captures are not here: {CAPTURES}")


@pytest.fixture(scope="session")
def import_capture(captures: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function from the name of a capture to its tape, imported at most once; not to be changed."""

    @cache
    def imported(name: str) -> Path:
        tape = tmp_path_factory.mktemp("capture") / "tape"
        import_captures([captures / f"{name}.jsonl.gz"], tape, "jsonl")
        return tape

    return imported


@pytest.fixture(scope="session", params=CAPTURE_NAMES)
def capture_tape(request: pytest.FixtureRequest, import_capture: Callable[[str], Path]) -> Path:
    """Return the tape of each real capture in turn; not to be changed."""
    return import_capture(request.param)


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Return a tape of two products, recorded from the synthetic exchange with one interruption each.

    A real process records it over a real socket, and is stopped by SIGTERM. Not to be changed.
    """
    tape = tmp_path_factory.mktemp("recording") / "tape"
    markets = [
        MarketSettings("BTC-USD", depth=60, thin_every=300),
        MarketSettings("ETH-USD", depth=60, mid="1800.00", tick="0.01", thin_every=300),
    ]
    settings = ExchangeSettings(
        rate=RATE, frames=UPDATES, drop_after=(DROP_AFTER, DROP_AFTER), keep_sent=False
    )
    with SyntheticExchange(markets, settings) as exchange:

        def until() -> None:
            exchange.wait_for_done(2, timeout=tapes.TIMEOUT_S)

        document = tapes.record(tape, ("BTC-USD", "ETH-USD"), exchange.url, until, "--segment-rows", "1500")
    return Recording(tape, document)


@pytest.fixture(scope="session")
def short_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of three products that is a second long, so that speed 1 can be afforded."""
    frames: list[tapes.Timed] = []
    dialect = ExchangeDialect()
    for number, product in enumerate(("BTC-USD", "ETH-USD", "SOL-USD")):
        market = SyntheticMarket(MarketSettings(product, seed=number, depth=20, thin_every=100))
        frames.append((0, dialect.snapshot(product, market.snapshot(), tapes.START)))
        frames += [(n * tapes.MS, dialect.update(product, market.update(), tapes.START)) for n in range(1000)]
    return tapes.import_frames(tmp_path_factory.mktemp("short"), sorted(frames, key=lambda frame: frame[0]))


@pytest.fixture(scope="session")
def recorded_oracle(recording: Recording) -> dict[str, oracle.OracleRun]:
    """Return what the oracle makes of each product of the recording."""
    return tapes.oracle_runs(recording.tape)
