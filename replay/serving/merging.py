"""Merges the frames of several products into the order in which they were received, each once. Pure.

Products that shared a connection are merged first: a frame that is stored under several of them is one
frame. The connections are then merged by recv_time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import NamedTuple

from orderbook.venues.base import Venue


class StoredFrame(NamedTuple):
    """A frame of one product: its recv_time (nanoseconds since 1970) and text."""

    recv_time: int
    text: str


class ServedFrame(NamedTuple):
    """A frame as it was received, with those of the requested products that store it."""

    recv_time: int
    text: str
    products: tuple[str, ...]


class _Head(NamedTuple):
    """A product's next frame; `number` is its sequence_num, `holders` the products that store it."""

    frame: StoredFrame
    number: int | None
    holders: tuple[str, ...]


def merged(connections: Iterable[Mapping[str, Iterator[StoredFrame]]], venue: Venue) -> Iterator[ServedFrame]:
    """Yield the frames of several connections, ordered by recv_time.

    Args:
        connections: for each, the frames of its products in seq order; read one frame ahead.
        venue: the venue of the frames.
    """
    return merge(
        *(one_connection(frames, venue) for frames in connections), key=lambda frame: frame.recv_time
    )


def one_connection(frames: Mapping[str, Iterator[StoredFrame]], venue: Venue) -> Iterator[ServedFrame]:
    """Yield the frames of one connection in the order received, their times not decreasing.

    Their numbers order them, if the venue has numbers. Otherwise recv_time does, and a frame that is
    stored under several products comes after all earlier frames of these products: if a capture's clock
    went back, times differ from product to product.
    """
    if len(frames) == 1:
        ((product, alone),) = frames.items()
        yield from (ServedFrame(frame.recv_time, frame.text, (product,)) for frame in alone)
        return
    products = sorted(frames)
    heads: dict[str, _Head] = {}

    def advance(product: str) -> None:
        frame = next(frames[product], None)
        if frame is None:
            heads.pop(product, None)
            return
        named = venue.products_named(frame.text)
        holders = tuple(each for each in named if each in frames) if named else tuple(products)
        number = venue.sequence_num(frame.text) if venue.is_numbered else None
        heads[product] = _Head(frame, number, holders)

    for product in products:
        advance(product)
    time = 0
    while heads:
        chosen = _first(heads)
        frame, _, holders = heads[chosen]
        copies = [
            each
            for each in holders
            if each != chosen and each in heads and heads[each].frame.text == frame.text
        ]
        time = max(time, frame.recv_time)
        yield ServedFrame(time, frame.text, (chosen, *copies))
        for each in (chosen, *copies):
            advance(each)


def _first(heads: Mapping[str, _Head]) -> str:
    """Return the product whose next frame the connection received first."""
    numbers = {product: head.number for product, head in heads.items() if head.number is not None}
    if len(numbers) == len(heads):
        chosen = min(numbers, key=lambda product: (numbers[product], product))
    else:
        chosen = min(heads, key=lambda product: (heads[product].frame.recv_time, product))
    visited: set[str] = set()
    while earlier := _with_earlier_frames(heads, chosen, visited):
        visited.add(chosen)
        chosen = earlier[0]
    return chosen


def _with_earlier_frames(heads: Mapping[str, _Head], chosen: str, visited: set[str]) -> Sequence[str]:
    """Return the products that store the chosen frame too, but have other frames before it."""
    head = heads[chosen]
    return [
        product
        for product in head.holders
        if product in heads and product not in visited and heads[product].frame.text != head.frame.text
    ]
