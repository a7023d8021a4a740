"""The frames of several products in the order in which they were received, each once. Pure.

Products that shared a connection are put back into its order first: a frame that is stored under several of
them is the same frame. The connections are then merged by recv_time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import NamedTuple

from orderbook.decoder import sequence_num
from orderbook.feeds import Feed
from recorder.naming import products_named


class Row(NamedTuple):
    """A frame of one product: when it was received (ns since 1970) and its text."""

    recv_time: int
    text: str


class Said(NamedTuple):
    """A frame as a connection said it: also under which of the asked products it is stored."""

    recv_time: int
    text: str
    products: tuple[str, ...]


class _Head(NamedTuple):
    """A product's next frame; `number` is its sequence_num, `holders` the products that store it."""

    row: Row
    number: int | None
    holders: tuple[str, ...]


def merged(connections: Iterable[Mapping[str, Iterator[Row]]], feed: Feed) -> Iterator[Said]:
    """Yield the frames of connections, ordered by recv_time.

    Args:
        connections: of each, the rows of its products in seq order. They are read one row ahead.
        feed: the dialect.
    """
    return merge(*(one_connection(rows, feed) for rows in connections), key=lambda said: said.recv_time)


def one_connection(rows: Mapping[str, Iterator[Row]], feed: Feed) -> Iterator[Said]:
    """Yield the frames of one connection as they came, their times not decreasing.

    The Advanced feed numbers them. On the Exchange feed recv_time orders them, and a frame that is stored
    under several products comes after all that any of these products had before it: where a capture's
    clock went back, times differ from product to product.
    """
    if len(rows) == 1:
        ((product, alone),) = rows.items()
        yield from (Said(row.recv_time, row.text, (product,)) for row in alone)
        return
    products = sorted(rows)
    heads: dict[str, _Head] = {}

    def advance(product: str) -> None:
        row = next(rows[product], None)
        if row is None:
            heads.pop(product, None)
            return
        named = products_named(row.text)
        holders = tuple(each for each in named if each in rows) if named else tuple(products)
        number = sequence_num(row.text) if feed == "advanced" else None
        heads[product] = _Head(row, number, holders)

    for product in products:
        advance(product)
    time = 0
    while heads:
        chosen = _choose(heads)
        row, _, holders = heads[chosen]
        together = [
            each for each in holders if each != chosen and each in heads and heads[each].row.text == row.text
        ]
        time = max(time, row.recv_time)
        yield Said(time, row.text, (chosen, *together))
        for each in (chosen, *together):
            advance(each)


def _choose(heads: Mapping[str, _Head]) -> str:
    """Return the product whose next frame the connection said first."""
    numbers = {product: head.number for product, head in heads.items() if head.number is not None}
    if len(numbers) == len(heads):
        chosen = min(numbers, key=lambda product: (numbers[product], product))
    else:
        chosen = min(heads, key=lambda product: (heads[product].row.recv_time, product))
    tried: set[str] = set()
    while behind := _behind(heads, chosen, tried):
        tried.add(chosen)
        chosen = behind[0]
    return chosen


def _behind(heads: Mapping[str, _Head], chosen: str, tried: set[str]) -> Sequence[str]:
    """Return the products that store the chosen frame too and have others to say before it."""
    head = heads[chosen]
    return [
        product
        for product in head.holders
        if product in heads and product not in tried and heads[product].row.text != head.row.text
    ]
