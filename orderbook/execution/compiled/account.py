"""The money of a lane, and the sums of its orders: `account.Account` in compiled code."""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inlined, inner, record_of
from orderbook.compiled.words import get_word, set_word
from orderbook.execution.codes import Code
from orderbook.execution.compiled import wide
from orderbook.execution.compiled.addresses import account_ref
from orderbook.execution.compiled.layout import UNKNOWN

_1: Final[Any] = np.uint64(1)
_UNSENT: Final = int(Code.UNSENT)
_FIRST_REFUSAL: Final = int(Code.NO_BOOK)


@record_of
def account_at(x: Any, number: int) -> Any:
    """Return the account of a lane."""
    return account_ref(x.accounts, number)


@inner
def value_start(account: Any, mid_twice: int) -> None:
    """Value a position of the start at the first mid, or the first price, that is known."""
    high, low = wide.times(account.position, mid_twice)
    low = np.int64((np.uint64(low) >> _1) | (np.uint64(high) << np.uint64(63)))
    account.is_valued = 1
    account.cost_high, account.cost_low = high >> 1, low
    account.first_cost_high, account.first_cost_low = account.cost_high, account.cost_low
    high, low = wide.add(account.cash_high, account.cash_low, account.cost_high, account.cost_low)
    account.highest_high, account.highest_low = wide.add(high, low, high, low)


@inlined
def _signed(side: int, high: Any, low: Any) -> Any:
    """Return a number times the sign of a side."""
    if side == 1:
        high, low = wide.negative(high, low)
    return high, low


@inner
def book_fill(
    account: Any, side: int, price: int, size: int, value: tuple[Any, Any], fee: tuple[Any, Any]
) -> None:
    """Book a fill, whose value and fee are two words each; a position of the start has its value."""
    value_high, value_low = value
    fee_high, fee_low = fee
    account.turnover_high, account.turnover_low = wide.add(
        account.turnover_high, account.turnover_low, value_high, value_low
    )
    account.fees_high, account.fees_low = wide.add(account.fees_high, account.fees_low, fee_high, fee_low)
    paid_high, paid_low = _signed(side, value_high, value_low)
    paid_high, paid_low = wide.add(paid_high, paid_low, fee_high, fee_low)
    account.cash_high, account.cash_low = wide.less(account.cash_high, account.cash_low, paid_high, paid_low)
    held = abs(account.position)
    is_against = account.position < 0 if side == 0 else account.position > 0
    closed = min(size, held) if is_against else 0
    if closed:
        cost_high, cost_low = account.cost_high, account.cost_low
        if cost_high < 0:
            cost_high, cost_low = wide.negative(cost_high, cost_low)
        part_high, part_low = wide.part_of(cost_high, cost_low, closed, held)
        proceeds_high, proceeds_low = wide.product(price, closed)
        # A long position proceeds with its price and costs its part; a short one the other way round.
        gain_high, gain_low = wide.less(part_high, part_low, proceeds_high, proceeds_low)
        gain_high, gain_low = _signed(side, gain_high, gain_low)
        account.realised_high, account.realised_low = wide.add(
            account.realised_high, account.realised_low, gain_high, gain_low
        )
        part_high, part_low = _signed(side, part_high, part_low)
        account.cost_high, account.cost_low = wide.add(
            account.cost_high, account.cost_low, part_high, part_low
        )
    opened_high, opened_low = wide.product(price, size - closed)
    opened_high, opened_low = _signed(side, opened_high, opened_low)
    account.cost_high, account.cost_low = wide.add(
        account.cost_high, account.cost_low, opened_high, opened_low
    )
    account.position += size if side == 0 else -size


@inlined
def _add_size(sums: Any, place: int, size: int) -> None:
    """Add a size to a sum of two words, the high one first."""
    high, low = wide.add(get_word(sums, place), get_word(sums, place + 1), 0, size)
    set_word(sums, place, high)
    set_word(sums, place + 1, low)


@inlined
def count(account: Any, code: int) -> None:
    """Count an order that is over by the code of its end, or an amend by that of its refusal."""
    set_word(account.counts, code, get_word(account.counts, code) + 1)


@inner
def add_order(account: Any, order: Any, queue: int) -> None:
    """Count an order that is over, see `totals.LaneTotals.add_order`."""
    count(account, order.end)
    if order.end >= _FIRST_REFUSAL or order.end == _UNSENT:
        return
    _add_size(account.accepted, 0, order.size)
    _add_size(account.done, 0, get_word(order.filled, queue))
    for model in range(3):
        filled = get_word(order.filled, model)
        _add_size(account.filled, 2 * model, filled)
        if filled:
            set_word(account.filled_orders, model, get_word(account.filled_orders, model) + 1)
    if order.rested != UNKNOWN:
        account.rested_orders += 1
    # Divided, as 20 times a size may be beyond an int64.
    if order.ahead_at_rest >= 0 and order.size > order.ahead_at_rest // 20:
        account.exceeds_level = 1
