"""How a reader fills a `Frame`. A frame is read units before any of it is applied."""

from typing import Any

from orderbook.compiled.jit import inlined
from orderbook.compiled.layout import CHANGE, EVENT, MAX_EVENTS
from orderbook.compiled.words import set_word


@inlined
def begin_frame(frame: Any) -> None:
    """Discard the frame before."""
    registers = frame.registers
    registers.exchange_time = registers.book_time = registers.sequence = -1
    registers.changes = registers.events = registers.unread = 0


@inlined
def add_change(frame: Any, side: int, price: int, units: int, rest: int) -> bool:
    """Append a level to the changes; False if there is no room."""
    place = frame.registers.changes
    at = place * CHANGE
    if at + CHANGE > len(frame.changes):
        frame.registers.lacks_room = 1
        return False
    set_word(frame.changes, at, side)
    set_word(frame.changes, at + 1, price if side == 0 else -price)
    set_word(frame.changes, at + 2, units)
    set_word(frame.changes, at + 3, rest)
    frame.registers.changes = place + 1
    return True


@inlined
def add_event(frame: Any, is_snapshot: bool, first: int) -> bool:
    """Append an event of the product, made of the changes from `first` on; False if there are too many."""
    place = frame.registers.events
    if place == MAX_EVENTS:
        return False
    at = place * EVENT
    set_word(frame.events, at, is_snapshot)
    set_word(frame.events, at + 1, first)
    set_word(frame.events, at + 2, frame.registers.changes)
    frame.registers.events = place + 1
    return True
