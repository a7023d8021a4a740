"""Rows as packed integers, for as long as their reader reads them; see `packed`."""

from typing import Any, Final

import numpy as np

from orderbook.compiled import layout
from orderbook.compiled.entries import entry_of
from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.layout import DONE, LACKS_CHANGES, LACKS_MARKET, NO_ID, NOT_PACKED, TRADE
from orderbook.compiled.packed_writing import write_packed
from orderbook.compiled.scan import is_word
from orderbook.compiled.words import get_word
from orderbook.venues.compiled_readers import read_frame

_FRAME = np.frombuffer(b"frame", np.uint8)


@inner
def _follow_own(market: Any) -> None:
    """Let the first new trade of the row that was read be the next one of its connection."""
    registers = market.registers
    registers.next_id = NO_ID
    for trade in range(registers.trades + registers.row_trades - 1, registers.trades - 1, -1):
        if not get_word(market.trades, trade * TRADE + 5):
            registers.next_id = get_word(market.trades, trade * TRADE)


@inner
def _read(run: Any, start: Any, stop: Any, frame: Any, market: Any) -> int:
    return read_frame(run.registers.reader, run, start, stop, frame, market)


@inlined
def pack(frame: Any, run: Any, market: Any, packing: Any) -> int:
    """Pack rows from `row` on; return why it ended.

    Args:
        frame: see `layout`.
        run: see `layout`.
        market: see `layout`.
        packing: takes the packed rows, see `layout`.
    """
    out, places, times = packing.out, packing.places, packing.times
    registers, found, seen = run.registers, frame.registers, market.registers
    for row in range(registers.row, len(run.offsets) - 1):
        registers.row = row
        at = places[row]
        start: Any = np.int64(run.offsets[row])
        stop: Any = np.int64(run.offsets[row + 1])
        to = -1
        if is_word(run.kinds, run.kind_offsets[row], run.kind_offsets[row + 1], _FRAME):
            what = _read(run, start, stop, frame, market)
            if what < 0 and not (found.lacks_room or seen.lacks_room) and seen.row_trades:
                _follow_own(market)  # perhaps its trades only do not follow those of the row before
                what = _read(run, start, stop, frame, market)
            if found.lacks_room:
                found.lacks_room = 0
                return LACKS_CHANGES
            if seen.lacks_room:
                seen.lacks_room = 0
                return LACKS_MARKET
            if what >= 0:
                if seen.row_trades:
                    seen.next_id = seen.row_next_id
                to = write_packed(frame, market, what, out, at)
        times[row] = found.exchange_time if to >= 0 else NOT_PACKED
        if to < 0:
            to = at + stop - start
            for place in range(stop - start):
                out[at + place] = run.payloads[start + place]
        places[row + 1] = to
    return DONE


PACK: Final = entry_of(pack, layout.Frame, layout.Run, layout.Market, layout.Packing)
