"""The memory of what the exchange reads of one batch, as Python uses it."""

from dataclasses import replace
from itertools import chain
from typing import Any, Final

import numpy as np

from orderbook.compiled import layout
from orderbook.compiled.layout import CHANGED, NO_ID, TRADE
from orderbook.execution.market_rows import MarketRows, row_values
from orderbook.execution.rows import TapeRow
from orderbook.trades import TradeWatch

_WORDS: Final = {"changes": CHANGED, "trades": TRADE}
_CHANGE_BYTES: Final = 28
_TRADE_BYTES: Final = 160
_SPARE: Final = 64
"""How much room there is at first: for changes and trades of so many bytes, and some more."""
_LARGEST_ID: Final = 2**62
"""A last trade_id beyond, which only a heartbeat can name, counts like this one: no trade reaches it."""


class MarketArrays:
    """Memory for the market of each row, see `layout.Market`.

    Args:
        rows: number of rows of the batch.
        size: number of bytes of its payloads.

    Attributes:
        memory: the arrays, and the state of the watch while the kernel runs.
    """

    def __init__(self, rows: int, size: int) -> None:
        self.memory = layout.Market(
            layout.registers(layout.MARKET_REGISTERS),
            np.zeros(rows, np.uint8),
            np.empty((2, rows), np.int64),
            np.zeros((2, rows + 1), np.int32),
            np.empty((size // _CHANGE_BYTES + _SPARE) * CHANGED, np.int64),  # what is not used is not touched
            np.empty((size // _TRADE_BYTES + _SPARE) * TRADE, np.int64),
        )

    def grow(self) -> None:
        """Make twice the room for changes and trades."""
        memory = self.memory
        changes, trades = (np.resize(each, 2 * len(each)) for each in (memory.changes, memory.trades))
        self.memory = replace(memory, changes=changes, trades=trades)

    def store(self, watch: TradeWatch) -> None:
        """Store the state of a watch for the kernel."""
        registers, last = self.memory.registers, watch.last_id
        registers["has_trades"] = watch.has_trades
        registers["last_id"] = NO_ID if last is None else min(max(last, -_LARGEST_ID), _LARGEST_ID)
        next_id = watch.seen.next_number
        registers["next_id"] = NO_ID if next_id is None else next_id
        registers["book_time"] = watch.book_time
        registers["gaps"] = registers["late"] = registers["malformed"] = 0

    def load(self, watch: TradeWatch) -> None:
        """Load it as the kernel left it."""
        registers = self.memory.registers
        watch.note_connection(bool(registers["has_trades"]))
        last = int(registers["last_id"])
        if last not in (NO_ID, -_LARGEST_ID, _LARGEST_ID):
            watch.last_id = last
        if registers["next_id"] != NO_ID:
            watch.seen.add_up_to(int(registers["next_id"]))
        watch.book_time = int(registers["book_time"])
        watch.gaps += int(registers["gaps"])
        watch.late += int(registers["late"])
        watch.malformed += int(registers["malformed"])

    def write(self, place: int, row: TapeRow) -> None:
        """Write a row that the kernel left to the plain tracker."""
        values, registers = row_values(row), self.memory.registers
        for name in ("changes", "trades"):
            words = list(chain.from_iterable(getattr(values, name)))
            start = int(registers[name]) * _WORDS[name]
            while start + len(words) > len(getattr(self.memory, name)):
                self.grow()
            getattr(self.memory, name)[start : start + len(words)] = words
            registers[name] += len(words) // _WORDS[name]
        memory = self.memory
        memory.kinds[place] = values.kind
        memory.times[:, place] = values.book_time, values.sizes_cut
        memory.firsts[:, place + 1] = registers["trades"], registers["changes"]

    def to_rows(self, seq: Any, time: Any, connection: Any) -> MarketRows:
        """Return the rows, of which these are the first columns; the batch must have run to its end."""
        memory, registers = self.memory, self.memory.registers
        return MarketRows(
            seq=seq,
            time=time,
            connection=connection,
            kind=memory.kinds,
            book_time=memory.times[0],
            first_change=memory.firsts[1],
            changes=memory.changes[: int(registers["changes"]) * CHANGED].reshape(-1, CHANGED),
            first_trade=memory.firsts[0],
            trades=memory.trades[: int(registers["trades"]) * TRADE].reshape(-1, TRADE),
            sizes_cut=memory.times[1],
        )


NO_ARRAYS: Final = MarketArrays(0, 0)
"""In the place of the arrays of a batch whose market is not wanted."""
