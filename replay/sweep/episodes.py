"""Which episodes are open, and how long those lasted that closed.

The open ones are a stack of ranges of thresholds without holes from 0 to the level: each begins at its `low`
and ends where the next one begins. Every range is pushed once and popped once.

Those that began with the very first summary (the *head*) may have begun before it, in the part of the tape
that precedes this one. They lie at the bottom of the stack, and what closes of them is kept apart: one entry
at most for each threshold.
"""

from array import array
from typing import Final, NamedTuple

import numpy as np

from replay.order_statistics import Ints

_FEW: Final = 32
"""Pairs of moves that are sooner done one by one."""


class Closed(NamedTuple):
    """Ranges [low, high) of episodes that closed: how long they lasted, and under which key they began."""

    low: Ints
    high: Ints
    duration: Ints
    key: Ints


class HeadClosing(NamedTuple):
    """The thresholds [low, high) of the head closed."""

    low: int
    high: int
    time: int


class _Beginning(NamedTuple):
    """The first summary."""

    level: int
    time: int
    key: int


class OpenEpisodes:
    """The stack; times in nanoseconds since 1970, keys as `replay.sweep.parts` gives them."""

    def __init__(self) -> None:
        self.level = 0
        self.head: list[HeadClosing] = []
        self._begun: _Beginning | None = None
        self._head_is_open = False
        self._low: list[int] = []
        self._since: list[int] = []
        self._key: list[int] = []
        self._closed: tuple[array[int], ...] = tuple(array("q") for _ in Closed._fields)
        self._peeled: list[Closed] = []

    def move(self, levels: Ints, times: Ints, keys: Ints) -> None:
        """Let the level become each of `levels` at its time. O(1) amortised for each."""
        if not len(levels):
            return
        if self._begun is None:
            self._begun = _Beginning(int(levels[0]), int(times[0]), int(keys[0]))
            self._head_is_open = self._begun.level > 0
        self._walk(levels, times, keys)

    def _walk(self, levels: Ints, times: Ints, keys: Ints) -> None:
        if self._head_is_open:  # what it shares with others is not for the rounds of `_peel`
            self._step(levels[:1], times[:1], keys[:1])
            levels, times, keys = levels[1:], times[1:], keys[1:]
        self._step(*self._peel(levels, times, keys))

    def _peel(self, levels: Ints, times: Ints, keys: Ints) -> tuple[Ints, Ints, Ints]:
        """Close what opens and closes within these moves, many at once; return the moves that are left.

        Where a rise is followed by a fall, what both share was open between them. One of the two is then used
        up, and others become neighbours; each round so leaves about half of the moves of a restless market.
        """
        before = np.concatenate([[self.level], levels[:-1]])
        while True:
            rises = np.flatnonzero((levels[:-1] > before[:-1]) & (levels[1:] < before[1:]))
            if len(rises) <= _FEW:
                return levels, times, keys
            falls = rises + 1
            shared = np.maximum(before[rises], levels[falls])
            self._peeled.append(Closed(shared, levels[rises], times[falls] - times[rises], keys[rises]))
            after = levels.copy()
            after[rises] = before[falls] = shared
            left = after != before
            before, levels, times, keys = before[left], after[left], times[left], keys[left]

    def _step(self, levels: Ints, times: Ints, keys: Ints) -> None:
        """Move one by one."""
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
        """When the first summary was."""
        return None if self._begun is None else self._begun.time

    def take_closed(self) -> Closed:
        """Return what closed since the last call, without the head."""
        stepped = Closed._make(np.frombuffer(column, np.int64) for column in self._closed)
        taken = Closed._make(map(np.concatenate, zip(stepped, *self._peeled, strict=True)))
        self._closed = tuple(array("q") for _ in Closed._fields)
        self._peeled = []
        return taken

    def close_head(self) -> None:
        """Let the head be as all others: nothing precedes it."""
        self._head_is_open = False
        if self._begun is not None:
            for low, high, time in self.head:
                values = (low, high, time - self._begun.time, self._begun.key)
                for column, value in zip(self._closed, values, strict=True):
                    column.append(value)
        self.head = []

    def take_up(self, later: "OpenEpisodes") -> None:
        """Go on as the next part of the same connection did: what it closed of its head are ours."""
        begun = later._begun
        if begun is None:
            return
        levels = np.array([begun.level, *(closing.low for closing in later.head)])
        times = np.array([begun.time, *(closing.time for closing in later.head)])
        self.move(levels, times, np.full_like(levels, begun.key))
        self._stack_upon(later, first=int(later._head_is_open))

    def take_up_apart(self, later: "OpenEpisodes") -> None:
        """Go on as a part did that is not of the same connection: all of our own are closed."""
        later.close_head()
        self._stack_upon(later, first=0)

    def _stack_upon(self, later: "OpenEpisodes", first: int) -> None:
        self._low += later._low[first:]
        self._since += later._since[first:]
        self._key += later._key[first:]
        self.level = later.level
        for column, more in zip(self._closed, later._closed, strict=True):
            column.extend(more)
        self._peeled += later._peeled
        if self._begun is None:
            self._begun = later._begun
