"""The memory of the compiled engine: every register and array, what it holds and who makes it.

Nothing can be allocated inside compiled code (see `jit`), so Python makes all memory: `CompiledBook` a `Book`
and a `Frame` for each product, the engine a `Run` for each batch. Compiled functions take them as tuples;
what Python gives to an entry are their addresses, see `entries`. Nothing here needs numba.

Sides are 0 (bids) and 1 (asks). A *key* makes both sides alike: it is the price in units of 1e-8 for bids and
minus that for asks, so that the best level of either side has the highest key.

A size is two integers below 1e18, *units* and *rest*. Of nearly every size the units of 1e-8 are all, and the
rest is 0. With w the digits before the point, and f those behind it in units of 1e-18, units is
w % 1e10 * 1e8 + f // 1e10, and rest is w // 1e10 * 1e10 + f % 1e10.
"""

from array import array
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from orderbook.compiled.environment import IS_PYTHON

BLOCK: Final = 64
"""Most levels of a block."""
STRIDE: Final = 3 * BLOCK
"""Words of a block in `Book.blocks`."""
LOWEST: Final = -(2**62)
"""The key from which a side's first block begins, and that of a level that is not there."""
PLACE_WORDS: Final = 4 + 2 / 64
"""Words of `Book.near` for each place that a side has."""

CHANGE: Final = 4
"""Words of a change in `Frame.changes`."""
EVENT: Final = 3
"""Words of an event in `Frame.events`."""
MAX_EVENTS: Final = 64

CHANGED: Final = 3
"""Words of a change in `Market.changes`."""
TRADE: Final = 6
"""Words of a trade in `Market.trades`."""
MAX_TRADES: Final = 512
"""Most trades of a row that the kernel reads; it sorts them by insertion."""

PRICES: Final = 3
"""The word of a summary from which its best bid and ask are: price and size of each."""
SPREAD: Final = 7
"""The word of its spread."""

NO_CONNECTION: Final = -(2**40)
NO_ID: Final = -(2**63)

HIGH_WHOLE: Final = 10**10
"""A size from here on has a rest."""
HIGH_UNITS: Final = 10**18
"""The same in units."""
REST_UNITS: Final = 10**10
"""Of the rest of a size (1e-18), to one of its units (1e-8)."""
FEWEST_PLACES: Final = 1 << 10
"""Places of a side near the touch, at first."""
SLACK: Final = 8
"""Bytes behind the last packed row that are there to be read."""
NOT_PACKED: Final = -2
"""In place of the exchange time of a packed row."""

# Why the kernel returned. The row at `row` has not been touched.
DONE: Final = 0
FOR_PLAIN: Final = 1
CROSSED: Final = 2  # the row before wrote a crossed summary, the last one
LACKS_CHANGES: Final = 3
LACKS_ROOM: Final = 4
LACKS_MARKET: Final = 5  # for the changes or trades of the row
WAITS: Final = 6  # the exchange needs Python, for the row before
RAISED: Final = -(2**62)  # an exception, which is an error of ours: an index that `NUMBA_BOUNDSCHECK` checks


def _record(*fields: tuple[str, int]) -> Any:
    """Return the dtype of a record of int64 fields, each given as its name and its number of words."""
    words = [(name, np.int64, (count,)) if count > 1 else (name, np.int64) for name, count in fields]
    record = np.dtype(words, align=True)
    # In plain Python only `np.record` has the fields as attributes, but it reads them several times slower.
    return np.dtype((np.record, record)) if IS_PYTHON else record


BOOK_REGISTERS: Final = _record(
    # The blocks, see `blocks`.
    ("used_blocks", 2),  # number of blocks of each side
    ("free_blocks", 1),  # number of blocks that no side uses
    ("pool", 1),  # number of all blocks
    # The array near the touch, see `near`.
    ("tick", 1),  # price units from one place to the next
    ("first_key", 2),  # key of each side's first place
    ("first_tick", 2),  # the same in ticks
    ("reach", 2),  # price units, from there downwards, that have a place; 0 if the side has none
    ("reached", 2),  # the same in ticks
    ("best", 2),  # no level of the side is before this place
    ("places", 1),  # number of places of a side
    ("has_rests", 1),  # whether the array may have a rest that is not 0
    ("strays", 1),  # summaries whose best level had no good place, since the array was put where it is
    # The book as a whole.
    ("is_known", 1),  # whether a snapshot has arrived since the connection began
    ("absent_deletes", 1),  # number of removals of levels that the book did not have
    ("noop_sets", 1),  # number of levels set to the size that they already had
    ("missing_blocks", 1),  # number of blocks that must be added before the frame can be applied
    ("missing_places", 1),  # number of places that a side must have before; 0 if it has enough
)

