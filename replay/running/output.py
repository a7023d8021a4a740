"""The outputs of a replay: files of a RUN directory, Arrow tables, or both."""

import pyarrow as pa

from orderbook.depth import depth_schema
from orderbook.engine import Step
from orderbook.schema import (
    CONNECTION,
    FLOW_ANOMALY_SCHEMA,
    FLOW_SUMMARY_SCHEMA,
    FLOW_TRADE_SCHEMA,
    empty_batch,
)
from orderbook.thresholds import above
from replay.run_dir.writer import RunWriter
from replay.running.results import RunResult


class RunOutput:
    """Divides steps into streams, and writes them to files, collects them for tables, or both.

    Args:
        threshold: a signal is a summary whose relative spread is above it; fraction of the best ask.
        trades: whether trades are a stream; a strategy may read those of the steps otherwise.
        writer: writes the files, if there are to be any.
        keep: whether to collect the batches for `fill`.
    """

    def __init__(self, threshold: float, trades: bool, writer: RunWriter | None, keep: bool) -> None:
        self._threshold = threshold
        self._trades = trades
        self._writer = writer
        self._kept: dict[str, dict[str, list[pa.RecordBatch]]] | None = {} if keep else None

    def add(self, product: str, step: Step) -> None:
        """Add all streams of a step."""
        self.add_batch("summaries", product, step.summaries)
        self.add_batch("signals", product, above(step.summaries, self._threshold))
        self.add_batch("anomalies", product, step.anomalies)
        if step.depth is not None:
            connections = step.summaries.column(CONNECTION.name)
            self.add_batch("depth", product, step.depth.append_column(CONNECTION, connections))
        if self._trades and step.trades is not None:
            self.add_batch("trades", product, step.trades.trades)

    def add_batch(self, stream: str, product: str, batch: pa.RecordBatch) -> None:
        """Add a batch of one stream."""
        if self._kept is not None:
            self._kept.setdefault(stream, {}).setdefault(product, []).append(batch)
        if self._writer is not None and batch.num_rows:
            self._writer.write(stream, product, batch)

    def fill(self, result: RunResult) -> None:
        """Put the collected tables into a result: every product has every table, even if it is empty."""
        if self._kept is None:
            return
        streams = [
            ("summaries", result.summaries, FLOW_SUMMARY_SCHEMA),
            ("signals", result.signals, FLOW_SUMMARY_SCHEMA),
            ("anomalies", result.anomalies, FLOW_ANOMALY_SCHEMA),
        ]
        if depth := result.settings.depth:
            streams.append(("depth", result.depth, depth_schema(depth).append(CONNECTION)))
        if result.settings.trades:
            streams.append(("trades", result.trades, FLOW_TRADE_SCHEMA))
        for stream, tables, schema in streams:
            for product in result.tallies:
                batches = self._kept.get(stream, {}).get(product) or [empty_batch(schema)]
                tables[product] = pa.Table.from_batches(batches, schema)
        for product, rows in self._kept.get("strategy", {}).items():
            result.strategy_rows[product] = pa.Table.from_batches(rows)
