"""The columns of summaries that a sweep reads, in the units of its sums."""

from typing import Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from replay.comparing.sweep.order_statistics import Floats, Ints

Flags: TypeAlias = NDArray[np.bool_]

SPREAD_UNITS: Final = 10**12
"""Units of a relative spread of 1: its column is rounded to 1e-12."""

SIZE_UNITS: Final = 10**8
"""Units of a size or a value of 1: sizes on the feed have at most 8 decimals; more are rounded away."""

MAX_SPREAD_UNITS: Final = 1e18


class Rows(NamedTuple):
    """Columns of summaries.

    Attributes:
        time: in nanoseconds since 1970.
        connection: its number.
        spread: the relative spread; 0 if it is above no threshold.
        units: the relative spread in `SPREAD_UNITS`; 0 if a side is empty.
        mid: the mid price; NaN if a side is empty.
        bid_size, ask_size, value: of the best levels, and of the smaller side, in whole `SIZE_UNITS`, as
            floats because they may exceed an int64; 0 if a side is empty.
        is_crossed: whether the bid is over the ask.
    """

    time: Ints
    connection: Ints
    spread: Floats
    units: Ints
    mid: Floats
    bid_size: Floats
    ask_size: Floats
    value: Floats
    is_crossed: Flags

    @property
    def is_known(self) -> Flags:
        """Whether both sides have a level."""
        return ~np.isnan(self.mid)

    def slice(self, start: int | None, stop: int | None) -> "Rows":
        """Return a part of the rows."""
        return Rows._make(column[start:stop] for column in self)

    def then(self, *more: "Rows") -> "Rows":
        """Return these rows, followed by more."""
        return Rows._make(map(np.concatenate, zip(self, *more, strict=True)))

    @classmethod
    def of(cls, summaries: pa.RecordBatch) -> "Rows":
        """Return the rows of a batch of `FLOW_SUMMARY_SCHEMA`. O(rows)."""
        bid, bid_size, ask, ask_size, spread = (
            summaries.column(name).to_numpy(zero_copy_only=False)  # null becomes NaN
            for name in ("bid_price", "bid_size", "ask_price", "ask_size", "relative_spread")
        )
        one_sided = np.isnan(spread)
        bid_units, ask_units, value = (
            np.where(one_sided, 0.0, np.rint(size * SIZE_UNITS))
            for size in (bid_size, ask_size, np.minimum(bid * bid_size, ask * ask_size))
        )
        units = np.clip(np.where(one_sided, 0.0, spread) * SPREAD_UNITS, -MAX_SPREAD_UNITS, MAX_SPREAD_UNITS)
        return cls(
            summaries.column("recv_time").view(pa.int64()).to_numpy(),  # a cast imports pyarrow.compute
            summaries.column("connection").to_numpy().astype(np.int64),
            np.where(spread > 0, spread, 0.0),
            np.rint(units).astype(np.int64),
            np.where(one_sided, np.nan, (bid + ask) / 2),
            bid_units,
            ask_units,
            value,
            summaries.column("spread").to_numpy(zero_copy_only=False) < 0,
        )


NO_ROWS: Final = Rows._make(np.empty(0, kind) for kind in (int, int, float, int, *(float,) * 4, bool))
