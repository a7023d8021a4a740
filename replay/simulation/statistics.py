"""The numbers that are worked out of the sums of a lane, rounded once."""

from math import sqrt
from typing import Final

from orderbook.document import Document
from orderbook.execution.numbers import MONEY_UNITS, UNITS
from orderbook.execution.totals import HOUR, MARKOUT_UNITS, LaneTotals, MarkoutSums, Moves
from orderbook.times import NS

_YEAR_S: Final = 365.25 * 86_400
_FEWEST_SAMPLES: Final = 100
_SHORTEST: Final = 24 * HOUR
_FEWEST_HOURS: Final = 30


class MarkoutDocument(Document, frozen=True):
    """How the mid moved after fills, in basis points; positive is good for us.

    Attributes:
        fills: number of fills whose mark-out is known.
        left_out: number of fills whose mark-out is not: the connection or the tape ended before.
        mean_bps, mean_by_value_bps: mean over fills, and weighted by their value; null without fills.
        standard_error_bps: of the mean over fills; null below two fills.
    """

    fills: int
    left_out: int
    mean_bps: float | None
    mean_by_value_bps: float | None
    standard_error_bps: float | None


class HorizonDocument(Document, frozen=True):
    """The mark-outs of a lane at one time after its fills.

    Attributes:
        all, maker, taker: of all fills, and of those as maker and as taker.
    """

    all: MarkoutDocument
    maker: MarkoutDocument
    taker: MarkoutDocument


def _variance(count: int, total: int, squares: int) -> float:
    """Return the variance of at least two integers, by their number, sum and sum of squares."""
    return (count * squares - total * total) / (count * (count - 1))


def _markout_document(sums: MarkoutSums) -> MarkoutDocument:
    fills = sums.fills
    error = sqrt(_variance(fills, sums.total, sums.squares) / fills) if fills > 1 else None
    return MarkoutDocument(
        fills,
        sums.left_out,
        sums.total / (fills * MARKOUT_UNITS) if fills else None,
        sums.by_value / (sums.value * MARKOUT_UNITS) if fills else None,
        None if error is None else error / MARKOUT_UNITS,
    )


def markout_documents(totals: LaneTotals) -> dict[int, HorizonDocument]:
    """Return the mark-outs of a lane by horizon."""
    return {
        horizon: HorizonDocument(*map(_markout_document, (maker + taker, maker, taker)))
        for horizon, (maker, taker) in totals.markouts.items()
    }


def _yearly(moves: Moves) -> tuple[float, float] | None:
    """Return the yearly Sharpe ratio and its standard error; None if equity never moved."""
    variance = _variance(moves.count, moves.total, moves.squares)
    if not variance:
        return None
    ratio = moves.total / moves.count / sqrt(variance)
    scale = sqrt(_YEAR_S * NS / moves.every)
    return ratio * scale, sqrt((1 + ratio * ratio / 2) / moves.count) * scale


def sharpe(totals: LaneTotals) -> tuple[float | None, float | None]:
    """Return the yearly Sharpe ratio of the marks on the grid, and its standard error.

    They are null below 100 samples or one day. It takes samples for independent, which they are not.
    """
    moves = totals.of_marks
    enough = moves.count >= _FEWEST_SAMPLES and moves.span >= _SHORTEST
    return (_yearly(moves) if enough else None) or (None, None)


def sharpe_hourly(totals: LaneTotals) -> float | None:
    """Return the yearly Sharpe ratio of hourly marks, null below 30 hours."""
    found = _yearly(totals.of_hours) if totals.of_hours.count >= _FEWEST_HOURS else None
    return None if found is None else found[0]


def ratio(part: int, whole: int) -> float | None:
    """Return a size as a share of another one, null if that is 0."""
    return part / whole if whole else None


def money(value: int) -> float:
    """Return money in the quote currency, the nearest float."""
    return value / MONEY_UNITS


def money_of_twice(value: int | None) -> float | None:
    """Return money that is kept twice over in the quote currency, the nearest float; None for None."""
    return None if value is None else value / (2 * MONEY_UNITS)


def size(units: int) -> float:
    """Return a size in the base currency, the nearest float."""
    return units / UNITS
