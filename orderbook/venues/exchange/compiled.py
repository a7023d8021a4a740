"""The compiled reader of Exchange frames, those of trades too; `decoder` says what they mean."""

from typing import Any, Final

import numpy as np

from orderbook.compiled import numbers, times
from orderbook.compiled.frames import add_change, add_event, begin_frame
from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.market import follow_seen
from orderbook.compiled.scan import (
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COLON,
    COMMA,
    OPEN_ARRAY,
    OPEN_OBJECT,
    QUOTE,
    byte,
    expect,
    is_word,
    peek,
    skip_space,
    skip_value,
    string,
    string_end,
)
from orderbook.compiled.words import eight, mask_of, word_of
from orderbook.venues.coinbase import compiled as envelope
from orderbook.venues.coinbase.compiled import envelope_key, is_silent
from orderbook.venues.coinbase.compiled_trades import (
    HEARTBEAT,
    LAST_MATCH,
    MATCH,
    OTHER,
    keep_trade,
    read_object,
)

_BUY = np.frombuffer(b"buy", np.uint8)
_SELL = np.frombuffer(b"sell", np.uint8)
_BUY_NEXT: Final[Any] = word_of(b'["buy","')
_SELL_NEXT: Final[Any] = word_of(b'["sell",')
_TWO: Final[Any] = mask_of(2)
_THREE: Final[Any] = mask_of(3)
_FOUR: Final[Any] = mask_of(4)
_SIX: Final[Any] = mask_of(6)
_TYPE_COLON: Final[Any] = word_of(b'type":')
_TIME_COLON: Final[Any] = word_of(b'time":')
_BIDS_COLON: Final[Any] = word_of(b'bids":')
_ASKS_COLON: Final[Any] = word_of(b'asks":')
_PRODUCT_: Final[Any] = word_of(b"product_")
_ID_COLON: Final[Any] = word_of(b'id":')
_CHANGES_: Final[Any] = word_of(b'changes"')
_L2UPDATE = np.frombuffer(b"l2update", np.uint8)
_SNAPSHOT = np.frombuffer(b"snapshot", np.uint8)
_BEGIN: Final[Any] = word_of(b'{"type":')
_MATCH: Final[Any] = word_of(b'match"')
_LAST_MATCH: Final[Any] = word_of(b"last_mat"), word_of(b'ch"')
_HEARTBEAT: Final[Any] = word_of(b"heartbea"), word_of(b't"')
UNUSUAL: Final = -1


@inlined
def _change(data: Any, at: int, end: int, side: int, frame: Any) -> int:
    """Append a level of a side, or a change if `side` is -1; return the position behind it."""
    at = expect(data, at, end, OPEN_ARRAY)
    if side < 0:
        at, stop = string(data, at, end)
        if stop < 0:
            return -1
        if is_word(data, at, stop, _SELL):
            side = 1
        elif is_word(data, at, stop, _BUY):
            side = 0
        else:
            return -1
        at = expect(data, stop + 1, end, COMMA)
    at = expect(data, at, end, QUOTE)
    if at < 0:
        return -1
    at, price = numbers.price(data, at, end)
    at = expect(data, expect(data, at, end, COMMA), end, QUOTE)
    if at < 0:
        return -1
    at, units, rest = numbers.size(data, at, end)
    at = expect(data, at, end, CLOSE_ARRAY)
    if at < 0 or not add_change(frame, side, price, units, rest):
        return -1
    return at


@inlined
def _usual_change(data: Any, at: int, end: int, frame: Any) -> int:
    """Append a change in the venue's usual spelling; -1 for any other, which `_change` reads."""
    if at + 16 > end:
        return -1
    word = eight(data, at)  # the side cannot be predicted, so there is no branch on it
    side = int(word == _SELL_NEXT)
    at += 8 + side
    if not side | (word == _BUY_NEXT) or byte(data, at - 1) != QUOTE:
        return -1
    at, price = numbers.price(data, at, end)
    if at < 0 or at + 2 > end or byte(data, at) != COMMA or byte(data, at + 1) != QUOTE:
        return -1
    at, units, rest = numbers.size(data, at + 2, end)
    if at < 0 or at >= end or byte(data, at) != CLOSE_ARRAY:
        return -1
    return at + 1 if add_change(frame, side, price, units, rest) else -1


@inlined
def _array(data: Any, at: int, end: int, side: int, frame: Any) -> int:
    """Read an array of levels of one side, or of changes if `side` is -1; return the position behind it."""
    at = expect(data, at, end, OPEN_ARRAY)
    if peek(data, at, end) == CLOSE_ARRAY:
        return expect(data, at, end, CLOSE_ARRAY)
    while at >= 0:
        usual = _usual_change(data, at, end, frame) if side < 0 else -1
        at = usual if usual >= 0 else _change(data, at, end, side, frame)
        if at >= 0 and at < end and byte(data, at) == COMMA:
            at += 1
        elif peek(data, at, end) == COMMA:
            at = expect(data, at, end, COMMA)
        else:
            return expect(data, at, end, CLOSE_ARRAY)
    return -1


