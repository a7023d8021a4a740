"""A backtest on a terminal."""

import io
import re

import pytest
from rich.console import Console

import booktape as bt
from booktape.console.backtest import print_backtest
from orderbook import display
from replay.simulation.results import Backtest
from tests.support.constants import BTC, ETH


@pytest.fixture(scope="module")
def result() -> Backtest:
    """Return a result of six settings; do not change it."""
    return bt.open("sample:").backtest(
        products=ETH, sweep={"threshold": ("0bps", "2bps", "5bps"), "inside": (0, 1)}, end="+9s", by="hour"
    )


def printed(result: Backtest, width: int, sort: str = "product") -> list[str]:
    """Return the lines of a terminal of some width."""
    output = io.StringIO()
    console = Console(
        width=width, file=output, force_terminal=True, color_system=None, markup=False, highlight=False
    )
    print_backtest(console, result, sort)
    return output.getvalue().splitlines()


@pytest.mark.parametrize("width", [50, 80, 120])
def test_nothing_is_cut_in_silence(result: Backtest, width: int) -> None:
    """Each row has its net profit whole; a column that is not there is named below."""
    lines = printed(result, width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for row in result.rows:
        assert f"{row.net:.4g}" in text
    shown = " ".join(lines[: next(place for place, line in enumerate(lines) if "───" in line)])
    named = "".join(re.findall(r"Left out at[^\n]*(?:\n(?!\n)[^\n]*)*", text))
    for heading in ("orders", "fills", "accepted size", "fees", "position", "drawdown", "turnover"):
        assert heading in shown or heading in named.replace("\n", " ")
    if width == 120:
        assert re.search(r"\d+ % filled \(\d+ to \d+\)", text)


def test_the_column_of_the_order_is_there(result: Backtest) -> None:
    """Also on a narrow terminal, and if the table has no place for it otherwise."""
    for column in ("turnover", "sharpe_samples"):
        heading = next(line for line in printed(result, 80, column) if line.startswith(("product", "thresh")))
        assert column in heading


def test_the_best_says_of_how_many(result: Backtest) -> None:
    """A line a product names the best setting, and that it is the best of six."""
    best = result.best("net")
    text = " ".join(printed(result, 200))
    values = ", ".join(f"{name}={value}" for name, value in result.values(best).items())
    assert f"Best net of {ETH}: {best.net:.4g} USD with {values}, share: the best of 6 settings" in text
    assert best.best_of == 6


def test_a_setting_without_a_fill_is_not_the_best() -> None:
    """If not to trade was better, the line says so, and names the best setting that was filled."""
    idle = bt.open("sample:").backtest(products=BTC, sweep={"threshold": ("0bps", "5bps")}, end="+5s")
    (filled,) = (row for row in idle.rows if row.fills)
    assert (filled.net or 0.0) < 0
    lost = display.significant(-(filled.net or 0.0))
    said = (
        f"Best net of {BTC}: 0 USD without a fill (1 of 2 settings); of those filled the best lost {lost} USD"
    )
    assert f"{said} net of fees with threshold=0bps, share" in " ".join(printed(idle, 200))


def test_no_table_of_dashes() -> None:
    """Mark-outs that no fill has lived to see are not shown."""
    shown = bt.open("sample:").backtest(
        products=ETH, settings={"threshold": "0bps"}, end="+9s", markouts=("1h",)
    )
    assert shown.rows[0].fills
    assert not any("Mark-outs" in line for line in printed(shown, 80))


def test_a_horizon_has_one_spelling_for_people() -> None:
    """However it was typed, it is printed as by `compare`; the keys of the document stay in seconds."""
    shown = bt.open("sample:").backtest(
        products=ETH, settings={"threshold": "0bps"}, end="+70s", markouts=("60s", "2s")
    )
    assert list(shown.rows[0].markouts) == ["2s", "60s"]
    heading = next(line for line in printed(shown, 120) if "after" in line)
    assert "after 1m" in heading
    assert "after 2s" in heading
