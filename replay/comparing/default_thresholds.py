"""The thresholds that are compared if none is named: quantiles of the tape's own spread over time.

They have four significant digits. Each but the lowest is rounded up, so that what is above it is wider than
the spread usually is, also if that is a single tick. Of a long tape they are estimated from slices, which are
spread evenly over the window.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, NamedTuple

from orderbook.display import bps
from orderbook.engine import Engine
from orderbook.thresholds import format_threshold
from orderbook.times import parse_time
from recorder.settings import EngineName
from recorder.tape.format.book_spacing import parts_with_books
from recorder.tape.overview import overview
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape
from replay.comparing.sweep.spread_times import SpreadStatistics
from replay.comparing.sweep.threshold_sweep import ThresholdSweep
from replay.running.tables import summaries_in
from replay.running.window import Window

MAX_THRESHOLDS: Final = 20
"""Number of thresholds at most; of more quantiles evenly chosen ones are taken."""


class ChosenThresholds(NamedTuple):
    """Thresholds that were chosen.

    Attributes:
        thresholds: of all products, ascending and each once.
        details: the one whose episodes are shown, by product: the middle one of its own.
    """

    thresholds: tuple[float, ...]
    details: Mapping[str, float]


SAMPLED_ROWS: Final = 50_000
"""About the number of rows of a product that are read, if it has more in the window."""

_SLICES: Final = 16


def choose_thresholds(
    tapes: Sequence[Tape], products: tuple[str, ...], window: Window, engine: Engine | EngineName
) -> ChosenThresholds:
    """Return quantiles of the spread of each product; none if no spread is known.

    Args:
        tapes: the tapes to be compared.
        products: product ids; empty for all.
        window: the part of each tape that is reported.
        engine: runs the books.

    Raises:
        TapeError: if a tape cannot be read or has no such product.
    """
    sweeps: dict[str, ThresholdSweep] = {}
    for tape in tapes:
        for product in tape.select(products):
            sweep = sweeps.setdefault(product, ThresholdSweep([0.0]))
            for part in slices_of(tape.product(product), window):
                found = ThresholdSweep([0.0])
                for batch in summaries_in(tape, product, part, engine).to_batches():
                    found.add(batch)
                sweep.merge(found, is_adjacent=False)
    spreads = {product: sweep.finish()[-1].spread for product, sweep in sweeps.items()}
    ordered = sorted({each for spread in spreads.values() for each in quantile_thresholds(spread)})
    last = len(ordered) - 1
    places = {round(number * last / (MAX_THRESHOLDS - 1)) for number in range(MAX_THRESHOLDS)}
    chosen = tuple(ordered if last < MAX_THRESHOLDS else (ordered[place] for place in sorted(places)))
    details = {product: middle_threshold(spread, chosen) for product, spread in spreads.items()}
    return ChosenThresholds(chosen, {product: each for product, each in details.items() if each is not None})


def middle_threshold(spread: SpreadStatistics, thresholds: Sequence[float]) -> float | None:
    """Return the threshold nearest to the middle one of a product's own quantiles; None without any.

    Those that nothing is above are left out, as there is no episode to show.
    """
    own = sorted(set(quantile_thresholds(spread)))
    found = [each for each in thresholds if spread.largest is not None and each < spread.largest]
    if not own or not found:
        return None
    return min(found, key=lambda each: abs(each - own[len(own) // 2]))


def quantile_thresholds(spread: SpreadStatistics) -> Iterator[float]:
    """Yield the thresholds at the quantiles of a spread, the lowest just below its quantile."""
    for quantile, rounding in zip(
        spread.quantiles, (ROUND_FLOOR, *[ROUND_CEILING] * len(spread.quantiles)), strict=False
    ):
        if quantile is not None and quantile >= 0:
            yield rounded(quantile, 4, rounding)


def rounded(value: float, digits: int, rounding: str) -> float:
    """Return a number above or equal to 0, rounded to significant digits.

    >>> rounded(1.53648e-07, 4, ROUND_CEILING), rounded(1.53648e-07, 2, ROUND_FLOOR)
    (1.537e-07, 1.5e-07)
    """
    exact = Decimal(repr(value))
    unit = Decimal(1).scaleb(exact.adjusted() - digits + 1)
    return float(exact.quantize(unit, rounding)) if exact else 0.0


def just_below(spread: float) -> float:
    """Return a threshold of two digits that a spread above 0 is above.

    >>> just_below(1.53648e-07), just_below(1.5e-07)
    (1.5e-07, 1.4e-07)
    """
    return rounded(spread * (1 - 1e-9), 2, ROUND_FLOOR)


def nothing_above(threshold: float, spread: SpreadStatistics, command: str) -> str | None:
    """Return a sentence about a threshold that no summary is above, with what to try; None if one is."""
    if spread.largest is None:
        return "no spread is above 0: there is no book, or a side of it is empty, or it is locked or crossed"
    if spread.largest > threshold:
        return None
    return (
        f"nothing is above {format_threshold(threshold)}: the largest spread is {bps(spread.largest)} bps;"
        f" try `{command}--threshold {lower_threshold(spread)}`"
    )


def lower_threshold(spread: SpreadStatistics) -> str:
    """Return a threshold that half of a spread above 0 is above, as one types it."""
    return format_threshold(just_below(spread.p50 or spread.largest or 0.0)).replace(" ", "")


def slices_of(tape: ProductTape, window: Window) -> Iterator[Window]:
    """Yield the parts of a window to read: all of it, or slices of equal length.

    A slice begins where a book is saved, if one is before it and after the slice before.
    """
    seen = overview(tape)
    if seen.first_time is None or seen.last_time is None:
        return
    low = max(seen.first_time, window.start or 0)
    high = min(seen.last_time + 1, seen.last_time + 1 if window.end is None else window.end)
    rows = seen.rows * max(high - low, 0) // max(seen.last_time - seen.first_time, 1)
    if rows <= SAMPLED_ROWS:
        yield window
        return
    length = max((high - low) * SAMPLED_ROWS // (rows * _SLICES), 1)
    saved = parts_with_books(tape.parts())
    begins = sorted(parse_time(part.first_recv_time) or 0 for part in saved)
    earliest = low
    for number in range(_SLICES):
        start = low + (high - low) * number // _SLICES
        place = bisect_right(begins, start) - 1
        if place >= 0 and begins[place] >= earliest:
            start = begins[place]
        yield Window(start, min(start + length, high))
        earliest = start + length
