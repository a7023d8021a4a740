"""Where there is nothing, the answer says why: before the tape, after it, in an interruption."""

from pathlib import Path
from typing import Any

import pytest

import booktape as bt
from orderbook.times import format_time
from recorder.tape.reader import Tape
from replay.checking.absence import has_row
from replay.running.window import Window
from tests.support import tapes
from tests.support.commands import invoke
from tests.support.constants import BTC, ETH, MS, SAMPLE

TAPE = bt.open(SAMPLE)


def interruption(product: str) -> tuple[int, int]:
    """Return when the interruption of the sample begins and ends."""
    rows = tapes.tape_rows(SAMPLE, product)
    last = next(number for number, row in enumerate(rows) if row.kind == "disconnected")
    return rows[last].recv_time, rows[last + 1].recv_time


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ({"start": "2030-01-01"}, "its last row is of 2026-01-01 00:02:01"),
        ({"end": "2020-01-01"}, "its first row is of 2026-01-01 00:00:00"),
        ({"start": "2020-01-01", "end": "2020-01-02"}, "its first row is of 2026-01-01 00:00:00"),
        (
            {"start": interruption(BTC)[0] + 1, "end": interruption(BTC)[1]},
            "it was interrupted from 2026-01-01 00:01:00",
        ),
    ],
)
def test_a_window_without_a_row(window: dict[str, Any], words: str) -> None:
    """It is refused with the reason, wherever a window is taken: zeros would look like a quiet market."""
    for call in (TAPE.rows, TAPE.summaries, TAPE.trades):
        with pytest.raises(bt.EmptyWindowError, match=f"{BTC}: {words}"):
            call(BTC, **window)
    for whole in (TAPE.replay, TAPE.compare, TAPE.flow):
        with pytest.raises(bt.EmptyWindowError, match=f"{BTC}: {words}"):
            whole(products=BTC, **window)
    options = [f"--{'from' if name == 'start' else 'to'}={value}" for name, value in window.items()]
    for command in ("replay", "compare"):
        done = invoke(command, SAMPLE, "-p", BTC, *options)
        assert (done.exit_code, done.stdout) == (2, "")
        assert words in done.stderr


def test_one_product_of_two_is_enough() -> None:
    """If another product has rows there, the result says of each why it has nothing."""
    start, end = interruption(ETH)
    result = TAPE.replay(start=start + 1, end=end)
    assert result.tallies[ETH].rows == 0 < result.tallies[BTC].rows
    done = invoke("replay", SAMPLE, f"--from={start + 1}", f"--to={end}")
    assert f"{ETH}: no best bid and ask: it was interrupted from 2026-01-01 00:01:00" in done.stdout


@pytest.mark.parametrize("rows", [1, 7, 50_000])
def test_a_row_in_a_window(tmp_path: Path, rows: int) -> None:
    """However the tape is cut into segments, a window has a row if and only if a row's time is in it."""
    frames = [(number * 10 * MS, tapes.update(BTC, ("buy", "99", str(number + 1)))) for number in range(20)]
    tape = tapes.import_frames(tmp_path, frames, segment_rows=rows)
    times = [row.recv_time for row in tapes.tape_rows(tape, BTC)]
    product = Tape.open(tape).product(BTC)
    edges = [None, times[0] - 1, times[0], times[0] + 1, times[9], times[9] + 1, times[-1], times[-1] + 1]
    for start in edges:
        for end in edges:
            inside = [t for t in times if (start is None or t >= start) and (end is None or t < end)]
            assert has_row(product, Window(start, end)) == bool(inside), (start, end)


def test_a_recorder_that_died_leaves_no_book(tmp_path: Path) -> None:
    """Between the last frame before a crash and the next connection no book is known."""
    for number, at in enumerate((0, 10_000 * MS)):
        frames = [(at, tapes.snapshot(BTC)), (at + MS, tapes.update(BTC))]
        bt.import_(tapes.write_capture(tmp_path / f"{number}.jsonl", frames), tmp_path / "tape")
    rows = tapes.tape_rows(tmp_path / "tape", BTC)
    opened = [row.recv_time for row in rows if row.kind == "connected"]
    with pytest.raises(bt.NoBookError, match="it was interrupted from"):
        bt.open(tmp_path / "tape").book(BTC, at=format_time(opened[1] - 1))
