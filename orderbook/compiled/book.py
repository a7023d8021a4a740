"""The book of the compiled engine, as Python sees it: the owner of the kernel's memory."""

from typing import Final

import numpy as np
import numpy.typing as npt

from orderbook.compiled import frames, near
from orderbook.compiled.blocks import (
    ABSENT_DELETES,
    BLOCK,
    BLOCKS,
    FREE,
    IS_KNOWN,
    LOWEST,
    NOOP_SETS,
    POOL,
    STRIDE,
)
from orderbook.compiled.kernel import MISSING_BLOCKS, MISSING_PLACES, NO_CONNECTION, NUMBERED, REGISTERS
from orderbook.compiled.loading import Kernels
from orderbook.frames import BookEvent, Level

_Words = npt.NDArray[np.int64]

_FIRST_BLOCKS: Final = 16
_FIRST_CHANGES: Final = 256


class CompiledBook:
    """Bids and asks, held as `levels` says. It does what `OrderBookState` does.

    Attributes:
        near, words, directory, registers: the book.
        changes, events: where a frame is kept between reading and applying it.
    """

    def __init__(self, kernels: Kernels) -> None:
        self._kernels = kernels
        self.words: _Words = np.zeros(0, np.int64)
        self.directory: _Words = np.zeros(0, np.int64)
        self.near: _Words = np.zeros(0, np.int64)
        self.registers: _Words = np.zeros(REGISTERS, np.int64)
        self.registers[NUMBERED] = NO_CONNECTION
        self.registers[near.TICK] = 1
        self.changes: _Words = np.zeros(_FIRST_CHANGES * frames.CHANGE, np.int64)
        self.events: _Words = np.zeros(frames.MAX_EVENTS * frames.EVENT, np.int64)
        self._add_blocks(_FIRST_BLOCKS)
        self._set_places(near.FEWEST_PLACES)

    @property
    def is_known(self) -> bool:
        """Whether there was a snapshot since the connection began."""
        return bool(self.registers[IS_KNOWN])

    @property
    def absent_deletes(self) -> int:
        """Removals of levels that were not there, so far."""
        return int(self.registers[ABSENT_DELETES])

    @property
    def noop_sets(self) -> int:
        """Sizes set that were already held, so far."""
        return int(self.registers[NOOP_SETS])

    def _add_blocks(self, number: int) -> None:
        """Make room for so many blocks more, at least twice what there is. O(levels)."""
        old = int(self.registers[POOL])
        new = old + max(number, old)
        directory = np.zeros((6, new), np.int64)
        directory[:, :old] = self.directory.reshape(6, old)
        free = int(self.registers[FREE])
        directory[5, free : free + new - old] = np.arange(new - 1, old - 1, -1)
        words = np.zeros(new * STRIDE, np.int64)
        words[: len(self.words)] = self.words
        self.words, self.directory = words, directory.reshape(-1)
        self.registers[POOL] = new
        self.registers[FREE] = free + new - old

    def _set_places(self, number: int) -> None:
        """Give each side so many places near the touch; the book must be empty, or about to be."""
        self.near = np.zeros(int(near.WORDS * number), np.int64)
        self.registers[near.PLACES] = number
        self.registers[near.REACH : near.REACH + 2] = 0
        self.registers[near.BEST : near.BEST + 2] = number, 2 * number

    def make_room(self) -> None:
        """Make the room that the kernel found missing for the frame that it was to apply."""
        if self.registers[MISSING_BLOCKS] > 0:
            self._add_blocks(int(self.registers[MISSING_BLOCKS]))
        if self.registers[MISSING_PLACES] > 0:
            self._set_places(int(self.registers[MISSING_PLACES]))

    def add_changes(self, number: int = 0) -> None:
        """Make room for at least so many changes in a frame, and twice as many as before."""
        self.changes = np.zeros(max(number * frames.CHANGE, 2 * len(self.changes)), np.int64)

    def clear(self) -> None:
        """Forget the book: what is known ends with its connection. O(blocks + levels near the touch)."""
        self.apply(BookEvent(True, [], []))
        self.registers[IS_KNOWN] = 0

    def apply(self, event: BookEvent) -> None:
        """Apply a snapshot or an update as the plain decoder gives it."""
        rows = [(0, price, *_words_of(size)) for price, size in event.bids]
        rows += [(1, -price, *_words_of(size)) for price, size in event.asks]
        if len(rows) * frames.CHANGE > len(self.changes):
            self.add_changes(len(rows))
        if rows:
            self.changes[: len(rows) * frames.CHANGE] = np.array(rows, np.int64).reshape(-1)
        self.events[: frames.EVENT] = event.is_snapshot, 0, len(rows)
        self.registers[frames.CHANGES] = len(rows)
        self.registers[frames.EVENTS] = 1
        while not self._apply_events():
            self.make_room()

    def _apply_events(self) -> bool:
        return self._kernels.apply_events(
            self.near, self.words, self.directory, self.registers, self.changes, self.events
        )

    def levels(self) -> tuple[list[Level], list[Level]]:
        """Return bids and asks, prices ascending, sizes in their shortest spelling. O(levels)."""
        bids, asks = ([(key, _size_of(*size)) for key, *size in self._rows(side)] for side in (0, 1))
        return bids, [(-key, size) for key, size in reversed(asks)]

    def _rows(self, side: int) -> list[list[int]]:
        """Return a side's keys, wholes and fractions, keys ascending."""
        parts = [self._planes(block)[:, : self._count(block)].T for block in self._blocks(side)]
        rows: list[list[int]] = np.concatenate([*parts, self._near_rows(side)]).tolist()
        return sorted(rows)

    def _near_rows(self, side: int) -> _Words:
        """Return the rows of the levels near the touch."""
        number = int(self.registers[near.PLACES])
        sizes = self.near[: 4 * number].reshape(2, number, 2)[side]
        (places,) = np.nonzero(sizes.any(axis=1))
        keys = self.registers[near.FIRST + side] - places * self.registers[near.TICK]
        return np.column_stack((keys, sizes[places]))

    def _blocks(self, side: int) -> list[int]:
        pool = self.registers[POOL]
        start = (2 + side) * pool
        blocks: list[int] = self.directory[start : start + self.registers[BLOCKS + side]].tolist()
        return blocks

    def _count(self, block: int) -> int:
        return int(self.directory[4 * self.registers[POOL] + block])

    def _planes(self, block: int) -> _Words:
        return self.words[block * STRIDE : (block + 1) * STRIDE].reshape(3, BLOCK)

    def check(self) -> None:
        """Assert the invariants; for tests. O(levels)."""
        pool, free = int(self.registers[POOL]), int(self.registers[FREE])
        used = self._blocks(0) + self._blocks(1)
        # Every block is used once or free.
        assert sorted(used + self.directory[5 * pool : 5 * pool + free].tolist()) == list(range(pool))  # noqa: S101
        for side, sign in ((0, 1), (1, -1)):
            counts = [self._count(block) for block in self._blocks(side)]
            assert all(0 < count <= BLOCK for count in counts)  # noqa: S101
            # Keys ascend, and a block begins where the directory says.
            rows = np.array(self._rows(side), np.int64).reshape(-1, 3)
            assert (np.diff(rows[:, 0]) > 0).all()  # noqa: S101
            firsts = self.directory[side * pool : side * pool + len(counts)].tolist()
            assert firsts[:1] in ([], [LOWEST])  # noqa: S101
            for place, block in enumerate(self._blocks(side)):
                keys = self._planes(block)[0, : counts[place]]
                assert keys[0] >= firsts[place]  # noqa: S101
                assert place + 1 == len(counts) or keys[-1] < firsts[place + 1]  # noqa: S101
            # Keys are prices below 10 digits of units and 8 of decimals; a size is never zero.
            assert ((sign * rows[:, 0] > 0) & (sign * rows[:, 0] < 10**18)).all()  # noqa: S101
            assert ((rows[:, 1:] >= 0) & (rows[:, 1:] < 10**18)).all()  # noqa: S101
            assert rows[:, 1:].any(axis=1).all()  # noqa: S101
            self._check_near(side)
        # What is not known is empty.
        assert self.is_known or not (used or self.near.any())  # noqa: S101

    def _check_near(self, side: int) -> None:
        """Assert what must hold of the levels near the touch."""
        number, tick = int(self.registers[near.PLACES]), int(self.registers[near.TICK])
        sizes = self.near[: 4 * number].reshape(2, number, 2)[side].any(axis=1)
        words = self.near[4 * number :].reshape(2, number // 64)[side]
        # A place that holds a level has its bit, and none is before the best.
        assert (np.unpackbits(words.view(np.uint8), bitorder="little") == sizes).all()  # noqa: S101
        assert not sizes[: self.registers[near.BEST + side] - side * number].any()  # noqa: S101
        # No level that has a place is in the blocks.
        deep = [self._planes(block)[0, : self._count(block)] for block in self._blocks(side)]
        units = self.registers[near.FIRST + side] - np.concatenate([*deep, np.zeros(0, np.int64)])
        reach = self.registers[near.REACH + side]
        assert not ((units >= 0) & (units < reach) & (units % tick == 0)).any()  # noqa: S101


def _words_of(size: str) -> tuple[int, int]:
    """Return the digits before the point of a size, and those behind it in units of 1e-18."""
    whole, _, fraction = size.partition(".")
    return int(whole or 0), int(fraction.ljust(18, "0")) if fraction else 0


def _size_of(whole: int, fraction: int) -> str:
    """Return a size in its shortest spelling, see `orderbook.decimals.shortest_size`."""
    decimals = f".{fraction:018d}".rstrip("0") if fraction else ""
    return f"{whole or ''}{decimals}"
