"""The timing of a replay, on a clock that the tests move by hand."""

import math
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from orderbook.engine import Step
from recorder.api import import_captures
from recorder.dataflow.running import run_to_end
from recorder.tape.reader import Tape
from recorder.tape.writer import TapeWriter
from replay.dataflow.flows import replay_flow
from replay.dataflow.sources import TapeSource, paced_source
from replay.running import api as running
from replay.running.pacing import Pacer
from replay.running.settings import ReplaySettings
from replay.running.window import Window
from tests.support import tapes
from tests.support.constants import MS, SECOND, START
from tests.support.tapes import Recording, Timed

PRODUCTS = ("A-USD", "B-USD", "C-USD")
SPEEDS = (0.5, 1.0, 7.5, 1000.0)


class HandClock:
    """A clock that moves only when somebody sleeps on it.

    Args:
        overslept_ns: by how much each sleep is too long.
        stalls: at which times of the clock a sleep lasts how much longer, once each.
        tick_ns: what a look at the clock takes; more than nothing where somebody spins.

    Attributes:
        naps: from when to when it was to be slept.
    """

    def __init__(self, overslept_ns: int = 0, stalls: dict[int, int] | None = None, tick_ns: int = 0) -> None:
        self.now = 5 * SECOND
        self.started = self.now + tick_ns
        self.naps: list[tuple[int, float]] = []
        self._tick_ns = tick_ns
        self._overslept_ns = overslept_ns
        self._stalls = sorted((self.now + at, length) for at, length in (stalls or {}).items())

    def monotonic_ns(self) -> int:
        """Return the current time."""
        self.now += self._tick_ns
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move the clock."""
        assert seconds > 0
        self.naps.append((self.now, self.now + seconds * SECOND))
        self.now += math.ceil(seconds * SECOND) + self._overslept_ns
        if self._stalls and self._stalls[0][0] <= self.now:
            self.now += self._stalls.pop(0)[1]


class Handed(NamedTuple):
    """Rows that were handed over at one time of the clock."""

    at: int
    product: str
    seqs: list[int]
    times: list[int]


def play(tape: Path, pacer: Pacer | None, clock: HandClock, **options: object) -> list[Handed]:
    """Poll a tape's partitions in turn, as bytewax does, until all have ended."""
    opened = Tape.open(tape)
    source = TapeSource(opened, opened.select(()), pacer, **options)  # type: ignore[arg-type]
    parts = [source.build_part("tape", product, None) for product in source.list_parts()]
    handed = []
    while parts:
        for part in list(parts):
            try:
                items = part.next_batch()
            except StopIteration:
                parts.remove(part)
                continue
            for product, rows in items:
                times = rows.column("recv_time").view(pa.int64()).to_pylist()
                handed.append(Handed(clock.now, product, rows.column("seq").to_pylist(), times))
    return handed


def pacer_of(
    clock: HandClock, speed: float, idle_limit_ns: int | None = None, *, precise: bool = False
) -> Pacer:
    """Return a pacer on a clock, whose first row is due at once."""
    return Pacer(
        speed, START, idle_limit_ns, precise=precise, monotonic_ns=clock.monotonic_ns, sleep=clock.sleep
    )


def due(clock: HandClock, time: int, speed: float) -> Fraction:
    """Return when a row is due on the clock, exactly."""
    return clock.started + (time - START) / Fraction(speed)


