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

_NEAREST: Final = 8
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


class NearPoint(Document, frozen=True, kw_only=True):
    """A setting near the best one.

    Attributes:
        setting: index in `settings`.
        distance: the largest difference in any setting, as a share of the range of it that was tried; 1 for
            another value of a setting that is no number.
        value: the column by which the best is the best; null if there is none.
    """

    setting: int
    distance: float
    value: float | None


class Nearest(Document, frozen=True, kw_only=True):
    """The settings nearest to the best of a product, for want of neighbours that differ in one value alone.

    Attributes:
        product: product id.
        queue: queue model that decided what filled.
        by: the column whose largest value makes the best.
        setting: index of the best setting in `settings`.
        points: the nearest first; the best one is not among them.
    """

    product: str
    queue: QueueModel
    by: str
    setting: int
    points: list[NearPoint]


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


def nearest_of(
    best: BacktestRow, rows: Sequence[BacktestRow], settings: Sequence[Mapping[str, Any]], by: str
) -> Nearest | None:
    """Return the settings nearest to the best row; None if each setting that differs has its neighbours.

    That is so in a whole sweep. In a search, or of combinations drawn at random, hardly two settings differ
    in one value alone. O(rows) for each setting, and a sort.

    Args:
        best: the best row.
        rows: those among which it is the best, itself included.
        settings: of the strategies, by index.
        by: the column that makes it the best.
    """
    texts = {row.setting: {name: str(value) for name, value in settings[row.setting].items()} for row in rows}
    differing = [name for name in settings[best.setting] if len({each[name] for each in texts.values()}) > 1]
    found = {each.name for each in neighbours_of(best, rows, settings, by)}
    if found.issuperset(differing):
        return None
    distances = dict.fromkeys(texts, 0.0)
    for name in differing:
        places = _places({setting: values[name] for setting, values in texts.items()})
        for setting, place in places.items():
            distances[setting] = max(distances[setting], min(1.0, abs(place - places[best.setting])))
    nearest = sorted(
        (row for row in rows if row.setting != best.setting), key=lambda row: distances[row.setting]
    )
    return Nearest(
        product=best.product,
        queue=best.queue,
        by=by,
        setting=best.setting,
        points=[
            NearPoint(setting=row.setting, distance=distances[row.setting], value=cell(row, by))
            for row in nearest[:_NEAREST]
        ],
    )


def _places(texts: Mapping[int, str]) -> dict[int, float]:
    """Return where each value of a setting is in the range that was tried, from 0 to 1.

    Values that are no numbers of one unit have no order: each is as far from the others as can be.
    """
    numbers = _numbers(texts)
    if numbers is None:
        order = {text: float(place) for place, text in enumerate(dict.fromkeys(texts.values()))}
        return {setting: order[text] for setting, text in texts.items()}
    low, high = min(numbers.values()), max(numbers.values())
    return {setting: (number - low) / (high - low) for setting, number in numbers.items()}


def _numbers(texts: Mapping[int, str]) -> dict[int, float] | None:
    """Return values of a setting as numbers; None unless all are numbers of one unit."""
    matches = {setting: _NUMBER.fullmatch(text) for setting, text in texts.items()}
    if len({None if match is None else match[2] for match in matches.values()}) > 1:
        return None
    return {setting: float(match[1]) for setting, match in matches.items() if match is not None} or None


def _ordered(points: list[NeighbourPoint]) -> list[NeighbourPoint]:
    """Return points by their numbers if those have one unit, else in the order of the settings."""
    numbers = _numbers({each.setting: each.at for each in points}) or {}
    return sorted(points, key=lambda each: (numbers.get(each.setting, 0.0), each.setting))
