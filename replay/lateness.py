"""How late rows were handed over: percentiles in bounded memory."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

_LOWEST_NS: Final = 100.0
_PER_DECADE: Final = 240  # bins a decade: under 1 % from edge to edge
_DECADES: Final = 11  # 100 ns to 10,000 s
_BEHIND_NS: Final = 10_000_000.0  # more than a system oversleeps: what is later waited for work to be done
_EDGES: Final = _LOWEST_NS * 10.0 ** (np.arange(1, _PER_DECADE * _DECADES) / _PER_DECADE)


class Lateness:
    """A histogram of hand-over time minus due time; percentiles are exact to 1 %, the maximum is exact.

    Rows that are over 10 ms late are counted as well: there the replay has fallen behind.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(len(_EDGES) + 1, np.int64)
        self.max_ns = 0.0
        self.behind = 0

    def add(self, late_ns: npt.NDArray[np.float64]) -> None:
        """Take up the lateness of rows, in nanoseconds. O(rows log bins)."""
        if not late_ns.size:
            return
        np.add.at(self.counts, np.searchsorted(_EDGES, late_ns), 1)
        self.max_ns = max(self.max_ns, float(late_ns.max()))
        self.behind += int(np.count_nonzero(late_ns > _BEHIND_NS))

    def merge(self, other: "Lateness") -> None:
        """Take up what another one counted."""
        self.counts += other.counts
        self.max_ns = max(self.max_ns, other.max_ns)
        self.behind += other.behind

    def document(self) -> dict[str, float] | None:
        """Return p50, p99 and max in milliseconds, and the rows behind; None where no row was paced."""
        total = int(self.counts.sum())
        if not total:
            return None
        running = np.cumsum(self.counts)
        p50, p99 = (self._edge(int(np.searchsorted(running, share * total))) for share in (0.5, 0.99))
        return {
            "late_ms_p50": min(p50, self.max_ns) / 1e6,
            "late_ms_p99": min(p99, self.max_ns) / 1e6,
            "late_ms_max": self.max_ns / 1e6,
            "behind_rows": self.behind,
        }

    @staticmethod
    def _edge(index: int) -> float:
        """Return the upper edge of a bin in nanoseconds."""
        return float(_EDGES[min(index, len(_EDGES) - 1)])


@dataclass(slots=True)
class Timing:
    """How a paced replay kept to its clock.

    Attributes:
        lateness: of the rows handed over.
        elapsed_ns: from the start to the last hand-over.
        ideal_ns: when the last row handed over was due, or could first be read, from the start.
        cut_ns: recorded silence that was left out.
    """

    lateness: Lateness
    elapsed_ns: int = 0
    ideal_ns: float = 0.0
    cut_ns: int = 0

    def merge(self, other: "Timing") -> None:
        """Take up the timing of other products on the same clock."""
        self.lateness.merge(other.lateness)
        if other.elapsed_ns > self.elapsed_ns:
            self.elapsed_ns, self.ideal_ns = other.elapsed_ns, other.ideal_ns

    def document(self) -> dict[str, float] | None:
        """Return the JSON form; None where no row was paced.

        The error of the duration is its difference to the recorded time at this speed, without the cut.
        """
        late = self.lateness.document()
        if late is None:
            return None
        return {
            **late,
            "duration_s": self.elapsed_ns / 1e9,
            "duration_error_ms": (self.elapsed_ns - self.ideal_ns) / 1e6,
            "idle_cut_s": self.cut_ns / 1e9,
        }
