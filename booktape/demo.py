"""`booktape demo`: every step once, offline: record, verify, replay, compare.

The market is synthetic, and the demo says so; the socket, the tape and the book are the real ones.
"""

import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from rich.console import Console

import booktape
from booktape.console.comparison import print_comparison
from booktape.console.results import print_inspection, print_run, print_verification
from booktape.console.tallies import heading, quality, tally_table
from booktape.console.terminal import log_to_stderr, stdout
from orderbook.engine import Engine
from orderbook.errors import BooktapeError
from recorder.runtime.loading import load_engine, preload_engine
from recorder.settings import EngineName
from replay.run_dir.writer import refuse_existing
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, thin_market, tight_market

_RATE: Final = 100.0  # updates a second and product
_SECONDS: Final = 8.0
_DROP_AFTER: Final = 300  # updates, on the first connection of each product
_SPEED: Final = 20.0


class DemoError(BooktapeError):
    """The replay of the demo differs from what was recorded: a defect of booktape."""


def run_demo(seed: int, keep: Path | None, engine_name: EngineName = "auto") -> None:
    """Run the demo on stdout.

    Args:
        seed: seed of the synthetic market.
        keep: directory in which to keep the tape; None for a temporary directory.
        engine_name: `auto` is the compiled engine if numba is installed, however small the tape.

    Raises:
        DemoError: if the digests of the recording and the replays differ.
        RunError: if `keep` exists.
    """
    console = stdout()
    log_to_stderr()
    with _tape_directory(keep) as path:
        engine = _engine(engine_name)
        _record(console, path, seed, engine)
        tape = booktape.open(path)
        _step(console, 2, "What is on the tape, and is it whole?")
        print_inspection(console, tape.inspect())
        verified = tape.verify(engine=engine)
        print_verification(console, verified, strict=False)
        _step(console, 3, f"Replay at {_SPEED:g} times the speed, then as fast as possible")
        paced = tape.replay(speed=_SPEED, keep=False, engine=engine)
        print_run(console, paced)
        fast = tape.replay(keep=False, engine=engine)
        print_run(console, fast)
        if not (paced.digest == fast.digest and verified.passes(strict=False)):
            raise DemoError(f"live and replay differ: {paced.digest} paced, {fast.digest} at full speed")
        console.print("Live, paced and fast: the same digest, so the same summaries to the last bit.")
        _step(console, 4, "Compare thresholds: all of them in one pass over the book")
        print_comparison(console, tape.compare(engine=engine), "threshold")
        name = shlex.quote(str(keep))
        last = "This tape is not kept (`booktape demo -o tape` keeps it); `sample:` is always there."
        if keep is not None:
            last = f"The tape is in {name}; try: booktape replay {name} --speed 1"
        console.print(f"\n{last}", soft_wrap=True)


def _engine(name: EngineName) -> Engine:
    """Return the engine, ready to run; say how long it takes if it has to be compiled first."""
    if name == "plain" or find_spec("numba") is None or preload_engine(name):
        return load_engine(name)
    started = time.perf_counter()
    engine = load_engine(name)
    sys.stderr.write(f"Compiled in {time.perf_counter() - started:.0f} s.\n")
    return engine


@contextmanager
def _tape_directory(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        refuse_existing(keep)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="booktape-demo-") as directory:
        yield Path(directory) / "tape"


def _step(console: Console, number: int, title: str) -> None:
    console.print(f"\n{number}. {title}", style="bold")


def _record(console: Console, tape: Path, seed: int, engine: Engine) -> None:
    markets = [tight_market("BTC-USD", seed), thin_market("ETH-USD", seed + 1)]
    settings = ExchangeSettings(rate=_RATE, drop_after=(_DROP_AFTER, _DROP_AFTER, None))
    _step(console, 1, f"Record {_SECONDS:g} seconds over a real socket, with one interruption a product")
    with SyntheticExchange(markets, settings) as exchange:
        console.print(
            f"A SYNTHETIC market (seed {seed}) at {exchange.url}: no price in it was ever quoted anywhere.\n"
            "It drops each connection once, without a word; the recorder comes back for a new snapshot."
        )
        products = [market.product for market in markets]
        recorded = booktape.record(products, tape, url=exchange.url, duration=_SECONDS, engine=engine)
    console.print(heading(recorded.tallies, "recorded", recorded.feed))
    console.print(tally_table(console, recorded.tallies, next(iter(recorded.tallies.values())).threshold))
    console.print(quality(recorded.tallies))
