"""Records of all lanes as the compiled exchange writes them, who takes them, and what of them is wanted."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from orderbook.execution.codes import QUEUE_MODELS, QueueModel


def as_words(records: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return records as words (records, words), not copied: numpy copies words ten times as fast."""
    return records.view(np.int64).reshape(len(records), records.dtype.itemsize // 8)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of the records of each lane beside its fills; the exchange need not write the others.

    Attributes:
        sample_shift: only the samples are wanted that have the smallest or largest position or equity so far
            in a bucket of `2 ** sample_shift` nanoseconds; None for all.
        orders: number of orders that are wanted of those that rested, evenly chosen; None for all orders.
        rested_of: queue models under whose lanes it is wanted how orders rested.
        rested: if a lane has more rows of how orders rested, those of a side that began and ended in one
            bucket of time may be one row; None for each row.
        rested_shift: these buckets are `2 ** rested_shift` nanoseconds wide.
    """

    sample_shift: int | None = None
    orders: int | None = 0
    rested_of: Collection[QueueModel] = ()
    rested: int | None = None
    rested_shift: int = 0


EVERYTHING: Final = Wanted(orders=None, rested_of=QUEUE_MODELS)


def wanted_by_any(wanted: Sequence[Wanted]) -> Wanted:
    """Return what serves all.

    >>> wanted_by_any([Wanted(9, 300, ("share",), 800, 20), Wanted()])
    Wanted(sample_shift=None, orders=300, rested_of=('share',), rested=800, rested_shift=20)
    >>> wanted_by_any([Wanted(9, 300, ("share",), 800, 20), EVERYTHING]) == EVERYTHING
    True
    """
    of_rested = [each for each in wanted if each.rested_of]
    queues = [queue for queue in QUEUE_MODELS if any(queue in each.rested_of for each in of_rested)]
    return Wanted(
        _limit(min, [each.sample_shift for each in wanted]),
        _limit(max, [each.orders for each in wanted]),
        tuple(queues),
        _limit(max, [each.rested for each in of_rested]),
        min((each.rested_shift for each in of_rested), default=0),
    )


def _limit(choose: Callable[[list[int]], int], limits: Sequence[int | None]) -> int | None:
    """Return the limit that serves all; None is none."""
    known = [limit for limit in limits if limit is not None]
    return None if len(known) < len(limits) else choose(known or [0])


class TakeRecords(Protocol):
    """Takes orders, fills and samples of all lanes as the kernel has written them, which cost little.

    Those of a lane come in order. The arrays are used again: what is kept of them is copied. There may be
    more records than are wanted.
    """

    @property
    def wanted(self) -> Wanted:
        """What is wanted."""

    def add_orders(self, orders: npt.NDArray[Any]) -> None:
        """Take orders that are over, records of `ORDER`."""

    def add_resting(self, rested: npt.NDArray[Any]) -> None:
        """Take how orders rested, records of `RESTED`: rows, or some rows as one."""

    def add_fills(self, fills: npt.NDArray[Any]) -> None:
        """Take fills, records of `EVENT`."""

    def add_samples(self, samples: npt.NDArray[Any]) -> None:
        """Take samples, records of `SAMPLE`."""
