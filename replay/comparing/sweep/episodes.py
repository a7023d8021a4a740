"""Open episodes of all thresholds at once, and the durations of those that closed.

`orderbook.episodes` defines an episode. The open ones are a stack of ranges of thresholds, without holes from
0 to the level: each begins at its `low` and ends where the next one begins. Every range is pushed once and
popped once.

The *head* are the episodes that begin with the very first summary: they may have begun in an earlier part of
the tape, which is added later. They lie at the bottom of the stack, and when they close they are kept apart:
one entry at most for each threshold.
"""

from array import array
from typing import Final, NamedTuple

import numpy as np

from replay.comparing.sweep.order_statistics import Ints

_MIN_PAIRS: Final = 32
"""Fewer pairs of moves are faster in Python than in numpy."""


class Closed(NamedTuple):
    """Ranges [low, high) of episodes that closed: durations in ns, and keys of the parts they began in."""

    low: Ints
    high: Ints
    duration: Ints
    key: Ints


class HeadClosing(NamedTuple):
    """The thresholds [low, high) of the head that closed at a time."""

    low: int
    high: int
    time: int


class _Beginning(NamedTuple):
    """Level, time and key of the first summary."""

    level: int
    time: int
    key: int


class OpenEpisodes:
    """The stack; times in nanoseconds since 1970, keys as in `replay.comparing.sweep.parts`."""

    def __init__(self) -> None:
        self.level = 0
        self.head: list[HeadClosing] = []
        self._beginning: _Beginning | None = None
        self._head_is_open = False
        self._low: list[int] = []
        self._since: list[int] = []
        self._key: list[int] = []
        self._closed: tuple[array[int], ...] = tuple(array("q") for _ in Closed._fields)
        self._closed_at_once: list[Closed] = []

    def move(self, levels: Ints, times: Ints, keys: Ints) -> None:
        """Set the level to each of `levels` at its time. O(1) amortised for each."""
        if not len(levels):
            return
        if self._beginning is None:
            self._beginning = _Beginning(int(levels[0]), int(times[0]), int(keys[0]))
            self._head_is_open = self._beginning.level > 0
        if self._head_is_open:  # `_close_pairs` cannot tell the head from others
            self._step(levels[:1], times[:1], keys[:1])
            levels, times, keys = levels[1:], times[1:], keys[1:]
        self._step(*self._close_pairs(levels, times, keys))

    def _close_pairs(self, levels: Ints, times: Ints, keys: Ints) -> tuple[Ints, Ints, Ints]:
        """Close what opens and closes within these moves, many at once; return the remaining moves.

        If a rise is followed by a fall, the thresholds that both cross were open between them. One of the two
        moves is then used up, and others become neighbours. In a restless market each round halves the moves.
        """
        before = np.concatenate([[self.level], levels[:-1]])
        while True:
            rises = np.flatnonzero((levels[:-1] > before[:-1]) & (levels[1:] < before[1:]))
            if len(rises) <= _MIN_PAIRS:
                return levels, times, keys
            falls = rises + 1
            shared = np.maximum(before[rises], levels[falls])
            self._closed_at_once.append(
                Closed(shared, levels[rises], times[falls] - times[rises], keys[rises])
            )
            after = levels.copy()
            after[rises] = before[falls] = shared
            left = after != before
            before, levels, times, keys = before[left], after[left], times[left], keys[left]

    def _step(self, levels: Ints, times: Ints, keys: Ints) -> None:
        """Process moves one by one."""
        lows, sinces, open_keys = self._low, self._since, self._key
        close_low, close_high, close_duration, close_key = (column.append for column in self._closed)
        head_is_open = self._head_is_open
        current = self.level
        for level, time, key in zip(levels.tolist(), times.tolist(), keys.tolist(), strict=True):
            if level > current:
                lows.append(current)
                sinces.append(time)
                open_keys.append(key)
            while current > level:
                low = lows[-1]
                since = sinces[-1]
                open_key = open_keys[-1]
                is_head = head_is_open and not low
                if low >= level:
                    lows.pop()
                    sinces.pop()
                    open_keys.pop()
                else:
                    low = level  # the rest of the range stays open
                if is_head:
                    self.head.append(HeadClosing(low, current, time))
                    head_is_open = low > 0
                else:
                    close_low(low)
                    close_high(current)
                    close_duration(time - since)
                    close_key(open_key)
                current = low
            current = level
        self.level = current
        self._head_is_open = head_is_open

    @property
    def first_time(self) -> int | None:
        """Time of the first summary."""
        return None if self._beginning is None else self._beginning.time

    def pop_closed(self) -> Closed:
        """Return what closed since the last call, without the head."""
        stepped = Closed._make(np.frombuffer(column, np.int64) for column in self._closed)
        closed = Closed._make(map(np.concatenate, zip(stepped, *self._closed_at_once, strict=True)))
        self._closed = tuple(array("q") for _ in Closed._fields)
        self._closed_at_once = []
        return closed

    def close_head(self) -> None:
        """Treat the head like all others: nothing precedes it."""
        self._head_is_open = False
        if self._beginning is not None:
            for low, high, time in self.head:
                values = (low, high, time - self._beginning.time, self._beginning.key)
                for column, value in zip(self._closed, values, strict=True):
                    column.append(value)
        self.head = []

    def continue_with(self, later: "OpenEpisodes") -> None:
        """Add the next part of the same connection: what it closed of its head are our episodes."""
        beginning = later._beginning
        if beginning is None:
            return
        levels = np.array([beginning.level, *(closing.low for closing in later.head)])
        times = np.array([beginning.time, *(closing.time for closing in later.head)])
        self.move(levels, times, np.full_like(levels, beginning.key))
        self._append(later, first=int(later._head_is_open))

    def append(self, later: "OpenEpisodes") -> None:
        """Add a part of another connection; all our own episodes are closed."""
        later.close_head()
        self._append(later, first=0)

    def _append(self, later: "OpenEpisodes", first: int) -> None:
        self._low += later._low[first:]
        self._since += later._since[first:]
        self._key += later._key[first:]
        self.level = later.level
        for column, more in zip(self._closed, later._closed, strict=True):
            column.extend(more)
        self._closed_at_once += later._closed_at_once
        if self._beginning is None:
            self._beginning = later._beginning
