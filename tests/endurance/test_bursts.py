"""Bursts: more frames than are drained. Below the byte limit none is lost, above it the loss is reported."""

import json
import time
from pathlib import Path

import pytest

from recorder.live.client import FeedReader
from recorder.live.queue import Received
from recorder.settings import ConnectionSettings
from recorder.tape.row_batches import Position
from replay.checking.verify import verify
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.endurance.forms import IS_LONG, TIMEOUT_S, cases, report
from tests.support.constants import BTC
from tests.support.recordings import QUICK, record_here
from tests.support.rows import read_rows
from tests.support.tapes import snapshot, update

pytestmark = pytest.mark.timeout(TIMEOUT_S)

RATE = 20_000
FRAMES = RATE * cases(30, 2)
SILENCE = float(cases(30, 3))
"""Seconds after which a silent connection ends; a busy machine, too, sends something within them."""


def burst() -> list[str]:
    """Return the frames of a burst, all different."""
    return [snapshot(BTC), *(update(BTC, ("buy", "98", str(number))) for number in range(1, FRAMES))]


def stalled(frames: list[str], queue_bytes: int) -> tuple[list[Received], float]:
    """Receive a burst while nothing drains the queue; return the queued rows and the frames per second."""
    settings = ExchangeSettings(
        heartbeats=False, compression=False, frames_of=lambda _index, _product: frames
    )
    with SyntheticExchange([MarketSettings(BTC)], settings) as exchange:
        # One connection: the next one after an overflow is not part of this test.
        chosen = ConnectionSettings(
            "exchange",
            exchange.url,
            trades=False,
            backoff=QUICK,
            connections=1,
            stale_after=SILENCE,
            queue_bytes=queue_bytes,
        )
        reader = FeedReader([BTC], chosen)
        queue = reader.queue
        began = time.monotonic()
        reader.start({BTC: Position()})
        reader.join(TIMEOUT_S)  # the server sends nothing after the burst: the connection ends as stale
        seconds = time.monotonic() - began - SILENCE
        rows = queue.pop(BTC, 10 * FRAMES, 2**40)
        assert queue.is_drained(BTC)
        assert queue.queued_bytes == 0
    return rows, sum(row.kind == "frame" for row in rows) / max(seconds, 0.001)


def test_a_burst_under_the_bound_is_whole() -> None:
    """With the sink stalled through the whole burst every frame waits in the queue, in order."""
    frames = burst()
    rows, rate = stalled(frames, 256 * 2**20)
    received = [row.payload for row in rows if row.kind == "frame"][1:]  # after the acknowledgement
    report(
        "burst under the bound", frames=len(frames), lost=len(frames) - len(received), rate=f"{rate:,.0f}/s"
    )
    assert received == frames


def test_a_burst_above_the_bound_is_reported() -> None:
    """If the queue is full the connection ends with `overflow`, and the queued rows are an exact prefix."""
    frames = burst()
    rows, _ = stalled(frames, 1_000_000)
    received = [row.payload for row in rows if row.kind == "frame"][1:]
    assert received == frames[: len(received)]
    assert 0 < len(received) < len(frames)
    assert rows[-1].kind == "disconnected"
    assert json.loads(rows[-1].payload) == {"code": 4000, "reason": "overflow"}
    report("burst above the bound", frames=len(frames), kept=len(received), reason="overflow")


def test_a_burst_is_recorded_whole(tmp_path: Path) -> None:
    """A whole recording takes a burst as fast as the server sends; every frame is on the tape."""
    frames = burst()[: cases(FRAMES, 20_000)]
    settings = ExchangeSettings(
        heartbeats=False, compression=False, frames_of=lambda _index, _product: frames
    )
    with SyntheticExchange([MarketSettings(BTC)], settings) as exchange:
        left = len(frames)

        def enough(batch: object) -> bool:
            nonlocal left
            left -= batch.num_rows  # type: ignore[attr-defined]
            return bool(left <= 0)

        record_here(exchange.url, tmp_path / "tape", {BTC: enough})
    kept = [row.payload for row in read_rows(tmp_path / "tape") if row.kind == "frame"][1:]
    report("burst recorded", frames=len(frames), lost=len(frames) - len(kept), form_is_long=IS_LONG)
    assert kept == frames
    assert not verify(tmp_path / "tape").damage
