"""A strategy that reports every episode: a time in which the spread is above a threshold.

booktape replay sample: --strategy booktape.examples.episode_alert:EpisodeAlert -o run
booktape live BTC-USD --strategy booktape.examples.episode_alert:EpisodeAlert
"""

from typing import ClassVar

import pyarrow as pa

from orderbook.thresholds import is_above

TIME = pa.timestamp("ns", tz="UTC")


class EpisodeAlert:
    """Return a row `lasting` once an episode is longer than `alert_after_s`, and a row `ended` at its end.

    An episode is a run of summaries of one connection that are above the threshold. It ends with the first
    summary that is not above it, or with the last one of the connection.
    """

    schema: ClassVar = pa.schema(
        [
            ("seq", pa.int64()),
            ("what", pa.string()),
            ("start", TIME),
            ("end", TIME),
            ("duration_s", pa.float64()),
            ("max_relative_spread", pa.float64()),
        ]
    )

    def __init__(self, product: str, threshold: float = 0.001, alert_after_s: float = 5.0) -> None:
        self.product = product
        self.threshold = threshold
        self.alert_after_ns = round(alert_after_s * 1e9)
        self.start: int | None = None  # of the open episode, in nanoseconds since 1970
        self.widest = 0.0
        self.is_reported = False
        self.last: tuple[int, int, int] | None = None  # seq, time and connection of the previous summary

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch:
        """Process the next summaries, and return the rows that they cause."""
        self.rows: list[dict[str, object]] = []
        times = summaries.column("recv_time").view(pa.int64())
        others = (summaries.column(name) for name in ("seq", "connection", "relative_spread"))
        seq, time, connection, spread = (column.to_pylist() for column in (next(others), times, *others))
        for row in zip(seq, time, connection, spread, strict=True):
            self.process(*row)
        return pa.RecordBatch.from_pylist(self.rows, schema=self.schema)

    def finish(self) -> pa.RecordBatch:
        """Return the end of an episode that is open after the last summary."""
        self.rows = []
        if self.start is not None and self.last is not None:
            self.end(self.last[0], self.last[1])
        return pa.RecordBatch.from_pylist(self.rows, schema=self.schema)

    def process(self, seq: int, time: int, connection: int, spread: float | None) -> None:
        """Process one summary."""
        if self.start is not None and self.last is not None and self.last[2] != connection:
            self.end(seq, self.last[1])  # the time between two connections is not observed
        is_wide = is_above(spread, self.threshold)
        if is_wide and self.start is None:
            self.start, self.widest, self.is_reported = time, 0.0, False
        if is_wide:
            self.widest = max(self.widest, spread or 0.0)
        if self.start is not None and not self.is_reported and time - self.start > self.alert_after_ns:
            self.is_reported = True
            self.add_row("lasting", seq, time)
        if not is_wide and self.start is not None:
            self.end(seq, time)
        self.last = seq, time, connection

    def end(self, seq: int, time: int) -> None:
        """End the open episode."""
        self.add_row("ended", seq, time)
        self.start = None

    def add_row(self, what: str, seq: int, time: int) -> None:
        """Add a row."""
        start = self.start or 0
        values = (seq, what, start, time, (time - start) / 1e9, self.widest)
        self.rows.append(dict(zip(self.schema.names, values, strict=True)))
