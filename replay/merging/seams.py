"""Seams: where a connection of another recorder continues the book of one that ends, proven level by level.

Two connections that see the same exchange go through the same states. They are found by content: a state is
the whole book and the last trade_id. Only a state that each of two windows holds once tells where the same
moment is on both sides: an order that comes and goes gives the same book several times. The last such state
before the end is the seam, and what the first connection has after it comes from the second.

Times only say where to look, and a state of another moment is refused: the clocks of the exchange's own
servers differ by milliseconds.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from orderbook.engine import Engine
from orderbook.times import NS
from replay.merging.connections import Row, SourceConnection
from replay.merging.states import StateKey, StateRun, StateWindow, book_before, state_window

_WINDOWS_S: Final = (3, 10, 60, 600)
"""Seconds before the end of a connection in which a seam is looked for, one after the other."""

_APART_NS: Final = NS
"""Exchange times of the same state differ by less: the clocks of the exchange's servers by milliseconds."""

_CLOCKS_NS: Final = NS // 5
"""Exchange times of the same update on two connections differ by less: 13 ms were measured at most, and a
frame of the Advanced feed holds what came in some 50 ms."""


@dataclass(frozen=True, slots=True)
class Seam:
    """A proven seam.

    Attributes:
        end: the first row of the connection that ends that is left out.
        last_time: time of the row before it.
        start: the first row of the other connection that is taken.
    """

    end: int
    last_time: int
    start: Row


@dataclass(frozen=True, slots=True)
class Search:
    """What was found between two connections.

    Attributes:
        seam: the seam; None if none is proven.
        is_behind: whether the other connection ends before the first one does, so that it adds nothing.
    """

    seam: Seam | None = None
    is_behind: bool = False


def find_seam(first: SourceConnection, limit: Row, second: SourceConnection, engine: Engine) -> Search:
    """Return where a second connection continues the book of the first.

    Args:
        first: the connection that ends.
        limit: the row before which it ends.
        second: a connection of another tape that was up then.
        engine: runs the books.
    """
    if None not in (first.subscribes, second.subscribes) and first.subscribes != second.subscribes:
        return Search()  # trades would begin or end in the middle of a connection
    apart = 0
    if first.clock is not None and second.clock is not None:
        apart = second.clock + second.shift - first.clock - first.shift
    for seconds in _WINDOWS_S:
        width, end = seconds * NS, limit.time
        mine = state_window(first, end - width, end, limit.seq, engine)
        there = end + apart
        other = state_window(second, there - 2 * width, there + 2 * width, second.end.seq, engine)
        if mine is not None and other is not None:
            found = _search(mine, other, engine)
            if found.seam is not None or found.is_behind:
                return found
    return Search()


def _search(mine: StateWindow, other: StateWindow, engine: Engine) -> Search:
    pairs = _common(mine, other)
    if not pairs or (mine.had_trades and not other.had_trades):
        return Search()
    my_run, other_run = pairs[-1]
    if my_run.is_begun and other_run.is_begun:
        end, start = my_run.first_seq, other_run.first_seq
    elif my_run.frames or other_run.frames:
        return Search()  # frames that change nothing, and where the windows begin among them is not known
    else:
        end = my_run.end_seq
        start = other.first_after(other_run, mine.time_before(end))
    adds_nothing = other.is_last and other_run is other.runs[-1] and my_run is not mine.runs[-1]
    if adds_nothing or start >= other.connection.end.seq:
        return Search(is_behind=True)
    books = [book_before(window, seq, engine) for window, seq in ((mine, end), (other, start))]
    if books[0] is None or books[0] != books[1]:
        return Search()
    return Search(Seam(end, mine.time_before(end), _row(other.connection, start)))


def _row(connection: SourceConnection, seq: int) -> Row:
    (rows,) = connection.source.rows(seq, seq + 1)
    return Row(seq, rows.column("recv_time")[0].value + connection.shift)


def _common(mine: StateWindow, other: StateWindow) -> list[tuple[StateRun, StateRun]]:
    """Return the runs of states that each window has once, in order; none if their orders differ."""
    places = _unique(other)
    pairs = [(run, places[key]) for key, run in _unique(mine).items() if key in places]
    pairs = [
        (my_run, other_run)
        for my_run, other_run in pairs
        if _is_same_moment(my_run, other_run)
        and (_covers(other, my_run) or _covers(mine, other_run))
        and my_run.end_seq > mine.first_seq
    ]
    is_ordered = all(first.end_seq < second.end_seq for (_, first), (_, second) in pairwise(pairs))
    return pairs if is_ordered else []


def _unique(window: StateWindow) -> dict[StateKey, StateRun]:
    counts = Counter(run.key for run in window.runs)
    return {run.key: run for run in window.runs if run.key is not None and counts[run.key] == 1}


def _covers(window: StateWindow, run: StateRun) -> bool:
    """Tell whether a window surely has the moment of a run of the other one.

    If neither has the other's, a state that came twice may be there once in each, at different moments: one
    connection had ended before the second time, and the other began after the first.
    """
    if run.exchange_time is None:
        return False
    times = [each.exchange_time for each in window.runs if each.exchange_time is not None]
    return bool(times) and min(times) + _CLOCKS_NS <= run.exchange_time <= max(times) - _CLOCKS_NS


def _is_same_moment(first: StateRun, second: StateRun) -> bool:
    times = first.exchange_time, second.exchange_time
    return times[0] is None or times[1] is None or abs(times[0] - times[1]) < _APART_NS
