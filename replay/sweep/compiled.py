"""A sweep with compiled loops, for the compiled engine: what it saves would else be lost here.

Each class does what its base does, to the last bit, in one loop over rows in place of many numpy calls.
numba is imported with this module, so import it only where the compiled engine runs.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from replay.order_statistics import Floats, Ints
from replay.sweep import kernels
from replay.sweep.durations import Durations
from replay.sweep.episodes import Closed, HeadClosing, OpenEpisodes
from replay.sweep.exact import ExactProducts
from replay.sweep.loops import Loops
from replay.sweep.markouts import MarkOuts, Starts
from replay.sweep.rows import Flags, Rows
from replay.sweep.spread_times import SpreadTimes
from replay.sweep.sums import LevelSums, MarkOutSums

_SMALLEST_TABLE: Final = 1 << 10
_MANY_CHANGES: Final = 1 << 30
"""Each adds at most 2**32 to a word, several at most 2**62."""
_LARGE: Final = 2.0**62  # a factor from here on is left to numpy, which cuts floats


def read_rows(summaries: pa.RecordBatch) -> Rows:
    """Do what `Rows.of` does."""
    times = summaries.column("recv_time").view(pa.int64()).to_numpy()
    connections = summaries.column("connection").to_numpy().astype(np.int64)
    columns = [
        summaries.column(name).to_numpy(zero_copy_only=False)  # null becomes NaN
        for name in ("bid_price", "bid_size", "ask_price", "ask_size", "relative_spread", "spread")
    ]
    floats: Floats = np.empty((5, len(times)), np.float64)
    units: Ints = np.empty(len(times), np.int64)
    is_crossed: Flags = np.empty(len(times), np.bool_)
    kernels.read_rows(*columns, floats, units, is_crossed)  # type: ignore[call-arg]  # of six columns
    spread, mid, bid_size, ask_size, value = floats
    return Rows(times, connections, spread, units, mid, bid_size, ask_size, value, is_crossed)


def find_levels(thresholds: Floats, spreads: Floats) -> Ints:
    """Return how many of the ascending thresholds each spread is above."""
    levels: Ints = np.empty(len(spreads), np.int64)
    kernels.find_levels(thresholds, spreads, levels)
    return levels


def _take_up(products: ExactProducts, sums: Ints) -> None:
    """Add sums of places as `_add_product` makes them."""
    for piece in range(kernels.WORDS // 2):
        low, high = sums[:, 2 * piece], sums[:, 2 * piece + 1]
        if piece == 0 or low.any() or high.any():
            products.add_sums(piece * kernels.PIECE, low, high)


class CompiledLevelSums(LevelSums):
    """What summaries add at their level."""

    def count(self, levels: Ints, spreads: Floats) -> None:
        """Take up summaries."""
        kernels.count(levels, spreads, self.signals, self.max_spread)

    def observe(self, levels: Ints, rows: Rows, chosen: Ints, durations: Ints) -> None:
        """Take up intervals."""
        large = (rows.bid_size, rows.ask_size, rows.value)
        if any(column.max(initial=0.0) >= _LARGE for column in large):
            super().observe(levels, rows, chosen, durations)
            return
        products = (self.spread, self.bid_size, self.ask_size, self.value)
        sums: Ints = np.zeros((len(products), len(self.signals), kernels.WORDS), np.int64)
        kernels.observe(levels, rows.units, *large, chosen, durations, self.time_ns, sums)
        for each, found in zip(products, sums, strict=True):
            _take_up(each, found)


class CompiledMarkOutSums(MarkOutSums):
    """Changes of the mid one horizon after, by threshold; added up in words, until somebody asks."""

    def __init__(self, columns: int) -> None:
        super().__init__(columns)
        self._squares: Ints = np.zeros((2, columns + 1, kernels.WORDS), np.int64)
        self._waiting = 0

    def add(self, low: Ints, high: Ints, change: Floats) -> None:
        """Take up changes of ranges [low, high)."""
        kernels.add_changes(low, high, change, self.steps, self._squares)
        self._waiting += len(change)
        if self._waiting > _MANY_CHANGES:
            self._settle()

    def _settle(self) -> None:
        _take_up(self.squares_begun, self._squares[0])
        _take_up(self.squares_ended, self._squares[1])
        self._squares[:] = 0
        self._waiting = 0

    def take_up(self, other: MarkOutSums) -> None:
        """Add what another one has."""
        for each in (self, other):
            if isinstance(each, CompiledMarkOutSums):
                each._settle()
        super().take_up(other)

    def outcomes(self) -> Iterator[Iterable[object]]:
        """Return the numbers of a `MarkOut`: each by threshold."""
        self._settle()
        return super().outcomes()


def select_in_counts(low: Ints, high: Ints, values: Ints, counts: Ints, wanted: Ints) -> Ints:
    """Do what `select_in_blocks` does: O(values log values) to sort them, and some dozens of steps a rank."""
    if not len(values):
        return np.zeros_like(wanted)
    order = np.argsort(values, kind="stable")
    low, high, values = low[order], high[order], values[order]
    narrow = np.int16 if len(counts) < 2**15 else np.int64  # numpy sorts int16 by its digits
    by_low, by_high = (np.argsort(each.astype(narrow), kind="stable") for each in (low, high))
    places = np.empty_like(wanted)
    ones, blocks, large = (
        np.zeros(-(-len(values) // size), np.int64) for size in (1, kernels.BLOCK, kernels.BLOCK**2)
    )
    ranges = np.stack([low, by_low, high, by_high])
    kernels.select(ranges, np.maximum(wanted, 0), ones, blocks, large, places)
    return values[places]


class CompiledDurations(Durations):
    """Percentiles of how long episodes last."""

    select = staticmethod(select_in_counts)


class CompiledEpisodes(OpenEpisodes):
    """Which episodes are open."""

    def _walk(self, levels: Ints, times: Ints, keys: Ints) -> None:
        depth, room = len(self._low), len(self._low) + len(levels)
        stack: Ints = np.empty((3, room), np.int64)
        stack[:, :depth] = self._low, self._since, self._key
        closed: Ints = np.empty((4, room + len(levels)), np.int64)
        heads: Ints = np.empty((3, room + len(levels)), np.int64)
        registers = np.array([self.level, depth, self._head_is_open, 0, 0])
        kernels.walk(np.stack([levels, times, keys]), stack, closed, heads, registers)
        self.level, depth, head_is_open, closings, head_closings = registers.tolist()
        self._head_is_open = bool(head_is_open)
        self._low, self._since, self._key = stack[:, :depth].tolist()
        self._peeled.append(Closed(*closed[:, :closings].copy()))
        self.head += [HeadClosing(*each) for each in heads[:, :head_closings].T.tolist()]


class CompiledMarkOuts(MarkOuts):
    """What waits for its horizon."""

    def _changes(self, times: Ints, mids: Floats, waiting: Starts, horizon: int, *, is_over: bool) -> Floats:
        change: Floats = np.full(len(waiting.time), np.nan)
        known = kernels.changes(times, mids, waiting.time, waiting.mid, horizon, is_over, change)
        return change if is_over else change[:known]


class HashedSums:
    """`Sums` of values above 0, in a hash table that is half full at most."""

    def __init__(self) -> None:
        self._table: Ints = np.zeros(
            (2, _SMALLEST_TABLE), np.int64
        )  # keys, and sums: 0 where there is no key
        self._number = 0

    def add(self, keys: Ints, values: Ints) -> None:
        """Add values above 0 to the sums of their keys. O(1) each."""
        done = 0
        while True:
            done, self._number = kernels.add_up(keys, values, done, self._number, self._table)
            if done == len(keys):
                return
            held, sums = self.items()
            self._table = np.zeros((2, 2 * self._table.shape[1]), np.int64)
            _, self._number = kernels.add_up(held, sums, 0, 0, self._table)

    @property
    def settled(self) -> int:
        """How many keys there are."""
        return self._number

    def items(self) -> tuple[Ints, Ints]:
        """Return all keys, ascending, and the sum of each."""
        keys, sums = self._table[:, self._table[1] > 0]
        order = np.argsort(keys)
        return keys[order], sums[order]


class CompiledSpreadTimes(SpreadTimes):
    """Nanoseconds by relative spread."""

    sums = HashedSums


COMPILED: Final = Loops(
    read_rows,
    find_levels,
    CompiledLevelSums,
    CompiledDurations,
    CompiledMarkOutSums,
    CompiledEpisodes,
    CompiledMarkOuts,
    CompiledSpreadTimes,
)
