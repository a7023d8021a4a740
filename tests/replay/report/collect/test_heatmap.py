"""The depth over time: against books kept level by level, whatever the batches."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pytest

from orderbook.engine import PlainEngine
from orderbook.execution.market_rows import CLEAR, MarketRows
from orderbook.trades import TradeWatch
from recorder.tape.reader import Tape
from replay.report.collect.heatmap import DepthHistory
from tests.support.constants import ETH, SAMPLE

COLUMNS = 38


ROWS = 3000


def read() -> MarketRows:
    """Return the sample's first rows, as the exchange reads them."""
    tape = Tape.open(SAMPLE)
    engine = PlainEngine()
    state = engine.start(ETH, tape.feed)
    watch = TradeWatch(ETH, state.venue)
    rows = next(tape.product(ETH).batches(ROWS))
    market = engine.step(state, rows, watch=watch)[1].market
    assert market is not None
    return market


def history(market: Sequence[MarketRows], part: int = 1, **settings: int) -> DepthHistory:
    """Return the depth over the whole time of some rows, of which a part is known in advance."""
    first, last = int(market[0].time[0]), int(market[-1].time[-1])
    kept = DepthHistory(first, first + (last - first) // part, COLUMNS, **settings)
    for rows in market:
        kept.add(rows)
    kept.finish()
    return kept


def nearest(book: dict[tuple[int, int], int]) -> dict[tuple[int, int], int]:
    """Return the 100 levels of each side nearest to the best price."""
    bids = sorted((key for key in book if key[0] == 0), reverse=True)[:100]
    return {key: book[key] for key in [*bids, *sorted(key for key in book if key[0] == 1)[:100]]}


def check_moments(kept: DepthHistory, ends: dict[int, dict[tuple[int, int], int]]) -> None:
    """Assert that the books of moments are those at the ends of columns."""
    moments = kept.moments(6)
    assert len(moments) > 3
    for end, levels in moments[:-1]:
        found = zip(zip(levels.sides, levels.prices, strict=True), levels.sizes, strict=True)
        assert dict(found) == nearest(ends[(end - kept.start) // kept.width_ns - 1])


@pytest.mark.parametrize("part", [1, 11])
def test_each_cell_is_the_largest_size_shown(part: int) -> None:
    """A cell has the largest size of a level in it, a moment the book, as a dict holds it row by row."""
    market = read()
    kept = history([cut(market, first, first + 100) for first in range(0, ROWS, 100)], part)
    book: dict[tuple[int, int], int] = {}
    largest: dict[tuple[int, int], int] = defaultdict(int)

    def show(levels: dict[tuple[int, int], int]) -> None:
        for (_side, price), size in levels.items():
            largest[price, column] = max(size, largest[price, column])

    column = 0
    ends: dict[int, dict[tuple[int, int], int]] = {}
    for place, time in enumerate(market.time.tolist()):
        while column < (time - kept.start) // kept.width_ns:
            ends[column] = dict(book)
            column += 1
            show(book)
        first, last = market.first_change[place : place + 2]
        for side, price, size in market.changes[first:last].tolist():
            if side == CLEAR:
                book = {}
                continue
            book[side, price] = size
            show({(side, price): size})
            if not size:
                del book[side, price]
    prices = sorted({price for price, _ in largest})
    low, high = prices[len(prices) // 3], prices[2 * len(prices) // 3]
    grid, height = kept.grid(low, high, 50)
    expected = np.zeros_like(grid)
    for (price, at), size in largest.items():
        if low <= price <= high:
            row = (price - low) // height
            expected[row, at] = max(size, expected[row, at])
    assert np.count_nonzero(grid) > grid.size / 4
    assert (grid == expected).all()
    check_moments(kept, ends)
    levels = kept.levels()
    assert dict(zip(zip(levels.sides, levels.prices, strict=True), levels.sizes, strict=True)) == book


@pytest.mark.parametrize("rows", [1, 7])
def test_batches_do_not_matter(rows: int) -> None:
    """The same rows give the same grid, however they are cut, also if only the nearest levels are kept."""
    whole = read()
    parts = [cut(whole, first, first + rows) for first in range(0, ROWS, rows)]
    grids = [history(market, nearest=40).grid(10**8, 10**13, 200)[0] for market in ([whole], parts)]
    assert (grids[0] == grids[1]).all()
    assert grids[0].any()


def cut(rows: MarketRows, first: int, last: int) -> MarketRows:
    """Return some of the rows."""
    last = min(last, len(rows.seq))
    values = {}
    for name in (field.name for field in fields(rows)):
        value = getattr(rows, name)
        if name in {"first_change", "first_trade"}:
            values[name] = value[first : last + 1] - value[first]
        elif name in {"changes", "trades"}:
            firsts = rows.first_change if name == "changes" else rows.first_trade
            values[name] = value[firsts[first] : firsts[last]]
        else:
            values[name] = value[first:last]
    return MarketRows(**values)
