"""`booktape demo`: the whole way once, offline: record, verify, replay, compare.

The market is synthetic and it is said so on screen; the socket, the tape and the core are the real ones.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console

from orderbook.errors import BooktapeError
from orderbook.threshold import sweep_thresholds
from recorder.feeds import endpoint
from recorder.reader import ReaderSettings
from recorder.record import record
from recorder.terminal import heading, log_to_stderr, quality, stdout, tally_table
from replay.comparing import compare
from replay.comparison_tables import print_comparison
from replay.inspection import inspect
from replay.replayed import ReplaySettings
from replay.rundir import refuse_existing
from replay.running import run
from replay.synthetic.exchange import ExchangeSettings, SyntheticExchange
from replay.synthetic.market import MarketSettings
from replay.tables import print_inspection, print_run, print_verification
from replay.verifying import verify

_RATE: Final = 100.0  # updates a second and product
_SECONDS: Final = 8.0
_DROP_AFTER: Final = 300  # updates, on the first connection of each product
_SPEED: Final = 20.0
_ENGINE: Final = (
    "plain"  # on a fresh machine the other one would be compiled first, for longer than all of it
)


class DemoError(BooktapeError):
    """The demo found what must never be."""


def run_demo(seed: int, keep: Path | None) -> None:
    """Run the demo on stdout.

    Args:
        seed: of the synthetic market.
        keep: where the tape stays; None for a temporary directory.

    Raises:
        DemoError: where the digests of live and replay differ.
    """
    console = stdout()
    log_to_stderr()
    with _tape_directory(keep) as tape:
        _record(console, tape, seed)
        _step(console, 2, "What is on the tape, and is it whole?")
        print_inspection(console, inspect(tape))
        found = verify(tape, _ENGINE)
        print_verification(console, found, strict=False)
        _step(console, 3, f"Replay at {_SPEED:g} times the speed, then as fast as possible")
        paced = run(tape, ReplaySettings(speed=_SPEED), keep=False, engine=_ENGINE)
        print_run(console, paced)
        fast = run(tape, keep=False, engine=_ENGINE)
        print_run(console, fast)
        if not (paced.digest == fast.digest and found.passes(strict=False)):
            raise DemoError(f"live and replay differ: {paced.digest} paced, {fast.digest} at full speed")
        console.print("Live, paced and fast: the same digest, so the same summaries to the last bit.")
        _step(console, 4, "Compare thresholds: all of them in one pass over the book")
        print_comparison(
            console, compare(tape, sweep_thresholds("2bps", "20bps", "2bps"), engine=_ENGINE), "threshold"
        )
        if keep is not None:
            console.print(f"\nThe tape is in {keep}; try: booktape replay {keep} --speed 1")


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


def _record(console: Console, tape: Path, seed: int) -> None:
    markets = [
        MarketSettings("BTC-USD", seed=seed, thin_every=300),
        MarketSettings("ETH-USD", seed=seed + 1, mid="1800.00", tick="0.01", thin_every=300),
    ]
    settings = ExchangeSettings(rate=_RATE, drop_after=(_DROP_AFTER, _DROP_AFTER, None))
    _step(console, 1, f"Record {_SECONDS:g} seconds over a real socket, with one interruption a product")
    with SyntheticExchange(markets, settings) as exchange:
        console.print(
            f"A SYNTHETIC market (seed {seed}) at {exchange.url}: no price in it was ever quoted anywhere.\n"
            "It drops each connection once, without a word; the recorder comes back for a new snapshot."
        )
        recorded = record(
            [market.product for market in markets],
            tape,
            ReaderSettings(endpoint("exchange", exchange.url)),
            duration=_SECONDS,
            engine=_ENGINE,
        )
    console.print(heading(recorded.tallies, "recorded", recorded.feed))
    console.print(tally_table(console, recorded.tallies, next(iter(recorded.tallies.values())).threshold))
    console.print(quality(recorded.tallies))
