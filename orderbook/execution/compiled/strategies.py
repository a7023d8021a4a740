"""Tables of orders: their rows as words, and how they are sent without Python."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from orderbook.compiled.jit import inner
from orderbook.execution.codes import SIDE_NUMBER
from orderbook.execution.compiled.addresses import load
from orderbook.execution.compiled.events import lane_at
from orderbook.execution.compiled.layout import AMEND, CANCEL, IOC, LIMIT, MARKET_ORDER, NEVER, NEW, ROW, SAME
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
