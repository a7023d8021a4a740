"""A sparkline: a line as small as a word, which shows how a number went."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from replay.comparing.sweep.order_statistics import Floats, Ints

WIDTH: Final = 120
HEIGHT: Final = 24


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A line for a cell of a table, as macros.html draws it.

    Attributes:
        label: what it shows, for those who do not see it.
        points: x and y of its points in pixels, as SVG has them.
    """

    label: str
    points: str


def sparkline(label: str, times: Ints, values: Floats) -> Sparkline | str:
    """Return a line through values (NaN is left out), at their times; "-" if there are fewer than two."""
    known = ~np.isnan(values)
    times, values = times[known], values[known]
    if len(times) < 2 or times[0] == times[-1]:
        return "-"
    x = (times - times[0]) / (times[-1] - times[0]) * (WIDTH - 2) + 1
    low, high = values.min(), values.max()
    # A line that never moves is in the middle: at the lower edge it would look like a zero.
    y = (HEIGHT - 2) - ((values - low) / (high - low) if high > low else 0.5 * np.ones_like(values)) * (
        HEIGHT - 4
    )
    points = dict.fromkeys(f"{at:.0f},{up:.1f}" for at, up in zip(x.tolist(), y.tolist(), strict=True))
    return Sparkline(label, " ".join(points))
