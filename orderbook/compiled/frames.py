"""What both dialects share: where a frame that was read is kept, the keys of an envelope, the other frames.

A frame is read whole before any of it applies. What it says is kept in three arrays that are handed in:

    changes     four words a level: side, key (see `levels`), whole, fraction
    events      three words an event of the product: is it a snapshot, its first change, behind its last
    registers   from SEQUENCE on: the rest
"""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.scan import is_word

EXCHANGE_TIME: Final = 19  # -1 is null
SEQUENCE: Final = 20  # -1 where the frame has none
CHANGES: Final = 21
EVENTS: Final = 22
WANTS_ROOM: Final = 23  # 1 where `changes` was too small; the frame is to be read again

CHANGE: Final = 4
EVENT: Final = 3
MAX_EVENTS: Final = 64

# Bits of the top-level keys.
TYPE: Final = 1
CHANNEL: Final = 2
PRODUCT_ID: Final = 4
TIME: Final = 8
TIMESTAMP: Final = 16
SEQUENCE_NUM: Final = 32
BIDS: Final = 64
ASKS: Final = 128
CHANGES_KEY: Final = 256
EVENTS_KEY: Final = 512

_TYPE = np.frombuffer(b"type", np.uint8)
_CHANNEL = np.frombuffer(b"channel", np.uint8)
_PRODUCT_ID = np.frombuffer(b"product_id", np.uint8)
_TIME = np.frombuffer(b"time", np.uint8)
_TIMESTAMP = np.frombuffer(b"timestamp", np.uint8)
_SEQUENCE_NUM = np.frombuffer(b"sequence_num", np.uint8)
_BIDS = np.frombuffer(b"bids", np.uint8)
_ASKS = np.frombuffer(b"asks", np.uint8)
_CHANGES = np.frombuffer(b"changes", np.uint8)
_EVENTS = np.frombuffer(b"events", np.uint8)
_SILENT = [
    np.frombuffer(word, np.uint8)
    for word in (b"heartbeat", b"heartbeats", b"subscriptions", b"ticker", b"ticker_batch", b"status")
]
_HEARTBEAT, _HEARTBEATS, _SUBSCRIPTIONS, _TICKER, _TICKER_BATCH, _STATUS = _SILENT
_MARKET_TRADES = np.frombuffer(b"market_trades", np.uint8)
_CANDLES = np.frombuffer(b"candles", np.uint8)
_MATCH = np.frombuffer(b"match", np.uint8)
_LAST_MATCH = np.frombuffer(b"last_match", np.uint8)


@inlined
def envelope_key(data: Any, start: int, stop: int) -> int:
    """Return the bit of a top-level key; 0 for one that is none of the envelope's."""
    length = stop - start
    if length == 4:
        if is_word(data, start, stop, _TYPE):
            return TYPE
        if is_word(data, start, stop, _TIME):
            return TIME
        if is_word(data, start, stop, _BIDS):
            return BIDS
        return ASKS if is_word(data, start, stop, _ASKS) else 0
    if length == 10:
        return PRODUCT_ID if is_word(data, start, stop, _PRODUCT_ID) else 0
    if length == 7:
        if is_word(data, start, stop, _CHANGES):
            return CHANGES_KEY
        return CHANNEL if is_word(data, start, stop, _CHANNEL) else 0
    if length == 9:
        return TIMESTAMP if is_word(data, start, stop, _TIMESTAMP) else 0
    if length == 12:
        return SEQUENCE_NUM if is_word(data, start, stop, _SEQUENCE_NUM) else 0
    return EVENTS_KEY if length == 6 and is_word(data, start, stop, _EVENTS) else 0


@inner
def is_silent(data: Any, start: int, stop: int) -> bool:
    """Tell whether a type or channel is documented, says nothing of the book and is no error.

    Not all that are documented: those that come often.
    """
    return (
        is_word(data, start, stop, _HEARTBEATS)
        or is_word(data, start, stop, _TICKER)
        or is_word(data, start, stop, _MARKET_TRADES)
        or is_word(data, start, stop, _HEARTBEAT)
        or is_word(data, start, stop, _SUBSCRIPTIONS)
        or is_word(data, start, stop, _TICKER_BATCH)
        or is_word(data, start, stop, _STATUS)
        or is_word(data, start, stop, _CANDLES)
        or is_word(data, start, stop, _MATCH)
        or is_word(data, start, stop, _LAST_MATCH)
    )


@inlined
def begin_frame(registers: Any) -> None:
    """Forget the frame before."""
    registers[EXCHANGE_TIME] = -1
    registers[SEQUENCE] = -1
    registers[CHANGES] = 0
    registers[EVENTS] = 0


@inlined
def add_change(changes: Any, registers: Any, side: int, price: int, whole: int, fraction: int) -> bool:
    """Keep a level of the frame; False where there is no room."""
    place = registers[CHANGES]
    at = place * CHANGE
    if at + CHANGE > len(changes):
        registers[WANTS_ROOM] = 1
        return False
    changes[np.uint64(at)] = side
    changes[np.uint64(at + 1)] = price if side == 0 else -price
    changes[np.uint64(at + 2)] = whole
    changes[np.uint64(at + 3)] = fraction
    registers[CHANGES] = place + 1
    return True


@inlined
def add_event(events: Any, registers: Any, is_snapshot: bool, first: int) -> bool:
    """Keep an event of the product, made of the changes from `first` on; False where there are too many."""
    place = registers[EVENTS]
    if place == MAX_EVENTS:
        return False
    at = place * EVENT
    events[np.uint64(at)] = is_snapshot
    events[np.uint64(at + 1)] = first
    events[np.uint64(at + 2)] = registers[CHANGES]
    registers[EVENTS] = place + 1
    return True
