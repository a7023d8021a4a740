"""The equity of each lane over time, reduced to few points, for the lanes that turn out to be the best."""

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET, UnsetType

from orderbook.execution.codes import QueueModel
from replay.report.collect.reduction import MinMaxReduction

_BUCKETS: Final = 500


class LaneKey(NamedTuple):
    """Which lane of a backtest it is; the tape is named if there are several."""

    product: str
    tape: str | UnsetType
    setting: int
    queue: QueueModel


class EquityCollector:
    """Takes the tables of a backtest as they become whole, and keeps the equity on the grid."""

    def __init__(self) -> None:
        self._lanes: dict[LaneKey, MinMaxReduction] = {}

    def __call__(self, stream: str, product: str, batch: pa.RecordBatch) -> None:
        """Take rows of one lane. O(rows + points kept)."""
        if stream != "equity" or not batch.num_rows:
            return
        tape = batch.column("tape")[0].as_py() if "tape" in batch.schema.names else UNSET
        key = LaneKey(product, tape, *(batch.column(name)[0].as_py() for name in ("setting", "queue")))
        on_grid = batch.filter(pc.equal(batch.column("why"), "grid"))
        times = on_grid.column("time").view(pa.int64()).to_numpy()
        values = on_grid.column("equity").cast(pa.float64()).to_numpy(zero_copy_only=False)
        self._lanes.setdefault(key, MinMaxReduction(_BUCKETS)).add(times, np.asarray(values, np.float64))

    def points(self, key: LaneKey) -> tuple[list[int | None], list[float | None]]:
        """Return times in ms since 1970 and equity; None where no book was known for long."""
        reduction = self._lanes.get(key)
        if reduction is None:
            return [], []
        times, values = reduction.points()
        steps = np.diff(times)
        longest = 4 * max(reduction.width_ns, int(np.median(steps)) if len(steps) else 0)
        breaks = np.flatnonzero(steps > longest) + 1
        shown_times: list[int | None] = (times // 1_000_000).tolist()
        shown: list[float | None] = values.tolist()
        for place in reversed(breaks.tolist()):
            shown_times.insert(place, None)
            shown.insert(place, None)
        return shown_times, shown
