"""How long a request travels: `latency` in compiled code."""

from typing import Any, Final

import numpy as np

from orderbook.compiled.jit import inner
from orderbook.execution.compiled.addresses import load
from orderbook.execution.compiled.layout import DRAWN, FEED, UNIFORM
from orderbook.execution.latency import GAMMA
from orderbook.execution.numbers import MILLION

_GAMMA: Final[Any] = np.uint64(GAMMA)
_FIRST: Final[Any] = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final[Any] = np.uint64(0x94D049BB133111EB)
_30: Final[Any] = np.uint64(30)
_27: Final[Any] = np.uint64(27)
_31: Final[Any] = np.uint64(31)


@inner
def _draw(start: int, number: int) -> Any:
    """Return the draw of a request, see `latency.Draws`."""
    state = np.uint64(start) + np.uint64(number) * _GAMMA + _GAMMA
    mixed = (state ^ (state >> _30)) * _FIRST
    mixed = (mixed ^ (mixed >> _27)) * _SECOND
    return mixed ^ (mixed >> _31)


@inner
def delay_of(x: Any, lane: Any) -> Any:
    """Return how long the lane's last request travels."""
    if lane.latency == UNIFORM:
        return lane.low + np.int64(_draw(lane.draws, lane.requests) % np.uint64(lane.span))
    if lane.latency == DRAWN:
        place = np.int64(_draw(lane.draws, lane.requests) % np.uint64(lane.span))
        return load(x.latencies, lane.table_start + place)
    if lane.latency == FEED:  # `span` is the factor
        excess = x.excess_lag
        return lane.low + excess // MILLION * lane.span + excess % MILLION * lane.span // MILLION
    return lane.low
