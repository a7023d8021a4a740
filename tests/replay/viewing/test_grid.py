"""The heatmap of a book: no size that stood for a moment is lost, and none is drawn that never stood."""

import math
import random
from collections import defaultdict

import numpy as np
import pytest

from replay.viewing.grid import REACH, DepthGrid, extremes_by_column

Side = list[tuple[float, float]]
Moment = tuple[int, Side, Side] | int
"""A column with the bids and asks from then on; or a column in which the book ends."""

COLUMNS = 12


def moments(seed: int) -> list[Moment]:
    """Return random books in random columns, with interruptions and empty sides."""
    rng = random.Random(seed)
    found: list[Moment] = []
    column, middle = 0, 5_000
    while (column := column + rng.choice((0, 0, 0, 1, 3))) < COLUMNS:
        middle += rng.randint(-6, 6) + (300 if rng.random() < 0.05 else 0)
        if rng.random() < 0.1:
            found.append(column)
            continue
        bids, asks = (
            [
                ((middle + way * place) / 100, float(rng.randint(1, 9)))
                for place in range(1, 30)
                if rng.random() < 0.5
            ]
            for way in (-1, 1)
        )
        found.append((column, [] if rng.random() < 0.1 else bids, asks))
    return found


def naive_cells(given: list[Moment], step: float) -> dict[tuple[int, int], float]:
    """Return the largest size of each column and bin, by trying every moment in every column."""
    cells: dict[tuple[int, int], float] = defaultdict(float)
    book: tuple[Side, Side] = ([], [])
    changes = [(each, ([], [])) if isinstance(each, int) else (each[0], each[1:]) for each in given]
    for column in range(COLUMNS):
        standing = [book] + [after for at, after in changes if at == column]
        for sides in standing:
            sums: dict[int, float] = defaultdict(float)
            for side in sides:
                for price, size in side:
                    place, best = (
                        math.floor(round(each * 100) / round(step * 100)) for each in (price, side[0][0])
                    )
                    sums[place] += size * (abs(place - best) <= REACH)
            for place, size in sums.items():
                cells[column, place] = max(cells[column, place], size)
        book = standing[-1]
    return {key: size for key, size in cells.items() if size}


def levels(sides: list[Side]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return sides as an array of shape (moments, levels, 2)."""
    found = np.full((len(sides), 40, 2), np.nan)
    for number, side in enumerate(sides):
        found[number, : len(side)] = side or np.empty((0, 2))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_cells_are_those_of_a_naive_grid(seed: int) -> None:
    """However the moments are cut into batches, each cell is the largest sum that stood in its column."""
    given, rng = moments(seed), random.Random(seed)
    grid = DepthGrid(COLUMNS, 0.02)
    batch: list[tuple[int, Side, Side]] = []
    for each in [*given, None]:
        if batch and (each is None or isinstance(each, int) or rng.random() < 0.3):
            columns, bids, asks = zip(*batch, strict=True)
            grid.add(np.array(columns), levels(list(bids)), levels(list(asks)))
            batch = []
        if isinstance(each, int):
            grid.end(each)
        elif each is not None:
            batch.append(each)
    first, cells = grid.cells(COLUMNS)
    found = {(int(c), first + int(b)): float(cells[c, b]) for c, b in np.argwhere(cells > 0)}
    assert found == naive_cells(given, 0.02)


def test_prices_far_away_do_not_take_the_memory() -> None:
    """A book that jumps to absurd prices costs a bounded number of bins, and the rest stays."""
    grid = DepthGrid(3)
    book = [(100.0, 1.0), (99.0, 2.0)]
    grid.add(np.array([0, 1]), levels([book, [(9e9, 5.0)]]), levels([[], []]))
    _, cells = grid.cells(3)
    assert cells[0].sum() == 3.0
    assert cells.shape[1] <= 2048


def test_extremes_last_until_the_next_value() -> None:
    """A column without a change has the value from before; after an interruption it has none."""
    values = np.array([5.0, np.nan, 7.0, 6.0])
    low, high = extremes_by_column(np.array([1, 2, 4, 4]), values, 4.0, 6, 5)
    assert [str(each) for each in low] == ["4.0", "4.0", "5.0", "nan", "6.0", "nan"]
    assert [str(each) for each in high] == ["4.0", "5.0", "5.0", "nan", "7.0", "nan"]
