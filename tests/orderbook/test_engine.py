"""The core against the oracle on real captures; they are no part of the repository."""

import gzip
import json
import os
import re
from functools import cache

import pyarrow as pa
import pytest

from orderbook.digest import Digest
from orderbook.engine import PlainEngine
from orderbook.schema import TAPE_SCHEMA
from tests.support import oracle
from tests.support.constants import CAPTURES
from tests.support.oracle import Row

ADVANCED = "advanced-2026-08-btc-eth"
TEN_MINUTES = "exchange-2018-04-btc-ten-minutes"
PRODUCTS: dict[str, list[str]] = {
    ADVANCED: ["BTC-USD", "ETH-USD"],
    "exchange-2021-04-ten-products": [
        *("BAND-BTC", "BAND-GBP", "CRV-EUR", "DASH-BTC", "NMR-EUR"),
        *("NU-GBP", "SKL-BTC", "SKL-GBP", "SKL-USD", "YFI-BTC"),
    ],
    "exchange-2018-04-btc": ["BTC-USD"],
    TEN_MINUTES: ["BTC-USD"],
}
BATCH_ROWS = 1000

pytestmark = pytest.mark.skipif(
    not CAPTURES.is_dir() and not os.environ.get("CI"),
    reason=f"the real captures are not here: {CAPTURES}",
)


@cache
def read_capture(name: str) -> list[tuple[int, str, frozenset[str]]]:
    """Return the frames of a capture: when received, the text, the products it names."""
    frames = []
    with gzip.open(CAPTURES / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            named = re.findall(r'"product_id":"([^"]+)"', record["frame"])
            frames.append((record["recv_ns"], record["frame"], frozenset(named)))
    return frames


def capture_rows(name: str, product: str) -> list[Row]:
    """Return a capture as one product's rows: the frames that name it or no product at all."""
    frames = read_capture(name)
    rows = [Row(0, frames[0][0], 0, "connected", json.dumps({"products": PRODUCTS[name]}))]
    for recv_ns, text, named in frames:
        if not named or product in named:
            rows.append(Row(len(rows), max(recv_ns, rows[-1].recv_time), 0, "frame", text))
    return rows


@pytest.mark.parametrize(
    ("name", "product"),
    [(name, product) for name, products in PRODUCTS.items() for product in products],
)
def test_core_equals_oracle(name: str, product: str) -> None:
    """Every summary of a real capture is the oracle's, no book crosses and no frame is malformed."""
    feed: str = "advanced" if name.startswith("advanced") else "exchange"
    rows = capture_rows(name, product)
    expected = oracle.replay(rows, product, feed)

    engine = PlainEngine()
    state = engine.start(product, feed)
    digest = Digest()
    summaries = []
    anomalies = []
    absent_deletes = noop_sets = 0
    for start in range(0, len(rows), BATCH_ROWS):
        batch = [row._asdict() for row in rows[start : start + BATCH_ROWS]]
        state, step = engine.step(state, pa.RecordBatch.from_pylist(batch, schema=TAPE_SCHEMA))
        columns = [
            (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
            for column in step.summaries.columns
        ]
        summaries += [oracle.Summary(*values) for values in zip(*columns, strict=True)]
        anomalies += [(row["seq"], row["kind"]) for row in step.anomalies.to_pylist()]
        absent_deletes += step.absent_deletes
        noop_sets += step.noop_sets
        digest.update(step.summaries)
    engine.check(state)

    assert summaries == expected.summaries
    assert anomalies == expected.anomalies
    assert [kind for _, kind in anomalies] == (["error"] if name == TEN_MINUTES else [])
    assert (absent_deletes, noop_sets) == (expected.absent_deletes, expected.noop_sets)
    assert digest.hexdigest() == oracle.product_digest(expected.summaries)


def test_advanced_deletes_absent_levels() -> None:
    """The deletions of absent levels that were counted in the Advanced capture by hand are found again."""
    engine = PlainEngine()
    absent_deletes = 0
    for product in PRODUCTS[ADVANCED]:
        batch = [row._asdict() for row in capture_rows(ADVANCED, product)]
        _, step = engine.step(
            engine.start(product, "advanced"), pa.RecordBatch.from_pylist(batch, schema=TAPE_SCHEMA)
        )
        absent_deletes += step.absent_deletes
    assert absent_deletes == 52
