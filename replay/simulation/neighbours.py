"""How flat the optimum is: the values around the best setting, along each setting that was swept.

A peak that its neighbours do not share is a fault of this tape; one that falls slowly may be there tomorrow.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from orderbook.document import Document
from orderbook.execution.codes import QueueModel
from replay.simulation.columns import cell
from replay.simulation.rows import BacktestRow

_NUMBER: Final = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?)(.*)")


class NeighbourPoint(Document, frozen=True, kw_only=True):
    """A setting that differs from the best one in one value.

    Attributes:
        setting: index in `settings`; that of the best one is among them.
        at: the value in which it differs.
        value: the column by which the best is the best; null if there is none.
    """

    setting: int
    at: str
    value: float | None


class Neighbours(Document, frozen=True, kw_only=True):
    """The settings that differ from the best of a product in one setting alone, and what they come to.

    Attributes:
        product: product id.
        queue: queue model that decided what filled.
        by: the column whose largest value makes the best.
        name: the setting that differs, such as `threshold`, or `latency` if several were run.
        setting: index of the best setting in `settings`.
        points: in the order of their values, the best one included: a curve.
    """

    product: str
    queue: QueueModel
    by: str
    name: str
    setting: int
    points: list[NeighbourPoint]

    @property
    def place(self) -> int:
        """Place of the best among the points."""
        return next(place for place, each in enumerate(self.points) if each.setting == self.setting)


def neighbours_of(
    best: BacktestRow, rows: Sequence[BacktestRow], settings: Sequence[Mapping[str, Any]], by: str
) -> Iterator[Neighbours]:
    """Yield the neighbours of the best row along each setting in which there are any. O(rows) for each.

    Args:
        best: the best row.
        rows: those of its product and queue model.
        settings: of the strategies, by index.
        by: the column that makes it the best.
    """
    own = settings[best.setting]
    texts = [{name: str(value) for name, value in values.items()} for values in settings]
    mine = texts[best.setting]
    for name in own:
        others = {**mine, name: ""}
        line = [row for row in rows if {**texts[row.setting], name: ""} == others]
        if len(line) > 1:
            found = [
                NeighbourPoint(setting=row.setting, at=texts[row.setting][name], value=cell(row, by))
                for row in line
            ]
            yield Neighbours(
                product=best.product,
                queue=best.queue,
                by=by,
                name=name,
                setting=best.setting,
                points=_ordered(found),
            )


def _ordered(points: list[NeighbourPoint]) -> list[NeighbourPoint]:
    """Return points by their numbers if those have one unit, else in the order of the settings."""
    numbers = {each.setting: _NUMBER.fullmatch(each.at) for each in points}
    units = {None if match is None else match[2] for match in numbers.values()}
    if len(units) > 1 or None in units:
        return sorted(points, key=lambda each: each.setting)
    return sorted(points, key=lambda each: float(match[1]) if (match := numbers[each.setting]) else 0.0)
