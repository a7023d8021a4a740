"""The orders and fills of a RUN, as columns for a page to draw beside the market."""

from math import nan
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orderbook.display import plural
from orderbook.execution.numbers import UNITS
from orderbook.execution.resting import COLUMNS
from replay.comparing.sweep.order_statistics import Ints
from replay.report.collect.resting import Rested, RestingOrders
from replay.run_dir.backtests import BacktestRun, LaneName, Stream
from replay.simulation.tables import UNITS as DECIMALS
from replay.simulation.tables import resting_array
from replay.viewing.wire import listed, one_row

MOST: Final = 4000
"""Lines of orders, and fills, that are sent for a span. Of more lines, those of a short time become one; of
more fills, the first ones are sent.
"""

_UNKNOWN: Final = -1
_SINCE, _UNTIL = COLUMNS.index("rested"), COLUMNS.index("until")
_IN_UNITS: Final = ("low", "high", "size", "back", "share", "back_until", "share_until")
_TIME: Final = pa.timestamp("ns", tz="UTC")


class OwnOrders:
    """The orders and fills of one product of a backtest on one tape.

    Args:
        run: the backtest.
        tape: the tape, as run.json names it.
        product: product id.

    Attributes:
        lanes: settings and queue models that were run.
    """

    def __init__(self, run: BacktestRun, tape: Path, product: str) -> None:
        names = run.lanes.get(product, ())
        self.lanes = tuple(lane for lane in names if lane.tape in ("", str(tape)))
        self._tables: dict[str, pa.Table | None] = {}
        self._rested: dict[LaneName, Ints] = {}
        self._run, self._tape, self._product = run, str(tape), product

    def table(self, lane: LaneName, start: int, end: int, origin: int) -> pa.Table:
        """Return what rested or was filled in a span, as one row of lists: `rest_` those of `Rested`.

        Args:
            lane: setting and queue model.
            start: of the span, nanoseconds since 1970.
            end: of the span, exclusive.
            origin: the time that is 0 in it.

        Raises:
            RunError, DamagedTapeError: if the RUN is not as it was written.
        """
        columns: dict[str, object] = {}
        rows, fills = self._rests(lane), self._of_lane("fills", lane)
        rested = RestingOrders(MOST)
        rested.add(rows[(rows[:, _SINCE] < end) & (rows[:, _UNTIL] >= start)])
        for name, values in zip(Rested._fields, rested.array().T.tolist(), strict=True):
            if name in _IN_UNITS:
                numbers = [nan if value == _UNKNOWN else value / UNITS for value in values]
            else:
                numbers = [value - origin for value in values] if name in {"start", "end"} else values
            columns[f"rest_{name}"] = listed(np.array(numbers, np.float64))
        if fills is not None:
            time = fills.column("time")
            fills = fills.filter(pc.and_(pc.greater_equal(time, _time(start)), pc.less(time, _time(end))))
            columns["fills"] = fills.num_rows
            fills = fills.slice(0, MOST)
            columns |= {f"fill_{name}": _floats(fills, name) for name in ("number", "price", "size", "seq")}
            columns["fill_time"] = _times(fills, "time", origin)
            columns |= {f"fill_{name}": listed(_plain(fills, name)) for name in ("side", "liquidity")}
        return one_row(**{"fills": 0, **columns})

    def _rests(self, lane: LaneName) -> Ints:
        """Return how the orders of a lane rested; in a RUN that does not say it, that of the unmoved ones."""
        if lane not in self._rested:
            table = self._of_lane("resting", lane)
            if table is not None:
                self._rested[lane] = resting_array(table)
            else:
                orders = self._of_lane("orders", lane)
                self._rested[lane] = (
                    _unmoved(orders) if orders is not None else np.empty((0, len(COLUMNS)), np.int64)
                )
        return self._rested[lane]

    def missing(self) -> str:
        """Return what the RUN lacks, as a sentence without its end; empty if nothing is missing."""
        if not self._run.lacks_resting(self._product):
            return ""
        orders = self._run.table("orders", self._product)
        moved = 0 if orders is None else pc.sum(pc.greater(orders.column("amends"), 0)).as_py() or 0
        if not moved:
            return ""
        return (
            f"{plural(moved, 'order')} that moved by amends have no line: an earlier version wrote this RUN,"
            " without their prices; run the backtest again"
        )

    def _of_lane(self, stream: Stream, lane: LaneName) -> pa.Table | None:
        if stream not in self._tables:
            self._tables[stream] = self._run.table(stream, self._product)
        table = self._tables[stream]
        if table is None:
            return None
        is_ours = pc.and_(
            pc.equal(table.column("setting"), lane.setting), pc.equal(table.column("queue"), lane.queue)
        )
        if lane.tape:
            is_ours = pc.and_(is_ours, pc.equal(table.column("tape"), lane.tape))
        return table.filter(is_ours)

    def titles(self) -> list[str]:
        """Return the names of the lanes for people: settings that differ, and the queue model."""
        settings = self._run.facts["settings"]
        return [f"{_setting(settings, lane.setting)}queue {lane.queue}" for lane in self.lanes]

    def first_time(self) -> int | None:
        """Return when the first order of a lane was sent, nanoseconds since 1970; None if there is none."""
        times = []
        for lane in self.lanes:
            orders = self._of_lane("orders", lane)
            if orders is not None and (first := pc.min(orders.column("sent")).value) is not None:
                times.append(first)
        return min(times, default=None)

    def lane(self, number: int) -> LaneName | None:
        """Return a lane by its place; None if there is none."""
        return self.lanes[number] if 0 <= number < len(self.lanes) else None


def _setting(settings: list[dict[str, Any]], number: int) -> str:
    """Return the values of a setting that others have differently.

    >>> _setting([{"a": 1, "b": 2}, {"a": 3, "b": 2}], 1), _setting([{"a": 1}], 0)
    ('a 3, ', '')
    """
    values = settings[number] if number < len(settings) else {}
    differing = [name for name in values if any(other.get(name) != values[name] for other in settings)]
    return "".join(f"{name} {values[name]}, " for name in differing)


def _unmoved(orders: pa.Table) -> Ints:
    """Return how orders rested that were never amended; of the others the last price alone is known."""
    rested = orders.filter(
        pc.and_(pc.is_valid(orders.column("rested")), pc.equal(orders.column("amends"), 0))
    )
    columns = {
        **{name: rested.column(name) for name in ("number", "side", "price", "rested", "size")},
        "until": rested.column("ended"),
        **dict.fromkeys(("ahead_back", "ahead_share"), rested.column("ahead_at_rest")),
    }
    unknown = pa.nulls(rested.num_rows, DECIMALS).fill_null(0)
    found = resting_array(pa.table({**columns, **dict.fromkeys(COLUMNS[-2:], unknown)}))
    found[:, -2:] = _UNKNOWN
    return found


def _time(time: int) -> pa.Scalar:
    return pa.scalar(time, pa.int64()).cast(_TIME)


def _plain(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).combine_chunks().fill_null("")


def _floats(table: pa.Table, name: str) -> pa.Array:
    # By their text: Arrow's own floats of decimals are not the nearest ones.
    values = table.column(name).cast(pa.string()).cast(pa.float64()).to_numpy()
    return listed(np.asarray(values, np.float64))


def _times(table: pa.Table, name: str, origin: int) -> pa.Array:
    """Return times since the origin; NaN for none."""
    column = table.column(name).cast(pa.int64())
    since = pc.subtract(column, pa.scalar(origin, pa.int64())).cast(pa.float64(), safe=False)
    return listed(np.asarray(since.to_numpy(), np.float64))
