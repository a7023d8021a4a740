"""What strategies do that need no Python: tables of orders, and `booktape.strategies.QuoteWhenWide`."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from orderbook.compiled.jit import inlined, inner
from orderbook.execution.codes import SIDE_NUMBER
from orderbook.execution.compiled.events import lane_at
from orderbook.execution.compiled.layout import (
    AMEND,
    CANCEL,
    IOC,
    LIMIT,
    MARKET_ORDER,
    NEVER,
    NEW,
    NO_ONE,
    ROW,
    SAME,
    load,
)
from orderbook.execution.compiled.pool import order_at
from orderbook.execution.compiled.requests import send, send_order
from orderbook.execution.numbers import NumberLike, order_units
from orderbook.execution.table import OrdersTable, TableRow

# Words of a row of a table.
_TIME: Final = 0
_WHAT: Final = 1
_TARGET: Final = 2
_SIDE: Final = 3
_PRICE: Final = 4
_SIZE: Final = 5
_POST_ONLY: Final = 6
_KIND: Final = 7


@inner
def next_row_time(x: Any, lane: Any) -> Any:
    """Return when the next row of a table is sent, NEVER if there is none."""
    return load(x.table, ROW * lane.table_next + _TIME) if lane.table_next < lane.table_end else NEVER


@inner
def send_row(x: Any, number: int) -> None:
    """Send the next row of a table."""
    lane = lane_at(x, number)
    row = ROW * lane.table_next
    lane.table_next += 1
    what, price, size = load(x.table, row + _WHAT), load(x.table, row + _PRICE), load(x.table, row + _SIZE)
    if what in (CANCEL, AMEND):
        send(x, number, what, load(x.table, row + _TARGET), price, size)
    else:
        send_order(
            x,
            number,
            load(x.table, row + _SIDE),
            load(x.table, row + _KIND),
            load(x.table, row + _POST_ONLY),
            price,
            size,
        )


@inlined
def _standing(x: Any, lane: Any, side: int) -> Any:
    """Return the youngest open order of a side that no cancel is on its way to, NO_ONE without one."""
    found = lane.own_last
    while found != NO_ONE and (order_at(x, found).side != side or order_at(x, found).cancelling):
        found = order_at(x, found).own_before
    return found


@inner
def _cancel_side(x: Any, number: int, side: int, but: int) -> None:
    """Cancel the open orders of a side, oldest first."""
    own = lane_at(x, number).own_first
    while own != NO_ONE:
        order = order_at(x, own)
        if order.side == side and own != but and not order.cancelling:
            order.cancelling += 1
            send(x, number, CANCEL, order.number, 0, 0)
        own = order.own_next


@inner
def _quote_side(x: Any, number: int, side: int, is_wanted: bool) -> None:
    market, lane = x, lane_at(x, number)
    if not is_wanted or not market.bid or not market.ask:
        _cancel_side(x, number, side, NO_ONE)
        return
    tick = max(market.tick, 1)
    spread = market.ask - market.bid
    # Checked without a product first: `inside` may be any number.
    has_room = lane.inside <= spread // tick and spread >= (2 * lane.inside + 1) * tick
    step = lane.inside * tick if has_room else 0
    price = market.bid + step if side == 0 else market.ask - step
    standing = _standing(x, lane, side)
    if standing == NO_ONE:
        send_order(x, number, side, LIMIT, 1, price, lane.size)
        return
    _cancel_side(x, number, side, standing)
    order = order_at(x, standing)
    if order.wanted_price != price or order.wanted_left > lane.size:
        order.wanted_price, order.wanted_left = price, lane.size
        order.amending += 1
        send(x, number, AMEND, order.number, price, lane.size)


@inner
def quote_when_wide(x: Any, number: int) -> None:
    """Quote, move the quotes or cancel them."""
    market, lane = x, lane_at(x, number)
    is_crossed = market.bid and market.ask and market.bid > market.ask
    is_wide = market.relative_spread > lane.threshold and not is_crossed
    if not is_wide and lane.own_first == NO_ONE:
        return
    _quote_side(x, number, 0, is_wide and lane.known_position + lane.size <= lane.limit)
    _quote_side(x, number, 1, is_wide and lane.known_position - lane.size >= -lane.limit)


def table_words(table: OrdersTable) -> npt.NDArray[np.int64]:
    """Return the rows of a table, (n, `ROW`)."""
    numbers: dict[str, int] = {}
    words = [_row(row, numbers) for row in table.rows]
    return np.array(words, np.int64).reshape(-1, ROW)


def _row(row: TableRow, numbers: dict[str, int]) -> tuple[int, ...]:
    if row.what == "cancel":
        return row.time, CANCEL, numbers[row.name], 0, SAME, SAME, 0, 0
    if row.what == "amend":
        return row.time, AMEND, numbers[row.name], 0, _units(row.price), _units(row.size), 0, 0
    numbers[row.name] = len(numbers) + 1
    side = SIDE_NUMBER[row.side or "bid"] - 1
    kind = MARKET_ORDER if row.what == "market" else IOC if row.ioc else LIMIT
    price = 0 if kind == MARKET_ORDER else order_units(row.price or 0)
    return row.time, NEW, 0, side, price, order_units(row.size or 0), int(row.post_only), kind


def _units(value: NumberLike | None) -> int:
    return SAME if value is None else order_units(value)
