"""The book of the compiled engine, as Python uses it: the owner of the kernel's memory."""

from dataclasses import fields, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from orderbook.book import Levels
from orderbook.compiled import layout
from orderbook.compiled.layout import BLOCK, CHANGE, HIGH_WHOLE, LOWEST, PLACE_WORDS, REST_UNITS, STRIDE
from orderbook.compiled.loading import Kernels
from orderbook.decimals import PRICE_UNITS
from orderbook.events import BookEvent

_Words = npt.NDArray[np.int64]

_FIRST_BLOCKS: Final = 16
_FIRST_CHANGES: Final = 256


class CompiledBook:
    """Bids and asks in the memory of the kernel; the same book as an `OrderBookState`.

    Attributes:
        memory: the book.
        frame: the frame that is read or applied.
    """

    def __init__(self, kernels: Kernels) -> None:
        self._kernels = kernels
        none: _Words = np.zeros(0, np.int64)
        self.memory = layout.Book(layout.registers(layout.BOOK_REGISTERS), none, none, none)
        self.frame = layout.Frame(
            layout.registers(layout.FRAME_REGISTERS),
            np.zeros(_FIRST_CHANGES * CHANGE, np.int64),
            np.zeros(layout.MAX_EVENTS * layout.EVENT, np.int64),
        )
        self.memory.registers["tick"] = 1
        self._add_blocks(_FIRST_BLOCKS)
        self._set_places(layout.FEWEST_PLACES)

    @property
    def is_known(self) -> bool:
        """Whether a snapshot has arrived since the connection began."""
        return bool(self.memory.registers["is_known"])

    @property
    def absent_deletes(self) -> int:
        """Number of removals of levels that the book did not have."""
        return int(self.memory.registers["absent_deletes"])

    @property
    def noop_sets(self) -> int:
        """Number of levels set to the size that they already had."""
        return int(self.memory.registers["noop_sets"])

    def _add_blocks(self, number: int) -> None:
        """Add at least this many blocks, and at least as many as there are. O(levels)."""
        registers = self.memory.registers
        old = int(registers["pool"])
        added = max(number, old)
        directory = np.zeros((6, old + added), np.int64)
        directory[:, :old] = self.memory.directory.reshape(6, old)
        free = int(registers["free_blocks"])
        directory[5, free : free + added] = np.arange(old + added - 1, old - 1, -1)
        blocks = np.zeros((old + added) * STRIDE, np.int64)  # pages that no level is in are not touched
        blocks[: old * STRIDE] = self.memory.blocks
        self.memory = replace(self.memory, blocks=blocks, directory=directory.reshape(-1))
        registers["pool"] += added
        registers["free_blocks"] += added

    def _set_places(self, number: int) -> None:
        """Give each side this many places near the touch; the book must be empty, or about to be."""
        self.memory = replace(self.memory, near=np.zeros(int(PLACE_WORDS * number), np.int64))
        registers = self.memory.registers
        registers["places"] = number
        registers["reach"][:] = registers["reached"][:] = registers["has_rests"] = 0
        registers["best"][:] = number, 2 * number

    def make_room(self) -> None:
        """Make the room that the kernel needs for the frame that it could not apply."""
        missing_blocks, missing_places = (
            int(self.memory.registers[name]) for name in ("missing_blocks", "missing_places")
        )
        if missing_blocks > 0:
            self._add_blocks(missing_blocks)
        if missing_places > 0:
            self._set_places(missing_places)

    def add_changes(self, number: int = 0) -> None:
        """Make room for at least this many changes in a frame, and for twice as many as before."""
        size = max(number * CHANGE, 2 * len(self.frame.changes))
        self.frame = replace(self.frame, changes=np.zeros(size, np.int64))

    def want_times(self, wanted: bool) -> None:
        """Say whether the reader should tell the book times of frames."""
        registers = self.frame.registers
        if wanted != registers["wants_book_time"]:
            registers["wants_book_time"] = wanted
            registers["time_length"] = 0  # the text that was read last is not read again

    def clear(self) -> None:
        """Discard the book, which ends with its connection. O(blocks + levels near the touch)."""
        self.apply(BookEvent(True, [], []))
        self.memory.registers["is_known"] = 0

    def apply(self, event: BookEvent) -> None:
        """Apply a snapshot or an update as the plain decoder returns it."""
        rows = [(0, price, *words_of(size)) for price, size in event.bids]
        rows += [(1, -price, *words_of(size)) for price, size in event.asks]
        if len(rows) * CHANGE > len(self.frame.changes):
            self.add_changes(len(rows))
        if rows:
            self.frame.changes[: len(rows) * CHANGE] = np.array(rows, np.int64).reshape(-1)
        self.frame.events[: layout.EVENT] = event.is_snapshot, 0, len(rows)
        self.frame.registers["changes"] = len(rows)
        self.frame.registers["events"] = 1
        while not self._kernels.apply_events(self.memory, self.frame):
            self.make_room()

    def levels(self, depth: int | None = None) -> Levels:
        """Return the best `depth` levels of each side, or all of them. O(levels)."""
        bids, asks = (self.rows(side)[:depth].tolist() for side in (0, 1))
        return Levels(
            [(key, size_of(*size)) for key, *size in bids], [(-key, size_of(*size)) for key, *size in asks]
        )

    def copy(self) -> Self:
        """Return a copy, which changes on its own. O(levels)."""
        other = type(self)(self._kernels)
        other.memory = layout.Book(*(getattr(self.memory, each.name).copy() for each in fields(layout.Book)))
        return other

    def rows(self, side: int) -> _Words:
        """Return the key, and the units and rest of the size, of each level of a side, best first."""
        parts = [self._planes(block)[:, : self._count(block)].T for block in self._blocks(side)]
        rows = np.concatenate([*parts, self._near_rows(side)])
        return rows[np.argsort(-rows[:, 0])]

    def _near_rows(self, side: int) -> _Words:
        """Return the rows of the levels near the touch."""
        registers = self.memory.registers
        sizes = self._near_sizes(side)
        (places,) = np.nonzero(sizes[:, 0] | sizes[:, 1])
        return np.column_stack((registers["first_key"][side] - places * registers["tick"], sizes[places]))

    def _near_sizes(self, side: int) -> _Words:
        places = int(self.memory.registers["places"])
        sizes: _Words = self.memory.near[: 4 * places].reshape(2, 2, places)[:, side].T
        return sizes

    def _blocks(self, side: int) -> list[int]:
        """Return the numbers of a side's blocks, in order."""
        registers = self.memory.registers
        start = (2 + side) * int(registers["pool"])
        blocks: list[int] = self.memory.directory[start : start + registers["used_blocks"][side]].tolist()
        return blocks

    def _count(self, block: int) -> int:
        return int(self.memory.directory[4 * self.memory.registers["pool"] + block])

    def _planes(self, block: int) -> _Words:
        planes: _Words = self.memory.blocks[block * STRIDE : (block + 1) * STRIDE].reshape(3, BLOCK)
        return planes

    def check(self) -> None:
        """Assert the invariants; for tests. O(levels)."""
        directory, registers = self.memory.directory, self.memory.registers
        pool, free = int(registers["pool"]), int(registers["free_blocks"])
        used = self._blocks(0) + self._blocks(1)
        # Every block is used once or free.
        assert sorted(used + directory[5 * pool : 5 * pool + free].tolist()) == list(range(pool))  # noqa: S101
        for side, sign in ((0, 1), (1, -1)):
            counts = [self._count(block) for block in self._blocks(side)]
            assert all(0 < count <= BLOCK for count in counts)  # noqa: S101
            # No key is there twice, and a block begins where the directory says.
            rows = self.rows(side)
            assert (np.diff(rows[:, 0]) < 0).all()  # noqa: S101
            firsts = directory[side * pool : side * pool + len(counts)].tolist()
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
        # A book that is not known is empty.
        assert self.is_known or not (used or self.memory.near.any())  # noqa: S101

    def _check_near(self, side: int) -> None:
        """Assert the invariants of the levels near the touch."""
        registers = self.memory.registers
        places, tick = int(registers["places"]), int(registers["tick"])
        sizes = np.logical_or(*self._near_sizes(side).T)
        words = self.memory.near[4 * places :].reshape(2, places // 64)[side]
        # A place that holds a level has its bit, and none is before the best.
        assert (np.unpackbits(words.view(np.uint8), bitorder="little") == sizes).all()  # noqa: S101
        assert not sizes[: registers["best"][side] - side * places].any()  # noqa: S101
        # No level that has a place is in the blocks.
        deep = [self._planes(block)[0, : self._count(block)] for block in self._blocks(side)]
        units = registers["first_key"][side] - np.concatenate([*deep, np.zeros(0, np.int64)])
        assert not ((units >= 0) & (units < registers["reach"][side]) & (units % tick == 0)).any()  # noqa: S101


def words_of(size: str) -> tuple[int, int]:
    """Return the units and rest of a size.

    >>> words_of("12.5"), words_of("20000000000.000000000000000001"), words_of("")
    ((1250000000, 0), (0, 20000000001), (0, 0))
    """
    whole, _, decimals = size.partition(".")
    high, low = divmod(int(whole or 0), HIGH_WHOLE)
    short, rest = divmod(int(decimals.ljust(18, "0")), REST_UNITS)
    return low * PRICE_UNITS + short, high * HIGH_WHOLE + rest


def size_of(units: int, rest: int = 0) -> str:
    """Return a size in its shortest spelling, see `orderbook.decimals.shortest_size`.

    >>> size_of(1250000000), size_of(0, 20000000001), size_of(0, 1)
    ('12.5', '20000000000.000000000000000001', '.000000000000000001')
    """
    low, short = divmod(units, PRICE_UNITS)
    high, long = divmod(rest, REST_UNITS)
    decimals = f".{short:08d}{long:010d}".rstrip("0") if short or long else ""
    return f"{high * HIGH_WHOLE + low or ''}{decimals}"
