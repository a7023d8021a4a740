"""Mutated frames, some of them from real ones, through both engines: every step is equal."""

import re
from pathlib import Path
from random import Random
from typing import Final

import pytest

from orderbook.venues.registry import VENUE_NAMES
from recorder.tape.reader import Tape
from tests.endurance.forms import TIMEOUT_S, cases, report
from tests.endurance.test_mutated_frames import SEEDS, mutated
from tests.orderbook.test_engine import read_capture
from tests.orderbook.test_tracker import on_one_connection
from tests.support.constants import BTC, CAPTURES, ROOT
from tests.support.engines import COMPILED, PLAIN, assert_same
from tests.support.oracle import Row
from tests.support.rows import to_batch

pytestmark = pytest.mark.timeout(TIMEOUT_S)

FRAMES: Final = cases(1_000_000, 4_000) // 2
IN_A_BATCH: Final = 20
REAL: Final = {
    "exchange": ["exchange-2018-04-btc", "exchange-2021-04-ten-products"],
    "advanced": ["advanced-2026-08-btc-eth"],
}
_PRODUCT_ID: Final = re.compile(r'"product_id":"[^"]+"')
LONGEST: Final = 3000
"""Characters of a seed; whole snapshots would take most of the time."""


def real_seeds(feed: str) -> list[str]:
    """Return real frames of every kind, from the captures if they exist, else from the sample."""
    if not CAPTURES.is_dir():
        return sample_seeds() if feed == "exchange" else []
    texts = [text for name in REAL[feed] for _, text, _ in read_capture(name)[:600]]
    ours = f'"product_id":"{BTC}"'
    return [_PRODUCT_ID.sub(ours, text) for text in texts if len(text) <= LONGEST][::5]


def sample_seeds() -> list[str]:
    """Return frames of the sample tape."""
    batch = next(Tape.open(Path(ROOT / "data" / "sample")).product(BTC).batches(200))
    return [text for text in batch.column("payload").to_pylist()[3:] if len(text) <= LONGEST]


@pytest.mark.parametrize("feed", VENUE_NAMES)
def test_engines_agree_on_every_frame(feed: str) -> None:
    """Steps are equal, and at times the saved books are compared; a third of the frames is unchanged."""
    rng = Random(23)
    seeds = SEEDS[feed] + real_seeds(feed)
    plain, compiled = PLAIN.start(BTC, feed), COMPILED.start(BTC, feed)
    anomalies = summaries = 0
    for first in range(0, FRAMES, IN_A_BATCH):
        texts = [rng.choice(seeds) for _ in range(IN_A_BATCH)]
        texts = [text if rng.random() < 0.33 else mutated(text, seeds, rng) for text in texts]
        if first % (10 * IN_A_BATCH) == 0:
            texts[1] = SEEDS[feed][0]
        rows = [Row(first + place, first, 0, "frame", text) for place, text in enumerate(texts)]
        if first % (50 * IN_A_BATCH) == 0:
            rows = [on_one_connection()[0]._replace(seq=first, recv_time=first), *rows[1:]]
        batch = to_batch(rows)
        plain, expected = PLAIN.step(plain, batch, 2)
        compiled, found = COMPILED.step(compiled, batch, 2)
        assert_same(expected, found)
        if first % (25 * IN_A_BATCH) == 0:
            COMPILED.check(compiled)
            assert COMPILED.save(compiled) == PLAIN.save(plain)
        anomalies += expected.anomalies.num_rows
        summaries += expected.summaries.num_rows
    report(f"both engines, {feed}", frames=FRAMES, anomalies=anomalies, summaries=summaries, different=0)
    assert min(anomalies, summaries) > FRAMES // 50