FRAME_REGISTERS: Final = _record(
    ("exchange_time", 1),  # nanoseconds since the epoch, -1 for null
    ("sequence", 1),  # sequence_num, -1 if the frame has none
    ("changes", 1),  # number of changes in the frame
    ("events", 1),  # number of events in the frame
    ("lacks_room", 1),  # whether `changes` was too small: the frame must be read again
    ("unread", 1),  # where the changes of an update are in the packed row; 0 if they are in `changes`
    ("minute_text", 2),  # the sixteen bytes of the minute that was read last, see `times`
    ("minute", 1),  # that minute, in nanoseconds since the epoch
    # What the exchange needs.
    ("book_time", 1),  # as `exchange_time`, if `wants_book_time` is set
    ("wants_book_time", 1),
    ("event_time", 1),  # the largest time of the changes of an event so far, -1 for none
    ("time_text", 4),  # the last event_time and the quote behind it, see `compiled_updates`
    ("time_length", 1),  # the length of this text; 0 if there is none
    ("time", 1),  # that event_time
)

RUN_REGISTERS: Final = _record(
    ("reader", 1),  # number of the venue's reader, see `readers`
    ("row", 1),  # the next row
    ("time", 1),  # of a summary for the plain engine: the exchange time, -1 for null
    ("summaries", 1),  # number of summaries written so far
    ("counts_sequence", 1),  # whether the sequence_num of this connection can be checked
    ("has_last", 1),  # 0: there is no last sequence_num, 1: it is in `last_sequence`, 2: it does not fit
    ("last_sequence", 1),
    ("numbered", 1),  # the connection of which a sequence_num was checked, or NO_CONNECTION
    ("wants_market", 1),  # whether `Market` is filled
    ("wants_changes", 1),  # with the changes of the book too
    # The exchange that follows the book row by row, see `engine.Exchange`.
    ("follower", 1),  # the address of its function, 0 for none
    ("follower_memory", 1),  # the address of its memory
)

MARKET_REGISTERS: Final = _record(
    ("changes", 1),  # number of changes written so far
    ("trades", 1),  # number of trades written so far
    ("lacks_room", 1),  # whether there was no room for the trades of the row
    # The row, see `market`.
    ("row_trades", 1),  # number of its trades, behind those written
    ("row_cut", 1),  # number of sizes of them that were cut
    ("row_malformed", 1),  # whether it is a trade frame that breaks the format
    ("row_next_id", 1),  # the `next_id` after it
    ("named_id", 1),  # the last trade_id that it names, -1 if it names none
    # The object that was read last, see `read_object` of `compiled_trades`.
    ("type", 1),
    ("is_ours", 1),
    ("is_trade", 1),
    ("is_cut", 1),
    ("last_trade_id", 1),
    # The state of `TradeWatch`.
    ("has_trades", 1),
    ("last_id", 1),  # NO_ID if there is none
    ("next_id", 1),  # the number after the largest of `seen`, NO_ID if there is none
    ("book_time", 1),  # -2**63 if there is none
    ("gaps", 1),
    ("late", 1),
    ("malformed", 1),
)


class Field(NamedTuple):
    """What the memory of a field is.

    Attributes:
        dtype: of the record, or of the items.
        dimensions: of the array, in the order of C; 0 for a record.
        is_readonly: whether compiled code only reads it.
    """

    dtype: np.dtype[Any]
    dimensions: int = 1
    is_readonly: bool = False


_WORDS: Final = Field(np.dtype(np.int64))
_WORD_ROWS: Final = Field(np.dtype(np.int64), 2)
_BYTES: Final = Field(np.dtype(np.uint8), is_readonly=True)
_INTS: Final = Field(np.dtype(np.int32), is_readonly=True)