def random_frames(seed: int, rows: int) -> Iterator[Timed]:
    """Yield frames of all products in irregular order, with silences of one product and of all."""
    rng = random.Random(seed)
    for product in PRODUCTS:
        yield 0, tapes.snapshot(product)
    time = 0
    quiet: dict[str, int] = {}
    for _ in range(rows):
        time += rng.choice((0, rng.randrange(1000), rng.randrange(30 * MS), rng.randrange(30 * MS)))
        if rng.random() < 0.01:
            time += rng.randrange(9 * SECOND)
        product = rng.choice(PRODUCTS)
        if rng.random() < 0.01:
            quiet[product] = time + rng.randrange(9 * SECOND)
        if quiet.get(product, 0) <= time:
            yield time, tapes.update(product)


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of three products with irregular times."""
    return tapes.import_frames(tmp_path_factory.mktemp("pacing"), random_frames(1, 700))


def all_times(tape: Path) -> list[int]:
    """Return recv_time of all rows of all products, sorted."""
    return sorted(row.recv_time for product in PRODUCTS for row in tapes.tape_rows(tape, product))


def assert_whole(tape: Path, handed: Sequence[Handed]) -> None:
    """Assert that every row was handed over once, in order within its product."""
    for product in PRODUCTS:
        seqs = [seq for each in handed if each.product == product for seq in each.seqs]
        assert seqs == [row.seq for row in tapes.tape_rows(tape, product)]


@pytest.mark.parametrize("batch_rows", [1, 8192])
@pytest.mark.parametrize("speed", SPEEDS)
def test_nothing_is_early_or_late(tape: Path, speed: float, batch_rows: int) -> None:
    """On an exact clock every row is handed over when it is due, to the nanosecond, and none is skipped."""
    clock = HandClock()
    pacer = pacer_of(clock, speed)
    handed = play(tape, pacer, clock, batch_rows=batch_rows)
    assert_whole(tape, handed)
    for each in handed:
        for time in each.times:
            assert 0 <= each.at - due(clock, time, speed) + 1 <= 3
    document = pacer.timing().document()
    assert document is not None
    assert document.late_ms_max < 1e-5
    assert document.idle_cut_s == 0


@pytest.mark.parametrize("overslept_ns", [0, 700_000])
@pytest.mark.parametrize("speed", SPEEDS)
def test_order_among_products(tape: Path, speed: float, overslept_ns: int) -> None:
    """Between two readings of the clock products come in the order of recv_time."""
    clock = HandClock(overslept_ns)
    handed = play(tape, pacer_of(clock, speed), clock, batch_rows=50)
    assert_whole(tape, handed)
    by_reading: dict[int, list[int]] = {}
    for each in handed:
        by_reading.setdefault(each.at, []).extend(each.times)
    assert len(by_reading) > 100 / speed
    for before, after in pairwise(by_reading.values()):
        assert max(before) <= min(after)
    for each in handed:
        assert all(each.at >= due(clock, time, speed) - 1 for time in each.times)


@pytest.mark.parametrize("speed", SPEEDS)
def test_falling_behind_is_caught_up(tape: Path, speed: float) -> None:
    """After a stall all due rows come at once, none is skipped, and the deadlines do not move."""
    stalled_ns = 3 * SECOND
    clock = HandClock(stalls={SECOND // 100: stalled_ns})
    pacer = pacer_of(clock, speed)
    handed = play(tape, pacer, clock, batch_rows=20)
    assert_whole(tape, handed)
    late = [each.at - due(clock, time, speed) for each in handed for time in each.times]
    assert min(late) >= -1
    document = pacer.timing().document()
    assert document is not None
    assert document.late_ms_max == pytest.approx(float(max(late)) / MS, rel=1e-9)
    assert stalled_ns / 2 < max(late) <= stalled_ns + 10 * MS
    assert document.behind_rows == sum(each > 10 * MS for each in late) > 0
    last = max(all_times(tape))
    on_time = [
        each.at - due(clock, time, speed)
        for each in handed
        for time in each.times
        if due(clock, time, speed) > clock.started + 4 * SECOND
    ]
    if due(clock, last, speed) > clock.started + 4 * SECOND:
        assert on_time
        assert max(on_time) <= 2


@pytest.mark.parametrize("precise", [False, True])
@pytest.mark.parametrize("speed", [0.5, 1.0, 7.3, 1000.0])
def test_nothing_accumulates(tape: Path, speed: float, precise: bool) -> None:
    """However often a sleep is too long, the replay takes as long as the tape, to within one such sleep."""
    overslept_ns = 700_000
    clock = HandClock(overslept_ns, tick_ns=1000)
    pacer = pacer_of(clock, speed, precise=precise)
    handed = play(tape, pacer, clock, batch_rows=50)
    assert_whole(tape, handed)
    document = pacer.timing().document()
    assert document is not None
    error = handed[-1].at - due(clock, max(all_times(tape)), speed)
    assert document.duration_error_ms == pytest.approx(float(error) / MS, abs=1e-4)
    assert document.duration_s == pytest.approx((handed[-1].at - clock.started) / SECOND, abs=1e-7)
    assert len(clock.naps) > 2
    assert 0 <= error < overslept_ns + 0.1 * MS


@pytest.mark.parametrize("speed", SPEEDS)
def test_precise_spins_up_to_the_deadline(tape: Path, speed: float) -> None:
    """A precise clock sleeps until 1.5 ms before the next row of any product, and then spins."""
    clock = HandClock(overslept_ns=1_200_000, tick_ns=1000)
    pacer = pacer_of(clock, speed, precise=True)
    handed = play(tape, pacer, clock, batch_rows=50)
    assert_whole(tape, handed)
    late = [each.at - due(clock, time, speed) for each in handed for time in each.times]
    assert min(late) >= -1
    assert max(late) < 0.1 * MS
    dues = [(each.at, min(due(clock, time, speed) for time in each.times)) for each in handed]
    assert clock.naps
    for slept_from, slept_to in clock.naps:
        assert slept_to <= min(deadline for at, deadline in dues if at > slept_from) - 1.4 * MS


def arrivals(tape: Path, pacer: Pacer, clock: HandClock) -> list[Handed]:
    """Run a tape through a real flow; return the rows that arrive at its end, and when."""
    opened = Tape.open(tape)
    source = TapeSource(opened, opened.select(()), pacer, batch_rows=50)
    streams = replay_flow(source, opened.feed, recoverable=False)
    times = {
        (product, row.seq): row.recv_time for product in PRODUCTS for row in tapes.tape_rows(tape, product)
    }
    arrived = []

    def take(product: str, step: Step) -> None:
        assert step.span.first_seq is not None
        assert step.span.next_seq is not None
        seqs = list(range(step.span.first_seq, step.span.next_seq))
        arrived.append(Handed(clock.now, product, seqs, [times[product, seq] for seq in seqs]))

    streams.into("arrivals", streams.steps, take)
    run_to_end(streams.flow, source.failure)
    return arrived


@pytest.mark.parametrize("stalls", [{}, {SECOND // 100: 3 * SECOND}])
@pytest.mark.parametrize("precise", [False, True])
@pytest.mark.parametrize("speed", [1.0, 1000.0])
def test_products_at_the_end_of_a_flow(
    tape: Path, speed: float, precise: bool, stalls: dict[int, int]
) -> None:
    """After the book, too, no row is early or later than reported, and products interleave to within that.

    No product's row waits in the flow while the clock sleeps for another product.
    """
    clock = HandClock(300_000, stalls, tick_ns=1000)
    pacer = pacer_of(clock, speed, precise=precise)
    arrived = arrivals(tape, pacer, clock)
    assert_whole(tape, arrived)
    document = pacer.timing().document()
    assert document is not None
    latest_ns = document.late_ms_max * MS + 20_000  # looks at the clock for other products of the round
    reached = 0
    for each in arrived:
        for time in each.times:
            assert -1 <= each.at - due(clock, time, speed) <= latest_ns
        assert (reached - min(each.times)) / speed <= latest_ns
        reached = max(reached, *each.times)
    assert (latest_ns > SECOND) == bool(stalls)


@pytest.mark.parametrize("limit_ns", [20 * MS, 2 * SECOND, 60 * SECOND])
@pytest.mark.parametrize("speed", [0.5, 1000.0])
def test_idle_limit(tape: Path, speed: float, limit_ns: int) -> None:
    """Only a silence of all products is cut, down to the limit, and the cut is reported."""
    clock = HandClock()
    pacer = pacer_of(clock, speed, limit_ns)
    handed = play(tape, pacer, clock, batch_rows=64)
    assert_whole(tape, handed)
    times = all_times(tape)
    cut_before = dict.fromkeys(times, 0)  # silence cut before each time
    cut = 0
    for before, after in pairwise(times):
        cut += max(0, after - before - limit_ns)
        cut_before[after] = cut
    document = pacer.timing().document()
    assert document is not None
    assert document.idle_cut_s == cut / SECOND
    assert (cut > 0) == (limit_ns < 60 * SECOND)
    for each in handed:
        for time in each.times:
            assert 0 <= each.at - due(clock, time - cut_before[time], speed) + 1 <= 3
    for first, second in pairwise(handed):
        assert (second.at - first.at) * Fraction(speed) <= limit_ns + 3 * Fraction(speed)


@pytest.mark.parametrize("speed", [1.0, 1000.0])
def test_idle_limit_while_behind(tape: Path, speed: float) -> None:
    """The cut silence depends on the tape alone, even if the replay has fallen behind."""
    limit_ns = 20 * MS
    clock = HandClock(stalls={SECOND // 100: 3 * SECOND})
    pacer = pacer_of(clock, speed, limit_ns)
    assert_whole(tape, play(tape, pacer, clock, batch_rows=64))
    cut = sum(max(0, after - before - limit_ns) for before, after in pairwise(all_times(tape)))
    assert pacer.cut_ns == cut


def test_a_quiet_product_does_not_cut(tmp_path: Path) -> None:
    """The silence of one product is not cut while another has rows, nor after it has ended."""
    frames = [(0, tapes.snapshot(product)) for product in PRODUCTS]
    frames += [(n * 400 * MS, tapes.update("A-USD")) for n in range(1, 26)]
    frames.append((10 * SECOND, tapes.update("B-USD")))
    tape = tapes.import_frames(tmp_path, frames)
    clock = HandClock()
    pacer = pacer_of(clock, 1.0, SECOND)
    handed = play(tape, pacer, clock)
    document = pacer.timing().document()
    assert document is not None
    assert document.idle_cut_s == 0
    assert handed[-1].at == clock.started + 10 * SECOND


def test_rows_before_a_window_are_not_paced(tape: Path) -> None:
    """Rows before the window are handed over at once; the first reported row starts the clock."""
    times = all_times(tape)
    start = times[len(times) // 2]
    window = Window(start, times[-10])
    clock = HandClock()
    pacer = Pacer(1.0, start, None, monotonic_ns=clock.monotonic_ns, sleep=clock.sleep)
    handed = play(tape, pacer, clock, window=window)
    for each in handed:
        for time in each.times:
            expected = clock.started + max(0, time - start)
            assert 0 <= each.at - expected + 1 <= 3
    assert sum(len(each.times) for each in handed) == sum(time < times[-10] for time in times)


def test_a_followed_row_is_late_from_when_it_could_be_read(tmp_path: Path) -> None:
    """The lateness of a row that was recorded after it was due counts from the last poll without it."""
    frames: list[Timed] = [(0, tapes.snapshot("A-USD"))]
    frames += [(n * MS, tapes.update("A-USD", ("buy", "98", str(n)))) for n in range(1, 30)]
    tape = tapes.import_frames(tmp_path, frames[:10])
    clock = HandClock()
    pacer = pacer_of(clock, 1.0)
    opened = Tape.open(tape)
    window = Window(end=START + 25 * MS)
    source = TapeSource(opened, ("A-USD",), pacer, window, following=True)
    part = source.build_part("tape", "A-USD", None)
    while pacer.timing().elapsed_ns < 9 * MS:
        part.next_batch()
    clock.now += 2 * SECOND
    assert part.next_batch() == []
    clock.now += 4 * MS
    import_captures([tapes.write_capture(tmp_path / "more", frames[10:])], tape)
    ((_, rows),) = part.next_batch()
    assert rows.num_rows > 10
    document = pacer.timing().document()
    assert document is not None
    assert document.late_ms_max == pytest.approx(4)
    assert document.duration_error_ms == pytest.approx(4)
    assert document.behind_rows == 0


def test_a_backlog_of_a_followed_tape_is_late() -> None:
    """The lateness of a row that could be read and was not counts from when it was due."""
    clock = HandClock()
    pacer = pacer_of(clock, 1.0)
    times = START + np.arange(3) * MS
    for time, late_ms in zip(times, (0, 5, 5), strict=True):
        pacer.announce("A-USD", int(time))
        while not pacer.ready("A-USD", np.array([time])):
            pass
        clock.now += late_ms * MS
        pacer.handed_over("A-USD", np.array([time]))
    document = pacer.timing().document()
    assert document is not None
    assert document.late_ms_max == pytest.approx(9)


def test_the_first_row_of_an_empty_tape_is_due_at_once(tmp_path: Path) -> None:
    """A tape that is followed from before its first row starts with that row, whatever its year."""
    TapeWriter.open(tmp_path / "tape", "exchange", ["A-USD"], "a test").close()
    window = Window(end=START + 2 * MS)
    settings = ReplaySettings(("A-USD",), speed=1.0, window=window, batch_rows=10, follow=True)
    source = paced_source(Tape.open(tmp_path / "tape"), settings)
    part = source.build_part("tape", "A-USD", None)
    assert part.next_batch() == []
    frames = [(0, tapes.snapshot("A-USD")), (3 * MS, tapes.update("A-USD"))]
    import_captures([tapes.write_capture(tmp_path / "capture", frames)], tmp_path / "tape")
    ((_, rows),) = part.next_batch()
    assert rows.column("seq").to_pylist() == [0, 1]


def test_run_reports_its_pacing(recording: Recording) -> None:
    """A real paced replay reports how late it was, and an unpaced one reports nothing."""
    pacing = running.run(recording.tape, ReplaySettings(speed=200.0, idle_limit=0.001), keep=False).pacing
    assert pacing is not None
    assert 0 <= pacing["late_ms_p50"] <= pacing["late_ms_p99"] <= pacing["late_ms_max"]
    times = sorted(
        row.recv_time
        for product in ("BTC-USD", "ETH-USD")
        for row in tapes.tape_rows(recording.tape, product)
    )
    cut = sum(max(0, after - before - MS) for before, after in pairwise(times))
    assert 0 <= pacing["idle_cut_s"] <= cut / SECOND
    ideal_s = ((times[-1] - times[0]) / SECOND - pacing["idle_cut_s"]) / 200.0
    assert pacing["duration_s"] - ideal_s == pytest.approx(pacing["duration_error_ms"] / 1000, abs=1e-6)
    assert running.run(recording.tape, keep=False).pacing is None
