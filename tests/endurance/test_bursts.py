"""Bursts: more frames than are drained. Under the byte bound none is lost, above it that is told."""

import json
import time
from pathlib import Path

import pytest

from recorder.feeds import endpoint
from recorder.inbox import Inbox, Received
from recorder.reader import FeedReader, ReaderSettings
from recorder.tape.position import Position
from replay.synthetic.exchange import ExchangeSettings, SyntheticExchange
from replay.synthetic.market import MarketSettings
from replay.verifying import verify
from tests.endurance.forms import IS_LONG, TIMEOUT_S, cases, tell
from tests.recorder.processes import QUICK, record_here
from tests.recorder.rows import BTC, read_rows
from tests.replay.tapes import snapshot, update

pytestmark = pytest.mark.timeout(TIMEOUT_S)

RATE = 20_000
FRAMES = RATE * cases(30, 2)


def burst() -> list[str]:
    """Return the frames of a burst, each with a text of its own."""
    return [snapshot(BTC), *(update(BTC, ("buy", "98", str(number))) for number in range(1, FRAMES))]


def stalled(frames: list[str], queue_bytes: int) -> tuple[list[Received], float]:
    """Receive a burst while nothing is drained; return what waited then, and the frames a second."""
    settings = ExchangeSettings(
        heartbeats=False, compression=False, frames_of=lambda _index, _product: frames
    )
    with SyntheticExchange([MarketSettings(BTC)], settings) as exchange:
        inbox = Inbox([BTC], queue_bytes)
        # One connection: what follows an overflow is not the matter here.
        chosen = ReaderSettings(endpoint("exchange", exchange.url), QUICK, connections=1, stale_after=2.0)
        reader = FeedReader(chosen, inbox, {BTC: Position()})
        began = time.monotonic()
        reader.start()
        reader.join(TIMEOUT_S)  # the server falls silent after the burst: the connection ends as stale
        seconds = time.monotonic() - began - 2.0
        rows = inbox.take(BTC, 10 * FRAMES)
        assert inbox.is_drained(BTC)
        assert inbox.waiting_bytes == 0
    return rows, sum(row.kind == "frame" for row in rows) / max(seconds, 0.001)


def test_a_burst_under_the_bound_is_whole() -> None:
    """With the sink stalled through the whole burst every frame waits in the queue, in order."""
    frames = burst()
    rows, rate = stalled(frames, 256 * 2**20)
    received = [row.payload for row in rows if row.kind == "frame"][1:]  # after the acknowledgement
    tell("burst under the bound", frames=len(frames), lost=len(frames) - len(received), rate=f"{rate:,.0f}/s")
    assert received == frames


def test_a_burst_above_the_bound_is_told() -> None:
    """Where the queue is full the connection ends with `overflow`; what is queued is an exact prefix."""
    frames = burst()
    rows, _ = stalled(frames, 1_000_000)
    received = [row.payload for row in rows if row.kind == "frame"][1:]
    assert received == frames[: len(received)]
    assert 0 < len(received) < len(frames)
    assert rows[-1].kind == "disconnected"
    assert json.loads(rows[-1].payload) == {"code": 4000, "reason": "overflow"}
    tell("burst above the bound", frames=len(frames), kept=len(received), told="overflow")


def test_a_burst_is_recorded_whole(tmp_path: Path) -> None:
    """A burst that a whole recording takes as fast as the server sends is on the tape, frame by frame."""
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
    tell("burst recorded", frames=len(frames), lost=len(frames) - len(kept), form_is_long=IS_LONG)
    assert kept == frames
    assert not verify(tmp_path / "tape").damage
