"""What a run says of one product: counts over its steps, and the digest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from orderbook.digest import Digest
from orderbook.engine import Step
from orderbook.schema import ANOMALY_KINDS
from orderbook.times import format_time

BREAKING_KINDS: Final = ("gap", "crossed")
"""Anomalies after which a connection's book is not what the exchange has."""


@dataclass(slots=True)
class Tally:
    """Counts over the steps of one product, added up in seq order.

    Attributes:
        threshold: signals are the summaries whose relative spread is above it (fraction of the ask).
        digest: of all summaries; pass one in to go on from an earlier run.
        rows, frames, summaries, signals: how many.
        first_connection, last_connection: connections count up by one, so these count them.
        anomalies: how many of each kind; every kind is there.
        absent_deletes, noop_sets: harmless oddities of the feed.
        first_time, last_time: recv_time of the first and last row, nanoseconds since 1970.
        faults: by connection, how many of each kind that make its book doubtful.
        numbered: connections with sequence numbers that were checked, since the last seal.
        observed_ns: sum of the intervals between consecutive summaries of one connection.
    """

    threshold: float
    digest: Digest = field(default_factory=Digest)
    rows: int = 0
    frames: int = 0
    summaries: int = 0
    signals: int = 0
    first_connection: int | None = None
    last_connection: int | None = None
    anomalies: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ANOMALY_KINDS, 0))
    absent_deletes: int = 0
    noop_sets: int = 0
    first_time: int | None = None
    last_time: int | None = None
    faults: dict[int, dict[str, int]] = field(default_factory=dict)
    numbered: set[int] = field(default_factory=set)
    observed_ns: int = 0
    _last_summary: tuple[int, int] | None = None

    def add(self, step: Step) -> None:
        """Take up one step. O(rows)."""
        span = step.span
        self.rows += span.rows
        self.frames += span.frames
        if span.rows:
            self.first_time = span.first_time if self.first_time is None else self.first_time
            self.last_time = span.last_time
            if self.first_connection is None:
                self.first_connection = span.first_connection
            self.last_connection = span.last_connection
        self.absent_deletes += step.absent_deletes
        self.noop_sets += step.noop_sets
        self.numbered |= step.numbered
        if step.anomalies.num_rows:
            self._add_anomalies(step.anomalies)
        self._add_summaries(step.summaries)

    def _add_anomalies(self, anomalies: pa.RecordBatch) -> None:
        kinds, connections = (anomalies.column(name).to_pylist() for name in ("kind", "connection"))
        for kind, connection in zip(kinds, connections, strict=True):
            self.anomalies[kind] += 1
            if kind in BREAKING_KINDS:
                counts = self.faults.setdefault(connection, {})
                counts[kind] = counts.get(kind, 0) + 1

    def take_faults(self) -> tuple[dict[int, dict[str, int]], list[int]]:
        """Return `faults` and `numbered` since the last call, and forget them: a segment takes them along."""
        faults, numbered = self.faults, sorted(self.numbered)
        self.faults, self.numbered = {}, set()
        return faults, numbered

    def _add_summaries(self, summaries: pa.RecordBatch) -> None:
        if not summaries.num_rows:
            return
        self.summaries += summaries.num_rows
        relative_spread = summaries.column("relative_spread").to_numpy(zero_copy_only=False)
        self.signals += int(np.count_nonzero(relative_spread > self.threshold))  # null is NaN, never above
        self.digest.update(summaries)
        connection = summaries.column("connection").to_numpy()
        recv_time = summaries.column("recv_time").view(pa.int64()).to_numpy()
        if self._last_summary is not None and self._last_summary[0] == connection[0]:
            self.observed_ns += int(recv_time[0]) - self._last_summary[1]
        if connection[0] == connection[-1]:  # they never go down: it is the only one
            self.observed_ns += int(recv_time[-1]) - int(recv_time[0])
        else:
            self.observed_ns += int(np.diff(recv_time)[np.diff(connection) == 0].sum())
        self._last_summary = (int(connection[-1]), int(recv_time[-1]))

    @property
    def connections(self) -> int:
        """How many connections the rows come from."""
        if self.first_connection is None or self.last_connection is None:
            return 0
        return self.last_connection - self.first_connection + 1

    @property
    def span_ns(self) -> int:
        """Time from the first row to the last."""
        return (self.last_time or 0) - (self.first_time or 0)

    @property
    def excluded_ns(self) -> int:
        """The part of the span in which no book was known: it counts for nothing."""
        return self.span_ns - self.observed_ns

    def document(self) -> dict[str, object]:
        """Return the JSON form of the counts."""
        return {
            "rows": self.rows,
            "frames": self.frames,
            "summaries": self.summaries,
            "signals": self.signals,
            "connections": self.connections,
            "anomalies": dict(self.anomalies),
            "absent_deletes": self.absent_deletes,
            "noop_sets": self.noop_sets,
            "first_time": None if self.first_time is None else format_time(self.first_time),
            "last_time": None if self.last_time is None else format_time(self.last_time),
            "observed_s": self.observed_ns / 1e9,
            "excluded_s": self.excluded_ns / 1e9,
            "digest": self.digest.hexdigest(),
        }


def products_with_rows(tallies: Mapping[str, Tally]) -> dict[str, str]:
    """Return the digest of every product that has a row: what a run's digest is made of."""
    return {product: tally.digest.hexdigest() for product, tally in tallies.items() if tally.rows}
