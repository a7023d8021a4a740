"""What a comparison of thresholds found: rows for people, JSON, CSV and Arrow."""

import math
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

import numpy as np
import pyarrow as pa

from orderbook.times import format_time
from recorder.version import software_version
from replay.compared import Group, TapePass, block_of
from replay.row_formats import row_schema, to_csv
from replay.sweep.parts import By
from replay.sweep.results import ThresholdStatistics, horizon_label
from replay.window import WHOLE, Window

DEFAULT_HORIZONS_NS: Final = (100_000_000, 1_000_000_000, 5_000_000_000, 30_000_000_000)
"""Of the mark-outs: 100 ms, 1 s, 5 s, 30 s."""


@dataclass(frozen=True, slots=True)
class CompareSettings:
    """What is compared, and how it is split.

    Attributes:
        thresholds: fractions of the ask price, ascending, each once.
        products: which; all where none is named.
        window: the part of each tape that is reported.
        horizons_ns: of the mark-outs, ascending.
        fee: of each side, a fraction of the price; None where nobody asks.
        by: what the numbers are split by: UTC clock hour, UTC date or connection; None for the whole.
    """

    thresholds: tuple[float, ...]
    products: tuple[str, ...] = ()
    window: Window = WHOLE
    horizons_ns: tuple[int, ...] = DEFAULT_HORIZONS_NS
    fee: float | None = None
    by: By | None = None

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "thresholds": len(self.thresholds),
            "products": list(self.products),
            "from": None if self.window.start is None else format_time(self.window.start),
            "to": None if self.window.end is None else format_time(self.window.end),
            "markouts": [horizon_label(horizon) for horizon in self.horizons_ns],
            "fee": self.fee,
            "by": self.by,
        }


@dataclass(slots=True)
class Comparison:
    """What each threshold lets pass.

    Attributes:
        settings: what was asked for.
        engine: name of what ran the books.
        tapes: one entry a tape, in the order in which they were named.
        groups: by product, then tape (the total of several last), then part (the whole last).
        episodes_of: thresholds whose episodes were written one by one.
        command: how it was made, where a command line made it.
        elapsed_s: wall time of the pass.
    """

    settings: CompareSettings
    engine: str
    tapes: list[TapePass] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    episodes_of: tuple[float, ...] = ()
    command: str | None = None
    elapsed_s: float = 0.0
    _sorted_by: str = "threshold"

    def whole(self, product: str) -> Group:
        """Return the numbers of a product over everything: all tapes, all parts."""
        return [group for group in self.groups if group.product == product and group.part is None][-1]

    @property
    def products(self) -> tuple[str, ...]:
        """The products, sorted."""
        return tuple(dict.fromkeys(group.product for group in self.groups))

    def sort(self, key: str) -> None:
        """Order each group's entries by a column of its rows: `threshold` ascending, others largest first."""
        self._sorted_by = key
        for group in self.groups:
            group.statistics.sort(key=lambda entry: entry.threshold)
            if key != "threshold":
                group.statistics.sort(key=lambda entry: _size(entry.row()[key]), reverse=True)

    def keep(self, *, min_signals: int = 0, min_episodes: int = 0) -> None:
        """Drop the entries with fewer signals or episodes."""
        for group in self.groups:
            group.statistics = [
                entry
                for entry in group.statistics
                if entry.signals >= min_signals and entry.episodes >= min_episodes
            ]

    def entries(self) -> Iterator[tuple[Group, ThresholdStatistics]]:
        """Yield what is shown, in order: block by block (see `block_of`), and inside as it was sorted.

        Where parts are sorted by threshold, the parts of a threshold stand together: does it hold over time?
        """
        for _, block in groupby(self.groups, key=block_of):
            found = [(group, entry) for group in block for entry in group.statistics]
            if self._sorted_by == "threshold":
                found.sort(key=lambda each: each[1].threshold)
            yield from found

    def rows(self) -> list[dict[str, object]]:
        """Return one dict a group and threshold, products in alphabetical order.

        A column `tape` is there where several were compared (None in the total), and one named `hour`, `day`
        or `connection` where the numbers are split by it (None in the whole).
        """
        around = {id(group): (self._named(group), group.quality.columns()) for group in self.groups}
        names: tuple[str, ...] = ()
        made = []
        for group, entry in self.entries():
            before, behind = around[id(group)]
            names = names or (*before, *entry.names(), *behind)
            made.append(dict(zip(names, (*before.values(), *entry.values(), *behind.values()), strict=True)))
        return made

    def _place(self, group: Group) -> dict[str, object]:
        place: dict[str, object] = {}
        if len(self.tapes) > 1:
            place["tape"] = None if group.tape is None else str(group.tape)
        if self.settings.by is not None:
            place[self.settings.by] = group.part
        return place

    def table(self) -> pa.Table:
        """Return the rows as an Arrow table."""
        return pa.Table.from_pylist(self.rows(), self._schema())

    def csv(self) -> str:
        """Return the rows as CSV with a heading; nothing where a number is None."""
        return to_csv(self.rows(), self._schema())

    def _schema(self) -> pa.Schema:
        return row_schema(self.settings.horizons_ns, self.settings.by, has_tapes=len(self.tapes) > 1)

    def document(self) -> dict[str, object]:
        """Return the JSON form (`compare --json`, RUN/run.json)."""
        tapes = [tape.document() for tape in self.tapes]
        only: dict[str, object] = tapes[0] if len(tapes) == 1 else {"tape": None, "digest": None}
        return {
            **only,
            "rows": self.rows(),
            "spread": [self._named(group) | group.spread.document() for group in self.groups],
            "quality": [self._named(group) | group.quality.document() for group in self.groups],
            "tapes": tapes,
            "settings": self.settings.document(),
            "episodes_of": list(self.episodes_of),
            "command": self.command,
            "versions": versions(),
            "engine": self.engine,
            "elapsed_s": self.elapsed_s,
        }

    def _named(self, group: Group) -> dict[str, object]:
        return {"product": group.product, **self._place(group)}


def _size(value: object) -> float:
    """Return what a number counts for where rows are sorted; None comes last."""
    return float(value) if isinstance(value, int | float) else -math.inf


def versions() -> dict[str, str]:
    """Return the software that a result was made with."""
    return {
        "booktape": software_version(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pyarrow": pa.__version__,
    }
