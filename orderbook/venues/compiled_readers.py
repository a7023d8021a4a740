"""The compiled readers of frames, by the number that their venue gives (`Venue.reader`)."""

from typing import Any, Final

from orderbook.compiled.frames import begin_frame
from orderbook.compiled.jit import inlined
from orderbook.compiled.market import begin_row
from orderbook.venues import advanced, exchange
from orderbook.venues.advanced.compiled import read_advanced
from orderbook.venues.coinbase.compiled_trades import OTHER
from orderbook.venues.exchange.compiled import read_exchange, read_exchange_trades, usual_type

_EXCHANGE: Final = exchange.VENUE.reader
_ADVANCED: Final = advanced.VENUE.reader


@inlined
def read_frame(reader: int, run: Any, at: int, end: int, frame: Any, market: Any) -> int:
    """Read the bytes [at, end) of a run's payloads into a frame, and its trades, if they are wanted.

    Returns:
        1 for a book frame, 0 for a frame that does not concern the book, -1 for one that is left to the plain
        engine, and if there is no room in the frame or the market, which then say so.
    """
    wants_trades = run.registers.wants_market
    if wants_trades:
        begin_row(market)
    if reader == _ADVANCED:
        return read_advanced(run.payloads, at, end, run.product, wants_trades, frame, market)
    if reader == _EXCHANGE:
        kind = usual_type(run.payloads, at, end) if wants_trades else OTHER
        what = 0
        if kind <= OTHER:
            what = read_exchange(run.payloads, at, end, run.product, frame)
        else:
            begin_frame(frame)
        if what == 0 and kind != OTHER:
            return read_exchange_trades(run.payloads, at, end, run.product, frame, market)
        return what
    return -1
