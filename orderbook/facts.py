"""What the rows of a product tell of its connections: faults, sequence numbers, and the lag of frames."""

from collections.abc import Iterable
from typing import NamedTuple

from orderbook.lags import Lags, wider

Faults = dict[int, dict[str, int]]
"""Number of anomalies of each kind that breaks a connection, by connection."""


class Facts(NamedTuple):
    """Facts of some rows; those of consecutive rows can be added up.

    Attributes:
        faults: number of anomalies of each of `BREAKING_KINDS`, by connection.
        numbered: connections of which a row had a sequence number that was checked.
        lags: the lags of the summaries.
    """

    faults: Faults
    numbered: set[int]
    lags: Lags

    def add(self, other: "Facts") -> None:
        """Add the facts of more rows."""
        for connection, counts in other.faults.items():
            total = self.faults.setdefault(connection, {})
            for kind, number in counts.items():
                total[kind] = total.get(kind, 0) + number
        self.numbered.update(other.numbered)
        for connection, lag in other.lags.items():
            self.lags[connection] = wider(self.lags.get(connection), lag)


def no_facts() -> Facts:
    """Return the facts of no row, to add others."""
    return Facts({}, set(), {})


def all_facts(parts: Iterable[Facts]) -> Facts:
    """Return the facts of all parts."""
    total = no_facts()
    for part in parts:
        total.add(part)
    return total
