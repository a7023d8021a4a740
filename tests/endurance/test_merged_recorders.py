"""Two recorders over real sockets, one killed while the other one runs: their merged tape has all frames."""

import signal
import time
from pathlib import Path

import pytest

from recorder.tape.reader import Tape
from replay.merging.api import merge
from replay.running.window import Window
from tests.endurance.forms import TIMEOUT_S
from tests.support.commands import end, running_booktape
from tests.support.constants import BTC, SAMPLE, SECOND
from tests.support.tape_server import serving
from tests.support.tapes import tape_rows
from tests.support.verified import assert_whole

pytestmark = pytest.mark.timeout(TIMEOUT_S)


def frames_on(tape: Path) -> int:
    """Return the number of rows so far; 0 before there is a tape."""
    if not (tape / "_tape.json").exists():
        return 0
    return sum(rows.num_rows for rows in Tape.open(tape).product(BTC).batches())


def until_more(tape: Path, number: int) -> None:
    """Wait until a tape has so many more rows."""
    enough = frames_on(tape) + number
    while frames_on(tape) < enough:
        time.sleep(0.02)  # nothing tells a reader of another process's rows


def test_a_killed_recorder_and_one_that_goes_on(tmp_path: Path) -> None:
    """One is killed while the other one records: no frame is missing, none comes twice."""
    a, b = tmp_path / "a", tmp_path / "b"
    # A server begins anew for each client: the late one sends at once what the early one has sent by then.
    window = Window(start=(Tape.open(SAMPLE).first_time() or 0) + 2 * SECOND)
    with (
        serving(SAMPLE, speed=1) as early,
        serving(SAMPLE, speed=1, window=window) as late,
        running_booktape("record", BTC, "-o", a, "--url", early) as first,
    ):
        until_more(a, 30)
        with running_booktape("record", BTC, "-o", b, "--url", late) as second:
            until_more(b, 30)
            until_more(a, 30)
            end(first, signal.SIGKILL, -signal.SIGKILL)
            until_more(b, frames_on(a))
            end(second)
    made = merge([a, b], tmp_path / "merged", "plain").products[BTC]
    assert (made.connections, made.seams, made.unproven) == (1, 1, 0)
    book = ('"snapshot"', '"l2update"', '"match"')
    merged, served = (
        [row.payload for row in tape_rows(tape, BTC) if any(word in row.payload for word in book)]
        for tape in (tmp_path / "merged", SAMPLE)
    )
    assert len(merged) > 60
    assert merged == served[: len(merged)]
    assert_whole(tmp_path / "merged")
