"""A number of 32 bits for each row's summary: where two digests differ, it tells from which row on.

A digest only tells that two runs differ somewhere in a block. The checks of a segment are an array with a
place for each of its rows, 0 where a row gave no summary; two runs differ first where their checks do.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Checks = npt.NDArray[np.uint32]

# Odd, so that no change of a single word goes unnoticed before the upper half is taken.
_WEIGHTS: Final = np.array([0x9E3779B97F4A7C15 * odd % 2**64 | 1 for odd in range(1, 17, 2)], np.uint64)


def checks_of(packed: npt.NDArray[np.void]) -> Checks:
    """Return the check of each packed summary (`orderbook.digest.pack`), never 0. O(rows)."""
    words = packed.view(np.uint64).reshape(len(packed), len(_WEIGHTS))
    mixed = (words ^ (words >> np.uint64(29))) * _WEIGHTS
    upper = mixed.sum(axis=1, dtype=np.uint64) >> np.uint64(32)
    checks: Checks = np.maximum(upper, 1).astype(np.uint32)
    return checks


class RowChecks:
    """Collects the checks of one product since the last segment. 12 bytes a summary."""

    def __init__(self) -> None:
        self._parts: list[tuple[npt.NDArray[np.int64], Checks]] = []

    def add(self, packed: npt.NDArray[np.void]) -> None:
        """Take up packed summaries, in seq order."""
        self._parts.append((packed["seq"].copy(), checks_of(packed)))

    def take(self, first_seq: int, rows: int) -> Checks:
        """Return the checks of a segment, shape (rows,), and forget them and those before it."""
        dense = np.zeros(rows, np.uint32)
        kept = []
        for seq, checks in self._parts:
            inside = (seq >= first_seq) & (seq < first_seq + rows)
            dense[seq[inside] - first_seq] = checks[inside]
            after = seq >= first_seq + rows
            if after.any():
                kept.append((seq[after], checks[after]))
        self._parts = kept
        return dense
