"""How late rows were handed over: percentiles in bounded memory."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from orderbook.document import Document

_LOWEST_NS: Final = 100.0
_PER_DECADE: Final = 240  # bins a decade: less than 1 % from edge to edge
_DECADES: Final = 11  # 100 ns to 10,000 s
_BEHIND_NS: Final = 10_000_000.0  # longer than a system oversleeps: such rows waited for work to be done
_EDGES: Final = _LOWEST_NS * 10.0 ** (np.arange(1, _PER_DECADE * _DECADES) / _PER_DECADE)


class PacingDocument(Document, frozen=True):
    """How a paced replay kept to its clock.

    Attributes:
        late_ms_p50, late_ms_p99, late_ms_max: percentiles of the lateness of the rows, in milliseconds.
        behind_rows: number of rows that were more than 10 ms late.
        duration_s: seconds from the start to the last hand-over.
        duration_error_ms: the difference to the recorded time at this speed, without the cut silence.
        idle_cut_s: seconds of recorded silence that were left out.
    """

    late_ms_p50: float
    late_ms_p99: float
    late_ms_max: float
    behind_rows: int
    duration_s: float
    duration_error_ms: float
    idle_cut_s: float


class Lateness:
    """A histogram of hand-over time minus due time, in nanoseconds.

    Percentiles are exact to 1 %, the maximum is exact. Rows that are more than 10 ms late are also counted:
    the replay had fallen behind.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(len(_EDGES) + 1, np.int64)
        self.max_ns = 0.0
        self.behind = 0

    def add(self, late_ns: npt.NDArray[np.float64]) -> None:
        """Count the lateness of rows, in nanoseconds. O(rows log bins)."""
        if not late_ns.size:
            return
        np.add.at(self.counts, np.searchsorted(_EDGES, late_ns), 1)
        self.max_ns = max(self.max_ns, float(late_ns.max()))
        self.behind += int(np.count_nonzero(late_ns > _BEHIND_NS))

    def merge(self, other: "Lateness") -> None:
        """Add the counts of another histogram."""
        self.counts += other.counts
        self.max_ns = max(self.max_ns, other.max_ns)
        self.behind += other.behind

    def percentiles_ms(self) -> tuple[float, float] | None:
        """Return p50 and p99 in milliseconds; None if no row was paced."""
        total = int(self.counts.sum())
        if not total:
            return None
        bins = np.searchsorted(np.cumsum(self.counts), [0.5 * total, 0.99 * total])
        p50, p99 = np.minimum(_EDGES[np.minimum(bins, len(_EDGES) - 1)], self.max_ns).tolist()
        return p50 / 1e6, p99 / 1e6


@dataclass(slots=True)
class Timing:
    """How a paced replay kept to its clock.

    Attributes:
        lateness: of the rows that were handed over.
        elapsed_ns: from the start to the last hand-over.
        ideal_ns: from the start to when the last row was due, or could first be read.
        cut_ns: recorded silence that was left out.
    """

    lateness: Lateness
    elapsed_ns: int = 0
    ideal_ns: float = 0.0
    cut_ns: int = 0

    def merge(self, other: "Timing") -> None:
        """Add the timing of other products on the same clock."""
        self.lateness.merge(other.lateness)
        if other.elapsed_ns > self.elapsed_ns:
            self.elapsed_ns, self.ideal_ns = other.elapsed_ns, other.ideal_ns

    def document(self) -> PacingDocument | None:
        """Return the JSON form; None if no row was paced."""
        late = self.lateness.percentiles_ms()
        if late is None:
            return None
        return PacingDocument(
            *late,
            late_ms_max=self.lateness.max_ns / 1e6,
            behind_rows=self.lateness.behind,
            duration_s=self.elapsed_ns / 1e9,
            duration_error_ms=(self.elapsed_ns - self.ideal_ns) / 1e6,
            idle_cut_s=self.cut_ns / 1e9,
        )
