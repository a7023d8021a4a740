"""A table of orders as the words that the kernel reads."""

import numpy as np
import numpy.typing as npt

from orderbook.execution.codes import SIDE_NUMBER
from orderbook.execution.compiled.layout import AMEND, CANCEL, IOC, LIMIT, MARKET_ORDER, NEW, ROW, SAME
from orderbook.execution.numbers import NumberLike, order_units
from orderbook.execution.table import OrdersTable, TableRow


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
