"""Make the sample tape again: `python data/make_sample.py TAPE`.

Our own recorder records our own synthetic exchange over a real socket. Seeds, times and connection ids
are given, so every run makes the same rows and the same digest.
"""

import random
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from recorder.feeds import endpoint
from recorder.reader import ReaderSettings
from recorder.record import record
from recorder.recorded import Recorded
from recorder.tape.policy import SealPolicy
from replay.synthetic.exchange import ExchangeSettings, SyntheticExchange
from replay.synthetic.market import MarketSettings

MARKETS = (
    MarketSettings("BTC-USD", seed=11, depth=300, mid="65000.00", tick="2.50", thin_every=400),
    MarketSettings("ETH-USD", seed=12, depth=300, mid="1900.00", tick="0.07", thin_every=300),
)
URL = "ws://localhost:8765"  # stands on the tape; the exchange listens on a port of its own
START_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
INTERRUPTED_AFTER = 1_200  # updates on the first connection
UPDATES = 1_200  # on the second

# Time must not seal here: the script's times lie in the past.
POLICY = SealPolicy(seconds=1e9)


def scripted_times(seed: int, lag_ns: int) -> Callable[[], int]:
    """Return a clock that gives the times of a script: about 20 frames/s, half a second of interruption."""

    def times() -> Iterator[int]:
        rng = random.Random(seed)  # noqa: S311  a script, no secret
        now = START_NS
        for number in count():
            now += rng.randrange(20_000_000, 80_000_000)
            now += 500_000_000 if number == INTERRUPTED_AFTER + 4 else 0
            yield now + lag_ns + rng.randrange(5_000_000)

    return times().__next__


def make_sample(tape: Path) -> Recorded:
    """Record the sample; one product after the other, so that nothing depends on timing.

    Args:
        tape: a directory that is not there yet.
    """
    recorded = None
    for number, market in enumerate(MARKETS):
        exchange_settings = ExchangeSettings(
            heartbeats=False,
            drop_after=(INTERRUPTED_AFTER, UPDATES),
            now_ns=scripted_times(market.seed, lag_ns=0),
        )
        receive_clock = scripted_times(market.seed, lag_ns=12_000_000)
        names = (f"sample-{number}-{connection}" for connection in count())
        with SyntheticExchange([market], exchange_settings) as exchange:
            settings = ReaderSettings(
                endpoint("exchange", URL),
                clock_for=lambda _product, _last, clock=receive_clock: clock,  # type: ignore[misc]  # mypy cannot infer the default's type
                connection_id=names.__next__,
                connect_to=("127.0.0.1", exchange.port),
                connections=2,
            )
            recorded = record([market.product], tape, settings, policy=POLICY)
    assert recorded is not None  # noqa: S101  there are markets
    return recorded


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python data/make_sample.py TAPE")
    make_sample(Path(sys.argv[1]))
