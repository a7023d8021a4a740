"""Parts by hour, day and connection, the total of several tapes, and the quality of each."""

from pathlib import Path

import pytest

import booktape as bt
from replay.checking.inspect import inspect
from tests.support import tapes
from tests.support.commands import json_of
from tests.support.constants import BTC, SECOND
from tests.support.tapes import Recording


def test_quality(recording: Recording) -> None:
    """Excluded time, interruptions and crossed books are the replay's, the verdict is that of inspect."""
    comparison = bt.compare(recording.tape, [0.001])
    tallies = comparison.tapes[0].tallies
    for row in comparison.rows():
        tally = tallies[str(row["product"])]
        inspected = inspect(recording.tape).products[str(row["product"])]
        assert row["excluded_s"] == tally.excluded_ns / 1e9
        assert row["interruptions"] == tally.connections - 1 == len(inspected.interruptions) > 0
        assert row["crossed"] == tally.anomalies["crossed"]
        assert row["verdict"] == "unverifiable"
    assert comparison.whole(BTC).quality.connections["unverifiable"] == tallies[BTC].connections


def test_by_connection(recording: Recording) -> None:
    """There is a part for each connection, they add up, and none of them is interrupted."""
    rows = json_of("compare", recording.tape, "--threshold=5bps", "--by=connection", "-p", BTC)["rows"]
    *parts, whole = rows
    assert [row["connection"] for row in parts] == list(range(len(parts)))
    assert (whole["connection"], len(parts)) == (None, whole["interruptions"] + 1)
    for name in ("signals", "episodes", "markout_1s_episodes", "markout_1s_left_out", "crossed"):
        assert sum(row[name] for row in parts) == whole[name] >= 0
    assert sum(row["observed_s"] for row in parts) == pytest.approx(whole["observed_s"])
    assert all(row["interruptions"] == 0 and row["excluded_s"] < whole["excluded_s"] for row in parts)


def test_by_hour_and_day(tmp_path: Path) -> None:
    """Parts of the clock are named by their start, excluded time and interruptions lie where they were."""
    hour = 3600 * SECOND
    wide, narrow = tapes.snapshot(BTC), tapes.snapshot(BTC, bids=(("99.99", "1"),))
    tapes.import_frames(tmp_path, [(0, wide), (hour, narrow), (2 * hour, wide)])  # from 21:05:48 on
    tape = tapes.import_frames(tmp_path, [(4 * hour, narrow), (4 * hour + SECOND, wide), (5 * hour, narrow)])
    rows = json_of("compare", tape, "--threshold=0.5%", "--by=hour")["rows"]
    found = [(row["hour"], row["signals"], row["observed_s"], row["time_above_s"]) for row in rows]
    assert found == [
        ("2026-08-09T21:00Z", 1, 3252.0, 3252.0),
        ("2026-08-09T22:00Z", 0, 3600.0, 348.0),
        ("2026-08-09T23:00Z", 1, 348.0, 0.0),
        ("2026-08-10T01:00Z", 1, 3252.0, 3251.0),
        ("2026-08-10T02:00Z", 0, 348.0, 348.0),
        (None, 3, 10800.0, 7199.0),
    ]
    quality = [(row["excluded_s"], row["interruptions"]) for row in rows]
    assert quality == [(0.0, 0), (0.0, 0), (3252.0, 0), (348.0, 1), (0.0, 0), (7200.0, 1)]
    days = json_of("compare", tape, "--threshold=0.5%", "--by=day")["rows"]
    assert [(row["day"], row["signals"]) for row in days] == [("2026-08-09", 2), ("2026-08-10", 1), (None, 3)]


def test_several_tapes(recording: Recording, tmp_path: Path) -> None:
    """Each tape has its rows, equal to those alone, and the total adds them up."""
    other = tapes.import_frames(tmp_path, [(0, tapes.snapshot(BTC)), (SECOND, tapes.snapshot(BTC))])
    document = json_of("compare", recording.tape, other, "--threshold=0.1%", "--threshold=0.2%")
    alone = [
        json_of("compare", tape, "--threshold=0.1%", "--threshold=0.2%") for tape in (recording.tape, other)
    ]
    assert (document["tape"], document["digest"]) == (None, None)
    assert [each["digest"] for each in document["tapes"]] == [each["digest"] for each in alone]
    for tape, each in zip((recording.tape, other), alone, strict=True):
        rows = [row for row in document["rows"] if row["tape"] == str(tape)]
        assert [{name: row[name] for name in row if name != "tape"} for row in rows] == each["rows"]
    for total in (row for row in document["rows"] if row["tape"] is None):
        parts = [
            row
            for row in document["rows"]
            if row["tape"] and (row["product"], row["threshold"]) == (total["product"], total["threshold"])
        ]
        assert len(parts) == (2 if total["product"] == BTC else 1)
        for name in ("signals", "episodes", "interruptions", "markout_5s_left_out"):
            assert total[name] == sum(row[name] for row in parts)
