"""The clock of a connection: anchored once, monotonic from there."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.api import record
from recorder.live.clock import Clock, ClockJump, ClockReading, ClockWatch, ReceiveClock, clock_jump
from recorder.results import Recorded
from recorder.settings import ConnectionSettings, RecordSettings
from replay.checking.verify import verify
from tests.support.constants import BTC, SECOND, START
from tests.support.recordings import QUICK, record_here, summaries
from tests.support.scripted_server import ScriptedServer, assert_sound, book, failing, frames_on, restart


def readings(times: Iterable[int]) -> Clock:
    """Return a clock that shows the given times in turn."""
    iterator: Iterator[int] = iter(times)
    return lambda: next(iterator)


@pytest.mark.parametrize(
    ("wall", "last", "first"),
    [(START, 0, START), (START, START - 1, START), (START, START + SECOND, START + SECOND), (0, 0, 0)],
)
def test_the_anchor_is_the_later_one(wall: int, last: int, first: int) -> None:
    """Stamps begin at the wall clock, or at the product's last recv_time if that is later."""
    clock = ReceiveClock(last, wall=readings([wall]), monotonic=readings([700, 700, 705, 705, 1700]))
    assert [clock() for _ in range(4)] == [first, first + 5, first + 5, first + 1000]


def test_the_wall_clock_is_read_once() -> None:
    """Whatever steps the wall clock makes after the anchor, no stamp sees them."""
    wall = readings([START, 0, START + 3600 * SECOND])
    clock = ReceiveClock(0, wall, readings(range(100)))
    assert [clock() for _ in range(5)] == [START + 1 + n for n in range(5)]
    assert wall() == 0


def test_real_clocks_never_go_back() -> None:
    """With the system's own clocks stamps begin at the last recv_time and never decrease."""
    last = 4_000_000_000 * SECOND  # long after any test runs
    clock = ReceiveClock(last)
    stamps = [clock() for _ in range(1000)]
    assert stamps[0] >= last
    assert stamps == sorted(stamps)


@pytest.mark.parametrize("jump", [-3600, -5, 60, 3600])
def test_a_clock_that_jumps(tmp_path: Path, jump: int) -> None:
    """A wall clock that jumps forth and back neither stops the recording nor moves recv_time back."""
    offsets = iter([0, jump, 0, jump, 0])
    anchors: list[int] = []

    def clock_for(_product: str, last: int) -> ReceiveClock:
        anchors.append(max(START + next(offsets) * SECOND, last))
        return ReceiveClock(last, wall=lambda: anchors[-1])

    tape = tmp_path / "tape"
    with ScriptedServer(failing(restart, times=3)) as peer:
        record_here(peer.url, tape, {BTC: summaries(3, connection=3)}, clock_for=clock_for)
    rows = assert_sound(tape)
    assert [frames_on(rows, connection) for connection in range(4)] == [book(number) for number in range(4)]
    first_times = [row.recv_time for row in rows if row.kind == "connected"]
    assert all(one <= two < one + 60 * SECOND for one, two in zip(anchors, first_times, strict=True))


def test_a_clock_that_jumps_seals_in_time(tmp_path: Path) -> None:
    """Segments end by rows and time as usual while the clock jumps by an hour at every connection."""
    walls = iter(range(START, START + 10**15, 3600 * SECOND))

    tape = tmp_path / "tape"
    with ScriptedServer(failing(restart, times=30)) as peer:
        settings = ConnectionSettings(
            "exchange",
            peer.url,
            backoff=QUICK,
            clock_for=lambda _product, last: ReceiveClock(last, wall=lambda: next(walls)),
            connections=30,
            spacing=0.0,
        )
        recorded: Recorded = record([BTC], tape, RecordSettings(settings))
    rows = assert_sound(tape)
    assert [row.connection for row in rows if row.kind == "connected"] == list(range(30))
    dates = {path.parent.name for path in tape.glob("product=*/date=*/*.parquet")}
    assert dates == {"date=2026-08-09", "date=2026-08-10", "date=2026-08-11"}
    assert verify(tape).tallies[BTC].digest.hexdigest() == recorded.digests[BTC]


BOOTED = ClockReading(START, 50 * SECOND, 60 * SECOND)


def later(seconds: int, *, set_by: int = 0, suspended: int = 0) -> ClockReading:
    """Return the clocks some seconds after BOOTED, with what happened to them meanwhile."""
    wall, running, elapsed = BOOTED
    passed = seconds * SECOND
    return ClockReading(wall + passed + set_by + suspended, running + passed, elapsed + passed + suspended)


@pytest.mark.parametrize("set_by", [0, SECOND // 2, -SECOND // 2, 9 * 365 * 86_400 * SECOND, -(10**18)])
@pytest.mark.parametrize("suspended", [0, SECOND // 2, 10**15])
@pytest.mark.parametrize("seconds", [0, 1, 10**6])
def test_jumps_are_told_apart(seconds: int, set_by: int, suspended: int) -> None:
    """A clock that was set and a machine that was suspended are found, whatever time has passed."""
    jump = clock_jump(BOOTED, later(seconds, set_by=set_by, suspended=suspended))
    assert jump == (ClockJump(set_by, suspended) if set_by or suspended else None)


@given(st.integers(1, 10**6), st.integers(-SECOND // 4, SECOND // 4), st.integers(0, SECOND // 4))
def test_a_clock_that_is_slewed_does_not_jump(seconds: int, set_by: int, suspended: int) -> None:
    """What NTP corrects between two looks is no jump."""
    assert clock_jump(BOOTED, later(seconds, set_by=set_by, suspended=suspended)) is None


def test_the_machine_has_not_jumped() -> None:
    """The clocks of this machine are read in the right order: none has jumped since the line before."""
    assert clock_jump(ClockReading.now(), ClockReading.now()) is None


def test_a_jump_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A jump is logged when it is seen, and the clock is believed from then on."""
    hour = 3600 * SECOND
    looks = iter([BOOTED, later(1), later(2, set_by=-hour), later(3, set_by=-hour), later(4, suspended=hour)])
    watch = ClockWatch(lambda: next(looks))
    logged = []
    for _ in range(4):
        caplog.clear()
        watch.look()
        logged.append([record.getMessage() for record in caplog.records])
    assert [len(lines) for lines in logged] == [0, 1, 0, 2]
    assert "set back by 3600.0 s" in logged[1][0]
    assert "suspended for 3600.0 s" in logged[3][0]
    assert "set forward by 3600.0 s" in logged[3][1]
