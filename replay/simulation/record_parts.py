"""The parts of all lanes of the compiled exchange, from its records: no fill, and few samples become rows."""

from collections.abc import Callable
from itertools import pairwise
from operator import mul
from typing import Any

import numpy as np
import numpy.typing as npt

from orderbook.execution.compiled.harvest import sample_rows
from orderbook.execution.records import Wanted
from replay.comparing.metrics import By
from replay.comparing.sweep.parts import PERIODS_NS
from replay.simulation.parts import LaneParts

_Records = npt.NDArray[Any]


class RecordParts:
    """Adds up fills, and takes the samples that are needed: a `TakeRecords`.

    Args:
        by: how the parts are cut.
        parts_of: returns the parts of a lane by its number.
    """

    wanted = Wanted()

    def __init__(self, by: By, parts_of: Callable[[int], LaneParts]) -> None:
        self._period = PERIODS_NS.get(by)
        self._parts_of = parts_of

    def add_orders(self, orders: _Records) -> None:
        """No part tells of orders."""

    def add_resting(self, rested: _Records) -> None:
        """No part tells how orders rested."""

    def add_samples(self, samples: _Records) -> None:
        """Add the samples that decide a part: the last one of a lane, and its last mid."""
        keys = self._keys(samples)
        order, ends = _runs(samples["lane"], keys)
        (known,) = np.nonzero((samples["bid"] != 0) & (samples["ask"] != 0))
        order_of_known, ends_of_known = _runs(samples["lane"][known], keys[known])
        chosen = samples[np.union1d(order[ends[1:] - 1], known[order_of_known[ends_of_known[1:] - 1]])]
        for number, sample in zip(chosen["lane"].tolist(), sample_rows(chosen), strict=True):
            self._parts_of(number).add_sample(sample)

    def add_fills(self, fills: _Records) -> None:
        """Add fills, records of `EVENT`. O(fills log fills)."""
        keys, makers = self._keys(fills), fills["is_maker"] != 0
        order, ends = _runs(fills["lane"], keys)
        values = list(
            map(mul, fills["price"][order].tolist(), fills["size"][order].tolist())
        )  # beyond 64 bits
        makers_before = np.append(0, np.cumsum(makers[order])).tolist()
        firsts = order[ends[:-1]]
        for number, key, (start, stop) in zip(
            fills["lane"][firsts].tolist(), keys[firsts].tolist(), pairwise(ends.tolist()), strict=True
        ):
            of_makers = makers_before[stop] - makers_before[start]
            takers = stop - start - of_makers
            self._parts_of(number).add_fills(key, of_makers, takers, sum(values[start:stop]))

    def _keys(self, records: _Records) -> npt.NDArray[np.int64]:
        keys: npt.NDArray[np.int64] = (
            records["connection"] if self._period is None else records["time"] // self._period
        )
        return keys


def _runs(lanes: _Records, keys: _Records) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return an order of records by lane, and where in it each part of a lane begins; the end is the last."""
    order = np.argsort(lanes, kind="stable")
    lanes, keys = lanes[order], keys[order]
    changes = (lanes[1:] != lanes[:-1]) | (keys[1:] != keys[:-1])
    (starts,) = np.nonzero(np.append(len(order) > 0, changes)[: len(order)])
    return order, np.append(starts, len(order))
