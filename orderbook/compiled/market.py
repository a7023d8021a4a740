"""What the exchange reads of a row, written into the arrays of a `Market`.

A row is written when it has been applied. Before that, its trades lie behind those written, and nothing of
the row counts: it may still be left to the plain engine.
"""

from typing import Any

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.layout import CHANGE, CHANGED, EVENT, HIGH_UNITS, NO_ID, REST_UNITS, TRADE
from orderbook.compiled.words import get_word, set_word
from orderbook.execution.market_rows import BELOW_UNIT, BOOK, CLEAR, NO_TIME, OTHER, SNAPSHOT, TRADES
from orderbook.execution.numbers import LARGEST_LEVEL


@inlined
def begin_row(market: Any) -> None:
    """Forget the trades of a row that was not written."""
    registers = market.registers
    registers.row_trades = registers.row_cut = registers.row_malformed = 0
    registers.named_id = -1


@inlined
def size_units(units: int, rest: int) -> tuple[int, int]:
    """Return a size in units, and 1 if a part of it was cut, else 0; `numbers` has the same in plain."""
    if rest == 0:
        return units, 0
    high = rest // REST_UNITS
    cut = 0 if high * REST_UNITS == rest else 1
    if high > LARGEST_LEVEL // HIGH_UNITS or high * HIGH_UNITS > LARGEST_LEVEL - units:
        return LARGEST_LEVEL, 1
    return high * HIGH_UNITS + units, cut


@inlined
def lacks_room(frame: Any, market: Any) -> bool:
    """Tell whether the changes of a frame do not fit."""
    wanted = market.registers.changes + frame.registers.changes + frame.registers.events
    return bool(wanted * CHANGED > len(market.changes))


@inlined
def _kind_of(frame: Any) -> int:
    """Return the kind of a book frame."""
    for event in range(frame.registers.events):
        if get_word(frame.events, event * EVENT):
            return SNAPSHOT
    return BOOK


@inlined
def _count_cut(frame: Any) -> int:
    """Return how many sizes of a book frame are cut."""
    sizes_cut = 0
    for change in range(frame.registers.changes):
        word = change * CHANGE
        rest = get_word(frame.changes, word + 3)
        if rest:
            sizes_cut += size_units(get_word(frame.changes, word + 2), rest)[1]
    return sizes_cut


@inlined
def _write_changes(frame: Any, market: Any) -> None:
    """Write the changes of a frame, of each event the bids first."""
    changes, place = market.changes, market.registers.changes
    for event in range(frame.registers.events):
        at = event * EVENT
        start, stop = get_word(frame.events, at + 1), get_word(frame.events, at + 2)
        if get_word(frame.events, at):
            set_word(changes, place * CHANGED, CLEAR)
            set_word(changes, place * CHANGED + 1, 0)
            set_word(changes, place * CHANGED + 2, 0)
            place += 1
        bid = ask = place
        for change in range(start, stop):
            ask += 1 - get_word(frame.changes, change * CHANGE)
        for change in range(start, stop):
            word = change * CHANGE
            side, key = get_word(frame.changes, word), get_word(frame.changes, word + 1)
            units, cut = size_units(get_word(frame.changes, word + 2), get_word(frame.changes, word + 3))
            if cut:
                units = units or BELOW_UNIT
            to = (ask if side else bid) * CHANGED
            set_word(changes, to, side)
            set_word(changes, to + 1, key * (1 - 2 * side))
            set_word(changes, to + 2, units)
            ask += side
            bid += 1 - side
        place += stop - start
    market.registers.changes = place


@inner
def _sort_trades(trades: Any, start: int, count: int) -> None:
    """Sort trades by trade_id; equal ones keep their order. O(n x n), O(n) if they are sorted."""
    for place in range(start + 1, start + count):
        at = place
        while at > start and get_word(trades, (at - 1) * TRADE) > get_word(trades, at * TRADE):
            for word in range(at * TRADE, (at + 1) * TRADE):
                before = get_word(trades, word - TRADE)
                set_word(trades, word - TRADE, get_word(trades, word))
                set_word(trades, word, before)
            at -= 1


@inlined
def follow_seen(market: Any) -> bool:
    """Sort the trades of the row; tell whether the new ones follow those that the connection has shown.

    If not, or if these are the first, the plain engine judges them.
    """
    registers, trades = market.registers, market.trades
    start, count = registers.trades, registers.row_trades
    if count > 1:
        _sort_trades(trades, start, count)
    next_id = registers.next_id
    for trade in range(start, start + count):
        if not get_word(trades, trade * TRADE + 5):
            if get_word(trades, trade * TRADE) != next_id:
                return False
            next_id += 1
    registers.row_next_id = next_id
    return True


@inlined
def _note_id(registers: Any, trade_id: int) -> None:
    """Count a jump of trade_id, as `TradeWatch` does."""
    if registers.last_id == NO_ID:
        registers.last_id = trade_id
    elif trade_id > registers.last_id:
        registers.gaps += trade_id > registers.last_id + 1
        registers.last_id = trade_id


@inlined
def _write_trades(market: Any) -> None:
    """Write the trades that were read, and judge them as `TradeWatch` does."""
    registers, trades = market.registers, market.trades
    start, count = registers.trades, registers.row_trades
    registers.malformed += registers.row_malformed
    if count:
        registers.has_trades = 1
        registers.next_id = registers.row_next_id
    for trade in range(start, start + count):
        at = trade * TRADE
        _note_id(registers, get_word(trades, at))
        time = get_word(trades, at + 1)
        if time != NO_TIME and not get_word(trades, at + 5):
            registers.late += time <= registers.book_time
    registers.trades = start + count
    if registers.named_id >= 0 and registers.has_trades:
        _note_id(registers, registers.named_id)


@inlined
def write_row(frame: Any, market: Any, row: int, is_book: bool, wants_changes: bool) -> None:
    """Write a row that has been applied.

    Args:
        frame: what was read of it.
        market: has its trades behind those written.
        row: its place in the batch.
        is_book: whether it has a summary.
        wants_changes: whether the changes of the book are written.
    """
    registers = market.registers
    kind, book_time, sizes_cut = OTHER, NO_TIME, registers.row_cut
    if is_book:
        kind, sizes_cut = _kind_of(frame), _count_cut(frame)
        if wants_changes:
            _write_changes(frame, market)
        if frame.registers.book_time >= 0:
            book_time = frame.registers.book_time
            registers.book_time = max(registers.book_time, book_time)
    else:
        kind = TRADES if registers.row_trades else OTHER
        _write_trades(market)
    market.kinds[row] = kind
    market.times[0, row] = book_time
    market.times[1, row] = sizes_cut
    market.firsts[0, row + 1] = registers.trades
    market.firsts[1, row + 1] = registers.changes
