"""The compiled reader of the trades of Exchange; `trades` says what they mean."""

from typing import Any, Final

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.market import follow_seen
from orderbook.compiled.scan import QUOTE, byte, skip_space
from orderbook.compiled.words import eight, mask_of, word_of
from orderbook.venues.coinbase.compiled_trades import (
    HEARTBEAT,
    LAST_MATCH,
    MATCH,
    OTHER,
    keep_trade,
    read_object,
)

UNUSUAL: Final = -1

_BEGIN: Final[Any] = word_of(b'{"type":')
_SIX: Final[Any] = mask_of(6)
_MATCH: Final[Any] = word_of(b'match"')
_LAST_MATCH: Final[Any] = word_of(b"last_mat"), word_of(b'ch"')
_HEARTBEAT: Final[Any] = word_of(b"heartbea"), word_of(b't"')
_THREE: Final[Any] = mask_of(3)
_TWO: Final[Any] = mask_of(2)


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
    if registers.type == HEARTBEAT:
        registers.named_id = registers.last_trade_id if registers.is_ours else -1
    elif registers.type != OTHER:
        if not registers.is_trade:
            return -1
        keep_trade(market, registers.type == LAST_MATCH)
        return 0 if follow_seen(market) else -1
    return 0