@dataclass(frozen=True)
class Memory:
    """Records and arrays that compiled code reads and writes; they stay where they are."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()
    """What each field is, in order."""

    @cached_property
    def words(self) -> bytes:
        """Of each record its address, and of each array its address and its shape."""
        words = array("q")
        for each, field in zip(vars(self).copy().values(), self.FIELDS, strict=True):
            if each.dtype != field.dtype or each.ndim != field.dimensions or not each.flags.c_contiguous:
                raise TypeError(f"{type(self).__name__} cannot hold {each.dtype}, {each.ndim}-dimensional")
            words.append(each.__array_interface__["data"][0])
            words.extend(each.shape)
        return words.tobytes()

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields: a copy is at other addresses."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True)
class Book(Memory):
    """The book of one product, in two structures; `levels` decides which of them holds a level.

    Attributes:
        registers: a record of `BOOK_REGISTERS`.
        near: the sizes of the levels near the touch, first the units of each place: those of the bids from
            place 0 on, those of the asks from place `places` on. From word 2 * places on their rests, and
            from word 4 * places on a bit for each place, which is set if the place holds a level.
        blocks: all other levels. Block b has its keys from word b * STRIDE on, then the units of the sizes
            and their rests, BLOCK words each.
        directory: of side s the key from which its block i begins at s * pool + i, the number of this block
            at (2 + s) * pool + i; the number of levels of block b at 4 * pool + b; free blocks from 5 * pool
            on.
    """

    FIELDS = (Field(BOOK_REGISTERS, 0), _WORDS, _WORDS, _WORDS)

    registers: Any
    near: Any
    blocks: Any
    directory: Any


@dataclass(frozen=True)
class Frame(Memory):
    """A frame between reading and applying it.

    Attributes:
        registers: a record of `FRAME_REGISTERS`.
        changes: of each level of the frame its side, its key, and the units and rest of its size.
        events: of each event of the product whether it is a snapshot, its first change, and the one behind
            its last.
    """

    FIELDS = (Field(FRAME_REGISTERS, 0), _WORDS, _WORDS)

    registers: Any
    changes: Any
    events: Any


@dataclass(frozen=True)
class Run(Memory):
    """One batch of rows on its way through the kernel.

    Attributes:
        registers: a record of `RUN_REGISTERS`.
        payloads, offsets: the payloads of the rows, as Arrow has them.
        kinds, kind_offsets: the kinds of the rows, in the same way.
        connections: the connections of the rows.
        times: the exchange times of packed rows; empty if the batch has none.
        product: the id of the product, bytes.
        marks: int64 (rows, 8): the summaries as `orderbook.digest.pack` has them, but the row in place of
            seq, and no recv_time.
        floats: float64 (rows, 8): the same memory.
        ladder: float64 (2, rows, depth, 2): the best bids and asks, price and size; empty if none are
            requested.
    """

    FIELDS = (
        *(Field(RUN_REGISTERS, 0), _BYTES, _INTS, _BYTES, _INTS, _INTS),
        *(Field(np.dtype(np.int64), is_readonly=True), _BYTES),
        *(_WORD_ROWS, Field(np.dtype(np.float64), 2), Field(np.dtype(np.float64), 4)),
    )

    registers: Any
    payloads: Any
    offsets: Any
    kinds: Any
    kind_offsets: Any
    connections: Any
    times: Any
    product: Any
    marks: Any
    floats: Any
    ladder: Any


@dataclass(frozen=True)
class Market(Memory):
    """What the exchange reads of one batch: the memory of a `MarketRows`; empty if it is not wanted.

    Attributes:
        registers: a record of `MARKET_REGISTERS`.
        kinds: uint8, of each row.
        times: int64 (2, rows): of each row the book time, and the number of sizes that were cut.
        firsts: int32 (2, rows + 1): of each row its first trade and its first change.
        changes: int64, CHANGED words of each change.
        trades: int64, TRADE words of each trade.
    """

    FIELDS = (
        *(Field(MARKET_REGISTERS, 0), Field(np.dtype(np.uint8)), _WORD_ROWS),
        *(Field(np.dtype(np.int32), 2), _WORDS, _WORDS),
    )

    registers: Any
    kinds: Any
    times: Any
    firsts: Any
    changes: Any
    trades: Any


@dataclass(frozen=True)
class Packing(Memory):
    """Where packed rows are written.

    Attributes:
        out: uint8, their bytes.
        places: where each begins, and where the last one ends.
        times: the exchange time of each, -1 for none, and `NOT_PACKED` of those that are not packed.
    """

    FIELDS = (Field(np.dtype(np.uint8)), _WORDS, _WORDS)

    out: Any
    places: Any
    times: Any


NO_TIMES: Final = np.zeros(0, np.int64)
"""`Run.times` of a batch that is not packed."""
NO_TIMES.flags.writeable = False


def registers(dtype: npt.DTypeLike) -> Any:
    """Return a new record, all zeros."""
    return np.zeros(1, dtype)[0]
