"""What luck alone would give: the best of many settings is better than it deserves.

Deflated Sharpe ratio: Bailey and Lopez de Prado 2014, "The Deflated Sharpe Ratio". Reality check: White 2000,
with the stationary bootstrap of Politis and Romano 1994, by the library `arch`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import e, isnan, nan, sqrt
from statistics import NormalDist
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from orderbook.document import Document
from orderbook.execution.codes import QueueModel
from replay.simulation.parts import BacktestPart

FEWEST_PERIODS: Final = 30
"""Periods below which nothing is said: their moments mean nothing."""

_EULER: Final = 0.5772156649015329
_SURE: Final = 0.95
_REPETITIONS: Final = 1000
_SEED: Final = 0

_Floats: TypeAlias = npt.NDArray[np.float64]


class Luck(Document, frozen=True, kw_only=True):
    """How far the best setting of a product is above what luck gives, by its net profit of each hour or day.

    Attributes:
        product: product id.
        queue: queue model that decided what filled.
        setting: index of the setting with the largest net profit.
        trials: number of settings that it is the best of.
        periods: number of hours or days in which every setting has a net profit.
        sharpe: its Sharpe ratio of one period: mean over standard deviation.
        sharpe_by_luck: that of the best of so many settings, none of which earns anything.
        deflated_sharpe: probability that its ratio is above that; null if it earned or lost nothing.
        reality_check: share of resampled histories without profit in which the best setting earns as much;
            null without the library `arch`.
    """

    product: str
    queue: QueueModel
    setting: int
    trials: int
    periods: int
    sharpe: float
    sharpe_by_luck: float
    deflated_sharpe: float | None
    reality_check: float | None

    @property
    def is_luck(self) -> bool:
        """Whether luck alone may have given it: one of both judgements is not sure at 95 %."""
        unsure = self.deflated_sharpe is None or self.deflated_sharpe < _SURE
        return unsure or (self.reality_check is not None and self.reality_check > 1 - _SURE)


@dataclass(frozen=True, slots=True)
class Moments:
    """Of the profits of a setting by period.

    Attributes:
        sharpe: mean over standard deviation, of one period; 0 if nothing was ever earned or lost.
        skewness, kurtosis: 0 and 3 of a normal distribution.
    """

    sharpe: float
    skewness: float
    kurtosis: float


def moments(profits: _Floats) -> Moments:
    """Return the moments of profits, of which there are at least two."""
    deviations = profits - profits.mean()
    variance = float((deviations**2).mean())
    if not variance:
        return Moments(0.0, 0.0, 3.0)
    spread = sqrt(variance * len(profits) / (len(profits) - 1))
    return Moments(
        float(profits.mean()) / spread,
        float((deviations**3).mean()) / variance**1.5,
        float((deviations**4).mean()) / variance**2,
    )


def largest_by_luck(trials: int, variance: float) -> float:
    """Return the Sharpe ratio to expect of the best of some settings, none of which earns anything.

    Args:
        trials: number of settings, 2 at least.
        variance: of their Sharpe ratios.
    """
    normal = NormalDist()
    quantiles = normal.inv_cdf(1 - 1 / trials), normal.inv_cdf(1 - 1 / (trials * e))
    return sqrt(variance) * ((1 - _EULER) * quantiles[0] + _EULER * quantiles[1])


def deflated_sharpe(found: Moments, periods: int, by_luck: float) -> float:
    """Return the probability that a Sharpe ratio is above what luck gives.

    Args:
        found: of the best setting.
        periods: how many its moments are of.
        by_luck: `largest_by_luck`.

    Returns:
        From 0 to 1; NaN where the moments admit no standard error.
    """
    ratio = found.sharpe
    scale = 1 - found.skewness * ratio + (found.kurtosis - 1) / 4 * ratio * ratio
    if scale <= 0:
        return nan
    return NormalDist().cdf((ratio - by_luck) * sqrt(periods - 1) / sqrt(scale))


def reality_check(profits: _Floats) -> float:
    """Return how often the best of settings that earn nothing would earn as much: a p-value.

    Args:
        profits: by period and setting.

    Raises:
        ModuleNotFoundError: if `arch` is not installed: `booktape[search]` brings it.
    """
    from arch.bootstrap import SPA  # noqa: PLC0415  of an extra

    nothing = np.zeros(len(profits))
    test = SPA(nothing, -profits, reps=_REPETITIONS, studentize=False, seed=_SEED)  # of losses
    test.compute()
    return float(test.pvalues["upper"])


def luck_of(parts: Sequence[BacktestPart]) -> Iterator[Luck]:
    """Yield how far the best setting of each product and queue model is above luck, where enough is known.

    That is at least two settings and `FEWEST_PERIODS` periods. O(parts), and a bootstrap of 1,000 histories.

    Args:
        parts: of hours or days, of all settings.
    """
    ordered = sorted(parts, key=lambda part: (part.product, part.queue))
    for (product, queue), found in groupby(ordered, key=lambda part: (part.product, part.queue)):
        nets: dict[tuple[str, str], dict[int, float]] = {}
        for part in found:
            if part.net is not None:
                nets.setdefault((str(part.tape), str(part.part)), {})[part.setting] = part.net
        settings = sorted({setting for by_setting in nets.values() for setting in by_setting})
        whole = [by_setting for by_setting in nets.values() if len(by_setting) == len(settings)]
        if len(settings) < 2 or len(whole) < FEWEST_PERIODS:
            continue
        profits = np.array([[by_setting[setting] for setting in settings] for by_setting in whole])
        yield _judge(product, queue, settings, profits)


def _judge(product: str, queue: QueueModel, settings: list[int], profits: _Floats) -> Luck:
    best = int(profits.sum(axis=0).argmax())
    of_all = [moments(column) for column in profits.T]
    by_luck = largest_by_luck(len(settings), float(np.var([each.sharpe for each in of_all], ddof=1)))
    sure = deflated_sharpe(of_all[best], len(profits), by_luck) if profits[:, best].any() else nan
    p_value: float | None
    try:
        p_value = reality_check(profits)
    except ModuleNotFoundError:
        p_value = None
    return Luck(
        product=product,
        queue=queue,
        setting=settings[best],
        trials=len(settings),
        periods=len(profits),
        sharpe=of_all[best].sharpe,
        sharpe_by_luck=by_luck,
        deflated_sharpe=None if isnan(sure) else sure,
        reality_check=p_value,
    )
