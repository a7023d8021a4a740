"""What does the work for every row of a sweep: numpy here, the same compiled in `replay.sweep.compiled`."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from replay.order_statistics import Floats, Ints
from replay.sweep.durations import Durations
from replay.sweep.episodes import OpenEpisodes
from replay.sweep.markouts import MarkOuts
from replay.sweep.rows import Rows
from replay.sweep.spread_times import SpreadTimes
from replay.sweep.sums import LevelSums, MarkOutSums


class Loops(NamedTuple):
    """Implementations that give the same to the last bit."""

    read_rows: Callable[[pa.RecordBatch], Rows]
    find_levels: Callable[[Floats, Floats], Ints]
    level_sums: type[LevelSums]
    durations: type[Durations]
    markout_sums: type[MarkOutSums]
    episodes: type[OpenEpisodes]
    markouts: type[MarkOuts]
    spread_times: type[SpreadTimes]


def find_levels(thresholds: Floats, spreads: Floats) -> Ints:
    """Return how many of the ascending thresholds each spread is above; one search a run of equal spreads."""
    is_new = np.append(np.ones(1, np.bool_), spreads[1:] != spreads[:-1])
    found = np.searchsorted(thresholds, spreads[is_new], side="left")
    levels: Ints = np.repeat(found, np.diff(np.flatnonzero(np.append(is_new, np.ones(1, np.bool_)))))
    return levels


ARRAYS: Final = Loops(
    Rows.of, find_levels, LevelSums, Durations, MarkOutSums, OpenEpisodes, MarkOuts, SpreadTimes
)


def loops_of(engine: str) -> Loops:
    """Return what goes with an engine, by its name. The first time on a machine it is compiled: seconds."""
    if engine != "compiled":
        return ARRAYS
    from replay.sweep.compiled import COMPILED  # noqa: PLC0415  numba is heavy, and may be absent

    return COMPILED
