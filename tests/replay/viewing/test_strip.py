"""The mid price over a whole tape: that of a naive book, from end to end, however it is read."""

from math import isnan

import pytest

from recorder.runtime.loading import load_engine
from recorder.settings import EngineName
from recorder.tape.reader import Tape
from replay.viewing import strip
from replay.viewing.strip import MidPrices
from tests.replay.viewing.test_reading import naive_moments
from tests.support.constants import BTC, SAMPLE
from tests.support.tapes import Recording, tape_rows


def mids_of(recording: Recording, engine: EngineName) -> tuple[list[tuple[float, float]], bool]:
    """Return times and prices, read in as many steps as it takes, and whether they are of the whole tape."""
    rows = len(tape_rows(recording.tape, BTC))
    mids = MidPrices(Tape.open(recording.tape).product(BTC), load_engine(engine))
    while True:
        (found,) = mids.table(0, rows, 0.001).to_pylist()
        if found["is_done"]:
            return list(zip(found["time"], found["mid"], strict=True)), found["is_whole"]


@pytest.mark.parametrize("most", [10_000, 100])
@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_the_mid_price_of_a_tape(
    recording: Recording, engine: EngineName, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is that of the naive book, ends with each connection, and reaches from the first to the last row."""
    monkeypatch.setattr(strip, "MOST_POINTS", most)
    monkeypatch.setattr(strip, "_BATCH_ROWS", 64)
    naive = naive_moments(tape_rows(recording.tape, BTC), 1)
    mids = [
        (float(time), (bids[0][0] + asks[0][0]) / 2 if bids and asks else -1.0)
        for _, time, bids, asks in naive
    ]
    found, is_whole = mids_of(recording, engine)
    found = [(time, -1.0 if isnan(mid) else mid) for time, mid in found]
    assert is_whole
    assert found[-1] == mids[-1]
    if most > len(mids):
        assert found == mids
    else:
        assert most / 4 < len(found) <= most
        assert set(found) <= set(mids)


def test_points_stay_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many batches follow, at least a third of the points is used."""
    monkeypatch.setattr(strip, "MOST_POINTS", 120)
    monkeypatch.setattr(strip, "_BATCH_ROWS", 32)
    mids = MidPrices(Tape.open(SAMPLE).product(BTC), load_engine("plain"))
    (found,) = mids.table(0, 2920, 600.0).to_pylist()
    assert found["is_whole"]
    assert 40 < len(found["mid"]) <= 120


def test_a_long_tape_is_not_read(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tape with more rows than are read has no points, and says that they are not those of the whole."""
    monkeypatch.setattr(strip, "MOST_ROWS", {"plain": 10})
    assert mids_of(recording, "plain") == ([], False)
