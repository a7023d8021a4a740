"""Make the sample tape again: `python data/make_sample.py TAPE`.

The recorder records the synthetic exchange over a real socket. Seeds, times and connection ids are fixed, so
every run writes the same rows and the same digest.
"""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

from orderbook.venues.registry import venue
from recorder.api import record
from recorder.results import Recorded
from recorder.settings import ConnectionSettings, RecordSettings, SealPolicy
from replay.synthetic.conversation import Conversation, Markets
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings, thin_market, tight_market

MARKETS = (tight_market("BTC-USD", seed=17), thin_market("ETH-USD", seed=18))
URL = "ws://localhost:8765"  # written to the tape; the exchange listens on another port
START_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
INTERRUPTED_AFTER = 1_200  # number of updates on the first connection
UPDATES = 1_200  # number of updates on the second connection
LAG_NS = 12_000_000  # from the exchange to the recorder

POLICY = SealPolicy(seconds=1e9)


def exchange_times(seed: int) -> Callable[[], int]:
    """Return the clock of the exchange: about 20 batches/s, and half a second between the connections."""

    def times() -> Iterator[int]:
        rng = random.Random(seed)  # noqa: S311  scripted times, not a secret
        now = START_NS
        for number in count():
            now += rng.randrange(20_000_000, 80_000_000)
            # The exchange reads its clock five times before the first update.
            now += 500_000_000 if number == INTERRUPTED_AFTER + 5 else 0
            yield now + rng.randrange(5_000_000)

    return times().__next__


def receive_times(market: MarketSettings) -> Iterator[int]:
    """Yield the recv_time of every row, by having the conversation of both connections beforehand.

    A batch has one time at the exchange and one frame or several, so only its frames tell the times of rows.
    """
    clock = exchange_times(market.seed)
    rng = random.Random(f"{market.seed} received")  # noqa: S311
    markets = Markets([market])
    last = latest = START_NS

    def received(frames: Sequence[str]) -> Iterator[int]:
        nonlocal last
        for _ in frames:
            last = max(last + 20_000, latest + LAG_NS + rng.randrange(5_000_000))
            yield last

    def now() -> int:
        nonlocal latest
        latest = clock()
        return latest

    for updates in (INTERRUPTED_AFTER, UPDATES):
        talk = Conversation("exchange", markets, now)
        yield from received(["connected"])
        for message in venue("exchange").subscribe("level2_batch", market.product, True):
            yield from received(talk.receive(message))
        for _ in range(updates):
            yield from received(talk.next_round())
        yield from received(["disconnected"])
        talk.end()


def make_sample(tape: Path) -> Recorded:
    """Record the sample, one product after the other so that nothing depends on timing.

    Args:
        tape: a directory that does not exist yet.
    """
    recorded = None
    for number, market in enumerate(MARKETS):
        exchange_settings = ExchangeSettings(
            heartbeats=False,
            messages=2,
            drop_after=(INTERRUPTED_AFTER, UPDATES),
            now_ns=exchange_times(market.seed),
        )
        receive_clock = receive_times(market).__next__
        names = (f"sample-{number}-{connection}" for connection in count())
        with SyntheticExchange([market], exchange_settings) as exchange:
            settings = ConnectionSettings(
                "exchange",
                URL,
                clock_for=lambda _product, _last, clock=receive_clock: clock,  # type: ignore[misc]  # mypy cannot infer the default's type
                connection_id=names.__next__,
                connect_to=("127.0.0.1", exchange.port),
                connections=2,
            )
            recorded = record(
                [market.product], tape, RecordSettings(settings, POLICY, now_ns=lambda: START_NS)
            )
    assert recorded is not None  # noqa: S101  there are markets
    return recorded


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python data/make_sample.py TAPE")
    make_sample(Path(sys.argv[1]))
