"""The orders and fills of a RUN, as columns for a page to draw beside the market."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from replay.run_dir.backtests import BacktestRun, LaneName, Stream
from replay.viewing.wire import listed, one_row

MOST: Final = 4000
"""Orders and fills that are sent for a span; of more, the first ones."""

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
        self._run, self._tape, self._product = run, str(tape), product

    def table(self, lane: LaneName, start: int, end: int, origin: int) -> pa.Table:
        """Return what rested or was filled in a span, as one row of lists.

        Args:
            lane: setting and queue model.
            start: of the span, nanoseconds since 1970.
            end: of the span, exclusive.
            origin: the time that is 0 in it.

        Raises:
            RunError, DamagedTapeError: if the RUN is not as it was written.
        """
        orders, fills = self._of_lane("orders", lane), self._of_lane("fills", lane)
        columns: dict[str, object] = {}
        if orders is not None:
            begin = pc.coalesce(orders.column("rested"), orders.column("arrived"), orders.column("sent"))
            over = pc.less(begin, _time(end))
            still = pc.greater_equal(pc.coalesce(orders.column("ended"), begin), _time(start))
            # Of an order that was amended only the last price is kept: a line there would be false.
            keeps = pc.and_(pc.and_(over, still), pc.equal(orders.column("amends"), 0))
            orders = orders.append_column("begin", begin).filter(keeps)
            columns["orders"] = orders.num_rows
            orders = orders.slice(0, MOST)
            columns |= {
                f"order_{name}": _floats(orders, name) for name in ("number", "price", "size", "filled")
            }
            columns |= {f"order_{name}": _times(orders, name, origin) for name in ("begin", "ended")}
            columns |= {f"order_{name}": listed(_plain(orders, name)) for name in ("side", "end")}
        if fills is not None:
            time = fills.column("time")
            fills = fills.filter(pc.and_(pc.greater_equal(time, _time(start)), pc.less(time, _time(end))))
            columns["fills"] = fills.num_rows
            fills = fills.slice(0, MOST)
            columns |= {f"fill_{name}": _floats(fills, name) for name in ("number", "price", "size", "seq")}
            columns["fill_time"] = _times(fills, "time", origin)
            columns |= {f"fill_{name}": listed(_plain(fills, name)) for name in ("side", "liquidity")}
        return one_row(**{"orders": 0, "fills": 0, **columns})

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
