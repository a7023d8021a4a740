"""The place of a resting order in its level's queue: `queue.QueuePlace` in compiled code."""

from typing import Any, Final

from orderbook.compiled.jit import inlined, inner
from orderbook.execution.compiled.addresses import load
from orderbook.execution.compiled.layout import NO_ONE, UNKNOWN
from orderbook.execution.compiled.pool import (
    free_chain,
    free_node,
    get,
    link,
    new_node,
    next_of,
    put,
)
from orderbook.execution.compiled.sizes import size_at
from orderbook.execution.compiled.wide import share_of
from orderbook.execution.queue import MOST_WAITING, PATIENCE

# Words of a node of a decrease that waits.
_TIME: Final = 1
_AMOUNT: Final = 2
_BEFORE: Final = 3
_AFTER: Final = 4
_BOOK_TIME: Final = 5
# Words of a node of a trade that the book owes.
_SIZE: Final = 1
_TRADE_TIME: Final = 2

PRINT: Final = 4
"""Words of a print: side, price, size, time."""


@inlined
def is_later(trade_time: int, book_time: int) -> Any:
    """Tell whether a trade is known to be later than a book."""
    return book_time != UNKNOWN and trade_time > book_time  # an unknown time is before all


@inlined
def not_in_book(trade_time: int, book_time: int) -> Any:
    """Tell whether the book does not show a trade that arrives now."""
    return trade_time == UNKNOWN or trade_time > book_time  # an unknown time is before all


@inner
def printed(x: Any, side: int, price: int) -> Any:
    """Return the size of the prints at a price."""
    total = 0
    for each in range(x.prints):
        at = PRINT * each
        if load(x.prints_at, at + 1) == price and load(x.prints_at, at) == side:
            total += load(x.prints_at, at + 2)
    return total


@inner
def leave(x: Any, order: Any) -> None:
    """Give back what a place holds; the order has none then."""
    free_chain(x, order.waiting_first)
    free_chain(x, order.owed_first)
    order.waiting_first = order.waiting_last = order.owed_first = order.owed_last = NO_ONE
    order.waiting = 0
    order.has_place = 0


@inlined
def _owe(x: Any, order: Any, size: int, time: int) -> None:
    node = new_node(x)
    put(x, node, _SIZE, size)
    put(x, node, _TRADE_TIME, time)
    if order.owed_first == NO_ONE:
        order.owed_first = node
    else:
        link(x, order.owed_last, node)
    order.owed_last = node


@inner
def come(x: Any, order: Any) -> None:
    """Put an order, which has no place, at the back of its level."""
    market = x
    level = size_at(x, order.side, order.price)
    owed = 0
    for each in range(market.prints):
        at = PRINT * each
        if load(x.prints_at, at + 1) == order.price and load(x.prints_at, at) == order.side:
            owed += load(x.prints_at, at + 2)
            _owe(x, order, load(x.prints_at, at + 2), load(x.prints_at, at + 3))
    order.level = level
    order.since = market.book_time
    order.back = order.share = max(0, level - owed)
    order.is_fresh = order.has_place = 1


@inner
def _settle_oldest(x: Any, order: Any) -> None:
    node = order.waiting_first
    order.waiting_first = next_of(x, node)
    order.waiting -= 1
    order.share -= share_of(get(x, node, _AMOUNT), order.share, get(x, node, _BEFORE))
    after = get(x, node, _AFTER)
    order.back, order.share = min(order.back, after), min(order.share, after)
    free_node(x, node)


@inlined
def settle_old(x: Any, order: Any, now: int) -> None:
    """Settle decreases for which no trade came in time."""
    while order.waiting and now >= get(x, order.waiting_first, _TIME) + PATIENCE:
        _settle_oldest(x, order)


@inlined
def settle_before_trade(x: Any, order: Any, now: int, trade_time: int) -> None:
    """Settle what a trade at or through our price cannot explain, as it happened later."""
    settle_old(x, order, now)
    while order.waiting and is_later(trade_time, get(x, order.waiting_first, _BOOK_TIME)):
        _settle_oldest(x, order)


@inner
def _shown(x: Any, order: Any, book_time: int) -> Any:
    """Let owed trades leave that are now in the book; return their size."""
    shown = 0
    node, before = order.owed_first, NO_ONE
    while node != NO_ONE:
        following = next_of(x, node)
        if is_later(get(x, node, _TRADE_TIME), book_time):
            before = node
        else:
            shown += get(x, node, _SIZE)
            if before == NO_ONE:
                order.owed_first = following
            else:
                link(x, before, following)
            free_node(x, node)
        node = following
    order.owed_last = before
    return shown


@inner
def _wait(x: Any, order: Any, now: int, amount: int, size: int) -> None:
    """Keep a decrease."""
    if order.waiting == MOST_WAITING:
        _settle_oldest(x, order)
    node = new_node(x)
    put(x, node, _TIME, now)
    put(x, node, _AMOUNT, amount)
    put(x, node, _BEFORE, max(order.level, 1))
    put(x, node, _AFTER, size)
    put(x, node, _BOOK_TIME, x.book_time)
    if order.waiting == 0:
        order.waiting_first = node
    else:
        link(x, order.waiting_last, node)
    order.waiting_last = node
    order.waiting += 1


@inlined
def see_book(x: Any, order: Any, now: int, size: int) -> None:
    """Take note of the level's size after a book frame."""
    settle_old(x, order, now)
    expected = order.level
    if order.owed_first != NO_ONE:
        expected -= _shown(x, order, x.book_time)
    if size < expected:
        _wait(x, order, now, expected - size, size)
    elif order.is_fresh:
        order.back += size - expected
    order.is_fresh = 0
    order.level = size


@inner
def see_snapshot(x: Any, order: Any, now: int, size: int) -> None:
    """Take note of a second snapshot on the connection: what came before it is void."""
    settle_old(x, order, now)
    free_chain(x, order.waiting_first)
    free_chain(x, order.owed_first)
    order.waiting_first = order.waiting_last = order.owed_first = order.owed_last = NO_ONE
    order.waiting = 0
    order.back, order.share = min(order.back, size), min(order.share, size)
    order.is_fresh = 0
    order.level = size


@inlined
def trade_through(order: Any) -> None:
    """Take note that someone traded beyond our price: nobody is ahead any more."""
    order.back = order.share = 0


@inner
def explain(x: Any, order: Any, size: int, trade_time: int) -> None:
    """Let a trade at our price explain waiting decreases; the book owes the rest of it."""
    while size and order.waiting:
        oldest = order.waiting_first
        explained = min(size, get(x, oldest, _AMOUNT))
        put(x, oldest, _AMOUNT, get(x, oldest, _AMOUNT) - explained)
        size -= explained
        if get(x, oldest, _AMOUNT) == 0:
            order.waiting_first = next_of(x, oldest)
            order.waiting -= 1
            free_node(x, oldest)
    if size and not_in_book(trade_time, x.book_time):
        _owe(x, order, size, trade_time)
