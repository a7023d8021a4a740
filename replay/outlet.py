"""Where the streams of a replay go: into files, into tables, or both."""

import pyarrow as pa

from orderbook.depth import depth_schema
from orderbook.engine import Step
from orderbook.schema import ANOMALY_SCHEMA, SUMMARY_SCHEMA, empty_batch
from orderbook.spread_filter import above
from replay.replayed import RunResult
from replay.rundir import RunWriter

Kept = dict[str, dict[str, list[pa.RecordBatch]]]
"""Batches by stream and product."""


class Outlet:
    """Takes the steps apart: into files, into tables, or both."""

    def __init__(self, threshold: float, writer: RunWriter | None, keep: bool) -> None:
        self._threshold = threshold
        self._writer = writer
        self._kept: Kept | None = {} if keep else None

    def take(self, product: str, step: Step) -> None:
        """Take a step apart."""
        summaries = step.summaries.select(SUMMARY_SCHEMA.names)
        streams = {
            "summaries": summaries,
            "signals": above(summaries, self._threshold),
            "anomalies": step.anomalies.select(ANOMALY_SCHEMA.names),
        }
        if step.depth is not None:
            streams["depth"] = step.depth
        for stream, batch in streams.items():
            self.put(stream, product, batch)

    def put(self, stream: str, product: str, batch: pa.RecordBatch) -> None:
        """Take a batch of one stream."""
        if self._kept is not None:
            self._kept.setdefault(stream, {}).setdefault(product, []).append(batch)
        if self._writer is not None and batch.num_rows:
            self._writer.write(stream, product, batch)

    def fill(self, result: RunResult) -> None:
        """Give a result its tables; every product has one of each, maybe empty."""
        if self._kept is None:
            return
        streams = [
            ("summaries", result.summaries, SUMMARY_SCHEMA),
            ("signals", result.signals, SUMMARY_SCHEMA),
            ("anomalies", result.anomalies, ANOMALY_SCHEMA),
        ]
        if depth := result.settings.depth:
            streams.append(("depth", result.depth, depth_schema(depth)))
        for stream, tables, schema in streams:
            for product in result.tallies:
                batches = self._kept.get(stream, {}).get(product) or [empty_batch(schema)]
                tables[product] = pa.Table.from_batches(batches, schema)
        for product, rows in self._kept.get("strategy", {}).items():
            result.strategy_rows[product] = pa.Table.from_batches(rows)