@inlined
def _usual_key(data: Any, start: int, end: int) -> tuple[int, int]:
    """Read a common top-level key with its closing quote and colon.

    Returns:
        Its bit and the position behind the colon; 0 and -1 for any other key or spelling.
    """
    if start < 0 or start + 16 > end:
        return 0, -1
    word = eight(data, start)
    short = word & _SIX
    if short == _TYPE_COLON:
        return envelope.TYPE, start + 6
    if word == _PRODUCT_ and eight(data, start + 8) & _FOUR == _ID_COLON:
        return envelope.PRODUCT_ID, start + 12
    if word == _CHANGES_ and byte(data, start + 8) == COLON:
        return envelope.CHANGES, start + 9
    if short == _TIME_COLON:
        return envelope.TIME, start + 6
    if short == _ASKS_COLON:
        return envelope.ASKS, start + 6
    if short == _BIDS_COLON:
        return envelope.BIDS, start + 6
    return 0, -1


@inlined
def read_exchange(data: Any, at: int, end: int, product: Any, frame: Any) -> int:
    """Read a frame; see `read_frame` of `compiled_readers`."""
    begin_frame(frame)
    seen = 0
    kind_start = kind_stop = 0
    is_ours = False
    at = expect(data, at, end, OPEN_OBJECT)
    while at >= 0:
        start = expect(data, at, end, QUOTE)
        key, at = _usual_key(data, start, end)
        if key == 0:
            stop = string_end(data, start, end)
            if stop < 0:
                return -1
            key = envelope_key(data, start, stop)
            at = expect(data, stop + 1, end, COLON)
            if at < 0:
                return -1
        if seen & key:
            return -1
        seen |= key
        at = skip_space(data, at, end)
        if key == envelope.CHANGES or key == envelope.BIDS or key == envelope.ASKS:
            side = 0 if key == envelope.BIDS else 1 if key == envelope.ASKS else -1
            at = _array(data, at, end, side, frame)
        elif key == envelope.TYPE or key == envelope.PRODUCT_ID or key == envelope.TIME:
            start, stop = string(data, at, end)
            if stop < 0:
                return -1
            if key == envelope.TYPE:
                kind_start, kind_stop = start, stop
            elif key == envelope.PRODUCT_ID:
                is_ours = is_word(data, start, stop, product)
            else:
                time = times.time(data, start, stop, frame.registers)
                if time < 0:
                    return -1
                frame.registers.exchange_time = frame.registers.book_time = time
            at = stop + 1
        elif key == envelope.SEQUENCE_NUM:
            at, frame.registers.sequence = numbers.sequence(data, at, end)
        else:
            at = skip_value(data, at, end)
        if peek(data, at, end) == COMMA:
            at = expect(data, at, end, COMMA)
        else:
            at = expect(data, at, end, CLOSE_OBJECT)
            break
    if at < 0 or skip_space(data, at, end) != end or not seen & envelope.TYPE:
        return -1
    levels = seen & (envelope.BIDS | envelope.ASKS | envelope.CHANGES | envelope.PRODUCT_ID)
    if levels == envelope.CHANGES | envelope.PRODUCT_ID and is_word(data, kind_start, kind_stop, _L2UPDATE):
        is_snapshot = False
    elif levels == envelope.BIDS | envelope.ASKS | envelope.PRODUCT_ID and is_word(
        data, kind_start, kind_stop, _SNAPSHOT
    ):
        is_snapshot = True
    else:
        return 0 if is_silent(data, kind_start, kind_stop) else -1
    if is_ours and not add_event(frame, is_snapshot, 0):
        return -1
    return 1


@inlined
def usual_type(data: Any, at: int, end: int) -> int:
    """Return the type of a frame that names it first, `OTHER` if it tells of no trades; else `UNUSUAL`."""
    if at + 25 > end or eight(data, at) != _BEGIN or byte(data, at + 8) != QUOTE:
        return UNUSUAL
    word = eight(data, at + 9)
    if word & _SIX == _MATCH:
        return MATCH
    if word == _LAST_MATCH[0] and eight(data, at + 17) & _THREE == _LAST_MATCH[1]:
        return LAST_MATCH
    return HEARTBEAT if word == _HEARTBEAT[0] and eight(data, at + 17) & _TWO == _HEARTBEAT[1] else OTHER


@inner
def read_exchange_trades(data: Any, at: int, end: int, product: Any, frame: Any, market: Any) -> int:
    """Read the trade of a frame that is no book; return 0, or -1 as `read_frame` does."""
    at = read_object(data, at, end, product, frame, market)
    if at < 0 or skip_space(data, at, end) != end:
        return -1
    registers = market.registers
    if registers.row_malformed:
        return 0 if registers.type == MATCH or registers.type == LAST_MATCH else -1
    if registers.type == HEARTBEAT:
        registers.named_id = registers.last_trade_id if registers.is_ours else -1
    elif registers.type != OTHER:
        if not registers.is_trade:
            return -1
        keep_trade(market, registers.type == LAST_MATCH)
        return 0 if follow_seen(market) else -1
    return 0
