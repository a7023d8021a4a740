"""Both engines on the same rows: every step, every saved state and every array must be equal."""

import struct
from collections.abc import Iterable
from dataclasses import fields
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa

from orderbook.compiled.engine import CompiledEngine
from orderbook.engine import PlainEngine, Step
from orderbook.execution.market_rows import MarketRows
from orderbook.trades import TradeReader
from orderbook.venues.registry import venue
from recorder.runtime.loading import load_packer
from tests.support.constants import BTC

PLAIN = PlainEngine()
COMPILED = CompiledEngine()


def plain_values(batch: pa.RecordBatch | None) -> list[dict[str, Any]] | None:
    """Return a batch as dicts, with doubles as their bits."""
    if batch is None:
        return None
    return [
        {k: struct.pack("<d", v) if isinstance(v, float) else v for k, v in row.items()}
        for row in batch.to_pylist()
    ]


def assert_same(plain: Step, compiled: Step) -> None:
    """Assert that two steps are equal, to the last bit."""
    for name in ("span", "numbered", "diverged", "absent_deletes", "noop_sets"):
        assert getattr(compiled, name) == getattr(plain, name), name
    for name in ("summaries", "anomalies", "depth"):
        expected, found = getattr(plain, name), getattr(compiled, name)
        if expected is None or not (expected.schema == found.schema and expected.equals(found)):
            assert plain_values(found) == plain_values(expected), name
            assert expected is None or found.schema == expected.schema


def assert_same_market(plain: MarketRows, compiled: MarketRows) -> None:
    """Assert that what the exchange reads is equal, array by array."""
    compiled.check()
    for field in fields(MarketRows):
        expected, found = getattr(plain, field.name), getattr(compiled, field.name)
        assert (found.dtype, found.flags.c_contiguous) == (expected.dtype, True), field.name
        np.testing.assert_array_equal(found, expected, field.name)


def _watched(reader: TradeReader) -> list[object]:
    """Return the state of a reader's watch."""
    watch = reader.watch
    return [*watch.counts, watch.has_trades, watch.had_trades, watch.last_id, watch.book_time] + [
        getattr(watch.seen, name) for name in watch.seen.__slots__
    ]


def assert_engines_agree(
    batches: Iterable[pa.RecordBatch],
    feed: str,
    product: str = BTC,
    *,
    depth: int = 0,
    switches: Iterable[bool] = (),
) -> None:
    """Run batches through both engines and compare all results; every third batch without its market.

    The compiled engine also runs them packed.

    Args:
        batches: rows of one product, beginning with its first.
        feed: name of the feed that the frames are from.
        product: id of the product.
        depth: levels a side to compare after every summary.
        switches: for each batch, whether the engines load each other's saved state before it.
    """
    packer = load_packer()(product, feed)
    plain, compiled, packed = PLAIN.start(product, feed), *(COMPILED.start(product, feed) for _ in range(2))
    readers = [TradeReader(product, venue(feed)) for _ in range(3)]
    switching = iter(switches)
    for number, batch in zip(count(), batches, strict=False):
        if next(switching, False):
            plain, compiled = PLAIN.load(COMPILED.save(compiled)), COMPILED.load(PLAIN.save(plain))
            packed = COMPILED.load(COMPILED.save(packed))
        packed_rows = packer.pack(batch)
        if number % 3 == 2:
            plain, expected = PLAIN.step(plain, batch, depth)
            compiled, found = COMPILED.step(compiled, batch, depth)
            packed, again = COMPILED.step(packed, packed_rows, depth)
        else:
            plain, expected = PLAIN.step_with_trades(plain, batch, readers[0], depth)
            compiled, found = COMPILED.step_with_trades(compiled, batch, readers[1], depth)
            packed, again = COMPILED.step_with_trades(packed, packed_rows, readers[2], depth)
            for step, reader in ((found, readers[1]), (again, readers[2])):
                assert expected.market is not None
                assert step.market is not None
                assert_same_market(expected.market, step.market)
                assert _watched(readers[0]) == _watched(reader)
                assert expected.trades == step.trades
        assert_same(expected, found)
        assert_same(expected, again)
    for state in (compiled, packed):
        COMPILED.check(state)
        assert COMPILED.save(state) == PLAIN.save(plain)
    for some in (1, depth, None):
        assert COMPILED.levels(compiled, some) == PLAIN.levels(plain, some)
