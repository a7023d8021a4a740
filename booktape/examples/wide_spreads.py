"""Your own operators behind a tape and behind the live feed: a line for every summary with a wide spread.

python -m bytewax.run booktape.examples.wide_spreads:historical
python -m bytewax.run booktape.examples.wide_spreads:live

As two processes, for example of a tape: `"booktape.examples.wide_spreads:historical(workers=2)" -i 0 -a ...`.
"""

import os
from collections.abc import Iterator

import bytewax.operators as op
import pyarrow as pa
from bytewax.connectors.stdio import StdOutSink
from bytewax.dataflow import Dataflow

import booktape
from orderbook.dataflow.streams import Streams
from orderbook.dataflow.workers import product_of

THRESHOLD = 0.002


def lines(item: tuple[str, pa.RecordBatch]) -> Iterator[str]:
    """Yield a line for each summary of a product."""
    key, summaries = item
    product = product_of(key)
    for row in summaries.select(["seq", "bid_price", "ask_price", "relative_spread"]).to_pylist():
        bps = row["relative_spread"] * 1e4
        yield f"{product} {row['seq']} {row['bid_price']:.2f} / {row['ask_price']:.2f} {bps:.4g} bps"


def wide_spreads(streams: Streams) -> Dataflow:
    """Attach the operators to streams of a tape or of a feed."""
    op.output("print", op.flat_map("lines", streams.signals(THRESHOLD), lines), StdOutSink())
    return streams.flow


def historical(workers: int = 1) -> Dataflow:
    """Return the flow over a tape."""
    return wide_spreads(booktape.open("sample:").flow(workers=workers))


def live(workers: int = 1) -> Dataflow:
    """Return the flow over the live feed, or over the address in FEED_URL."""
    url = os.environ.get("FEED_URL")
    return wide_spreads(booktape.flow(["BTC-USD", "ETH-USD"], url=url, workers=workers))
