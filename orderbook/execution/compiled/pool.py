"""Chains of nodes and orders: what of a lane has no fixed size. Python makes room before it is needed."""

from typing import Any

from orderbook.compiled.jit import inlined, inner, record_of
from orderbook.execution.compiled.addresses import event_ref, load, order_ref, store
from orderbook.execution.compiled.layout import NO_ONE, NODE


@inlined
def new_node(x: Any) -> Any:
    """Return a free node; there must be one."""
    market = x
    node = market.free_node
    market.free_node = load(x.nodes, node * NODE)
    market.free_nodes -= 1
    store(x.nodes, node * NODE, NO_ONE)
    return node


@inlined
def free_node(x: Any, node: int) -> None:
    """Give a node back."""
    market = x
    store(x.nodes, node * NODE, market.free_node)
    market.free_node = node
    market.free_nodes += 1


@inlined
def next_of(x: Any, node: int) -> Any:
    """Return the next node of a chain."""
    return load(x.nodes, node * NODE)


@inlined
def link(x: Any, node: int, following: int) -> None:
    """Chain a node to the next one."""
    store(x.nodes, node * NODE, following)


@inlined
def get(x: Any, node: int, word: int) -> Any:
    """Return a word of a node, from 1 on."""
    return load(x.nodes, node * NODE + word)


@inlined
def put(x: Any, node: int, word: int, value: int) -> None:
    """Set a word of a node."""
    store(x.nodes, node * NODE + word, value)


@inner
def free_chain(x: Any, node: int) -> None:
    """Give a whole chain back."""
    while node != NO_ONE:
        following = next_of(x, node)
        free_node(x, node)
        node = following


@inlined
def new_order(x: Any) -> Any:
    """Return a free order; there must be one."""
    market = x
    number = market.free_order
    market.free_order = order_ref(x.orders, number).next
    market.free_orders -= 1
    return number


@inlined
def new_report(x: Any) -> Any:
    """Return a free report; there must be one."""
    market = x
    number = market.free_report
    market.free_report = event_ref(x.reports, number).next
    market.free_reports -= 1
    return number


@inlined
def free_report(x: Any, number: int) -> None:
    """Give a report back."""
    market = x
    event_ref(x.reports, number).next = market.free_report
    market.free_report = number
    market.free_reports += 1


@record_of
def order_at(x: Any, number: int) -> Any:
    """Return an order of the pool."""
    return order_ref(x.orders, number)


@inner
def drop_order(x: Any, number: int) -> None:
    """Give an order back, once it is over and its strategy knows."""
    order = order_at(x, number)
    if order.is_over and not order.is_own:
        market = x
        order.lane = NO_ONE
        order.next = market.free_order
        market.free_order = number
        market.free_orders += 1
