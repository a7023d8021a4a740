"""Balanced keys: on which worker of a real bytewax cluster a product is read, and on which it is worked."""

import random
import string
import threading
from collections import Counter

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import cluster_main

from orderbook.dataflow.workers import balanced_keys, product_of, with_keys

ALL_ON_ONE_OF_FOUR = ("P0-USD", "P1-USD", "P2-USD", "P6-USD")


class Threads(FixedPartitionedSource[tuple[str, int], None], DynamicSink[tuple[str, int]]):
    """A source of one item for each product, with the thread that reads it, and the sink of that item."""

    def __init__(self, products: tuple[str, ...]) -> None:
        self.products = products
        self.found: dict[str, tuple[int, int]] = {}

    def list_parts(self) -> list[str]:
        """Return the products."""
        return list(self.products)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "Part":  # noqa: ARG002  bytewax
        """Return the partition of a product."""
        return Part(for_part)

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "Sink":  # noqa: ARG002  bytewax
        """Return the sink of a worker."""
        return Sink(self.found)


class Part(StatefulSourcePartition[tuple[str, int], None]):
    """One item: the product and the thread of its worker."""

    def __init__(self, product: str) -> None:
        self._left = [(product, threading.get_ident())]

    def next_batch(self) -> list[tuple[str, int]]:
        """Return the item, once."""
        if not self._left:
            raise StopIteration
        return [self._left.pop()]

    def snapshot(self) -> None:
        """Keep nothing."""


class Sink(StatelessSinkPartition[tuple[str, int]]):
    """Notes the thread that read a product and the one that works it."""

    def __init__(self, found: dict[str, tuple[int, int]]) -> None:
        self._found = found

    def write_batch(self, items: list[tuple[str, int]]) -> None:
        """Note them."""
        for key, reads in items:
            self._found[product_of(key)] = (reads, threading.get_ident())


def threads_of(products: tuple[str, ...], workers: int, spread_over: int) -> dict[str, tuple[int, int]]:
    """Return, for each product, the threads that read and work it in a cluster of some workers."""
    threads = Threads(products)
    flow = Dataflow("test")
    items = with_keys("key", op.input("in", flow, threads), balanced_keys(products, spread_over))
    worked = op.stateful_map("work", items, lambda state, item: (state, item))
    op.output("out", worked, threads)
    cluster_main(flow, [], 0, worker_count_per_proc=workers)  # type: ignore[no-untyped-call]
    return threads.found


def some_products(seed: int) -> tuple[str, ...]:
    """Return random product ids, some of them the beginning of others."""
    chosen = random.Random(seed)
    names = {
        "-".join(
            "".join(chosen.choices(string.ascii_letters + "019", k=chosen.randint(1, 9)))
            for _ in range(parts)
        )
        for parts in (1, 1, 2, 2, 2, 3, 4, 5)
    }
    names |= {f"{name}-USD" for name in list(names)[:3]} | {f"{name}0" for name in list(names)[:3]}
    return tuple(chosen.sample(sorted(names), len(names)))


@pytest.mark.parametrize("workers", [2, 3, 4, 7])
def test_products_are_spread_evenly(workers: int) -> None:
    """Each product is worked where it is read, and no worker has two products more than another."""
    for products in (ALL_ON_ONE_OF_FOUR, some_products(workers)):
        found = threads_of(products, workers, workers)
        assert found.keys() == set(products)
        assert all(reads == works for reads, works in found.values())
        shares = Counter(works for _, works in found.values())
        assert len(shares) == min(workers, len(products))
        assert max(shares.values()) - min(shares.values()) <= 1


def test_why_keys_are_balanced() -> None:
    """Without balanced keys bytewax works these four products on one of four workers."""
    found = threads_of(ALL_ON_ONE_OF_FOUR, 4, 1)
    assert len({reads for reads, _ in found.values()}) == 4
    assert len({works for _, works in found.values()}) == 1


def test_keys_do_not_depend_on_the_order() -> None:
    """The same products have the same keys, however they are named: recovery finds state by key."""
    for seed in range(5):
        products = some_products(seed)
        assert balanced_keys(products, 5) == balanced_keys([*products[::-1], products[0]], 5)
        assert {product_of(key) for key in balanced_keys(products, 5).values()} == set(products)
