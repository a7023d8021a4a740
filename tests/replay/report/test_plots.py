"""The figures of results: those of the report, with the numbers of the result."""

from pathlib import Path

import pytest

import booktape as bt
from replay.simulation.results import Backtest
from tests.support.constants import BTC, ETH, SAMPLE
from tests.support.tapes import copy_of

SWEEP = {"threshold": ["1bps", "2bps"], "size": ["0.01", "0.02"]}


@pytest.fixture(scope="module")
def swept() -> Backtest:
    """Return a backtest of four settings under all queue models."""
    return bt.open(SAMPLE).backtest(products=ETH, sweep=SWEEP, queue="back,share,front", end="+12s")


def test_a_backtest(swept: Backtest) -> None:
    """Each figure ends at, or holds, the net profit of the rows."""
    nets = {row.setting: row.net or 0.0 for row in swept.rows if row.queue == "share"}
    best = max(nets, key=lambda number: nets[number])
    assert all(row.fills for row in swept.rows)
    equity = swept.plot.equity()
    (line,) = [trace for trace in equity.data if trace.legendgroup == "0" and trace.yaxis == "y"]
    assert [y for y in line.y if y is not None][-1] == pytest.approx(
        nets[best], rel=0.01
    )  # a sample of before the end
    (cells,) = swept.plot.heatmap().data
    assert sorted(cell for row in cells.z for cell in row) == pytest.approx(sorted(nets.values()))
    assert {trace.name for trace in swept.plot.net().data} == {"back", "share", "front"}
    assert swept.plot.markouts().data
    lines = {line.name: list(line.y) for line in swept.plot.neighbours().data}
    assert lines == {each.name: [point.value for point in each.points] for each in swept.neighbours()}
    assert {"own buys", "own sells", "bid to ask"} <= {trace.name for trace in swept.plot.prices().data}
    assert swept.plot.orders().data[0].x[1] == next(
        row.orders for row in swept.rows if (row.setting, row.queue) == (best, "share")
    )
    assert swept.plot.depth().data


def test_a_comparison_and_a_replay() -> None:
    """The share of each threshold is that of the table; the spread over time goes up to the largest."""
    comparison = bt.open(SAMPLE).compare("2bps:14bps:6bps", end="+15s")
    share = comparison.plot.share(ETH)
    shares = [row["share"] * 100 for row in comparison.table().to_pylist() if row["product"] == ETH]
    assert list(share.data[0].y) == pytest.approx(shares, rel=1e-3)
    assert comparison.plot.durations(ETH).data
    assert comparison.plot.markouts(ETH).data
    nothing = bt.open(SAMPLE).compare(["500bps", "600bps"], products=ETH)
    for draw in (nothing.plot.markouts, nothing.plot.durations):
        with pytest.raises(bt.OptionError, match="this chart needs several thresholds, and an episode"):
            draw()
    replayed = bt.open(SAMPLE).replay(products=ETH, threshold="2bps", end="+15s")
    for figure in (comparison.plot.spread(ETH), replayed.plot.spread()):
        assert figure.layout.title.text.startswith("Prices, and a spread of up to")
        assert len(figure.data) >= 2
    assert replayed.plot.durations().data


def test_several_tapes(tmp_path: Path) -> None:
    """Over several tapes the settings are those of all together; over time a tape has to be named."""
    tapes, end = [SAMPLE, copy_of(SAMPLE, tmp_path)], "2026-01-01T00:00:12"
    result = bt.backtest(tapes, products=ETH, sweep={"size": ["0.01", "0.02"]}, end=end)
    totals = [row.net for row in result.rows if row.tape is None and row.queue == "share"]
    assert list(result.plot.net().data[0].y) == pytest.approx(totals)
    with pytest.raises(bt.OptionError, match="name one of") as found:
        result.plot.equity()
    assert found.value.option == "tape"
    assert result.plot.equity(tape=SAMPLE).data


def test_what_cannot_be_drawn_says_why(swept: Backtest) -> None:
    """A chart that the result has no numbers for, and a product that is not named."""
    with pytest.raises(bt.OptionError, match="needs several latencies"):
        swept.plot.latency()
    with pytest.raises(bt.OptionError, match="no product 'SOL-USD'"):
        swept.plot.net("SOL-USD")
    both = bt.open(SAMPLE).compare("2bps:4bps:1bps", end="+5s")
    with pytest.raises(bt.OptionError, match=f"name one of {BTC}, {ETH}"):
        both.plot.share()
