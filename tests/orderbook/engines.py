"""Two engines side by side: whatever the rows, every step and every saved state must be the same."""

import struct
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pyarrow as pa

from orderbook.compiled.engine import CompiledEngine
from orderbook.engine import PlainEngine, Step
from orderbook.feeds import Feed
from orderbook.schema import TAPE_SCHEMA
from tests.oracle import Row
from tests.strategies import PRODUCT

PLAIN = PlainEngine()
COMPILED = CompiledEngine()


def to_batch(rows: list[Row]) -> pa.RecordBatch:
    """Return rows as a batch of the tape."""
    return pa.RecordBatch.from_pylist([row._asdict() for row in rows], schema=TAPE_SCHEMA)


def cut(rows: list[Row], cuts: Iterable[int]) -> list[pa.RecordBatch]:
    """Return rows as batches, cut at places."""
    edges = [0, *sorted(min(place, len(rows)) for place in cuts), len(rows)]
    return [to_batch(rows[start:stop]) for start, stop in pairwise(edges)]


def plain_values(batch: pa.RecordBatch | None) -> list[dict[str, Any]] | None:
    """Return a batch as dicts, doubles as their bits."""
    if batch is None:
        return None
    return [
        {k: struct.pack("<d", v) if isinstance(v, float) else v for k, v in row.items()}
        for row in batch.to_pylist()
    ]


def assert_same(plain: Step, compiled: Step) -> None:
    """Assert that two steps are equal, to the last bit."""
    for name in ("span", "numbered", "absent_deletes", "noop_sets"):
        assert getattr(compiled, name) == getattr(plain, name), name
    for name in ("summaries", "anomalies", "depth"):
        expected, found = getattr(plain, name), getattr(compiled, name)
        if expected is None or not (expected.schema == found.schema and expected.equals(found)):
            assert plain_values(found) == plain_values(expected), name
            assert expected is None or found.schema == expected.schema


def assert_engines_agree(
    batches: Iterable[pa.RecordBatch],
    feed: Feed,
    product: str = PRODUCT,
    *,
    depth: int = 0,
    switches: Iterable[bool] = (),
) -> None:
    """Run batches through both engines and compare all that they give.

    Args:
        batches: of one product, from its first row on.
        feed: its dialect.
        product: whose.
        depth: levels a side to compare after every summary.
        switches: before which batches the engines exchange what they saved.
    """
    plain, compiled = PLAIN.start(product, feed), COMPILED.start(product, feed)
    switching = iter(switches)
    for batch in batches:
        if next(switching, False):
            plain, compiled = PLAIN.load(COMPILED.save(compiled)), COMPILED.load(PLAIN.save(plain))
        plain, expected = PLAIN.step(plain, batch, depth)
        compiled, found = COMPILED.step(compiled, batch, depth)
        assert_same(expected, found)
    COMPILED.check(compiled)
    assert COMPILED.save(compiled) == PLAIN.save(plain)
