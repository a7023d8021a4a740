"""Operators of one's own behind a tape and behind the live feed: a line for every summary that is wide.

python -m bytewax.run examples.wide_spreads:historical
python -m bytewax.run examples.wide_spreads:live
"""

import os
from collections.abc import Iterator

import bytewax.operators as op
import pyarrow as pa
from bytewax.connectors.stdio import StdOutSink
from bytewax.dataflow import Dataflow

import recorder
import replay
from orderbook.flows import Streams

THRESHOLD = 0.002


def lines(item: tuple[str, pa.RecordBatch]) -> Iterator[str]:
    """Yield a line for each summary of a product."""
    product, summaries = item
    for row in summaries.select(["seq", "bid_price", "ask_price", "relative_spread"]).to_pylist():
        bps = row["relative_spread"] * 1e4
        yield f"{product} {row['seq']} {row['bid_price']:.2f} / {row['ask_price']:.2f} {bps:.3f} bps"


def wide_spreads(streams: Streams) -> Dataflow:
    """Put the operators behind streams, wherever these come from."""
    op.output("print", op.flat_map("lines", streams.signals(THRESHOLD), lines), StdOutSink())
    return streams.flow


def historical() -> Dataflow:
    """Return the flow over a tape."""
    return wide_spreads(replay.flow("data/sample"))


def live() -> Dataflow:
    """Return the flow over the live feed, or over another address for a try."""
    return wide_spreads(recorder.flow(["BTC-USD", "ETH-USD"], url=os.environ.get("FEED_URL")))
