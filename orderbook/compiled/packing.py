"""Rows as packed integers, for as long as their reader reads them; see `packed`."""

from typing import Any

import numpy as np

from orderbook.compiled.jit import inlined, inner
from orderbook.compiled.kernel import DONE, LACKS_CHANGES, LACKS_MARKET
from orderbook.compiled.layout import NO_ID, TRADE, Frame, Market, Run
from orderbook.compiled.packed import write_packed
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
def _pack(frame: Any, run: Any, market: Any, out: Any, places: Any, are_packed: Any) -> int:
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
        are_packed[row] = to >= 0
        if to < 0:
            to = at + stop - start
            for place in range(stop - start):
                out[at + place] = run.payloads[start + place]
        places[row + 1] = to
    return DONE


def pack(  # noqa: PLR0913  one for each field
    frame: Any,
    changes: Any,
    events: Any,
    run: Any,
    payloads: Any,
    offsets: Any,
    kinds: Any,
    kind_offsets: Any,
    connections: Any,
    product: Any,
    marks: Any,
    floats: Any,
    ladder: Any,
    seen: Any,
    row_kinds: Any,
    times: Any,
    firsts: Any,
    row_changes: Any,
    trades: Any,
    out: Any,
    places: Any,
    are_packed: Any,
) -> int:
    """Pack rows from `row` on: `(*Frame, *Run, *Market, out, places, are_packed)`; return why it ended."""
    memory = Run(run, payloads, offsets, kinds, kind_offsets, connections, product, marks, floats, ladder)
    market = Market(seen, row_kinds, times, firsts, row_changes, trades)
    why: int = _pack(Frame(frame, changes, events), memory, market, out, places, are_packed)
    return why
