"""The report of a backtest: its numbers are those of the result, and a browser draws it in silence."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

import booktape as bt
from orderbook import display
from tests.support.browser import Page
from tests.support.commands import invoke
from tests.support.constants import BTC, ETH, SECOND

WORDS = ("backtest", "sample:", "-p", ETH, "--to", "+20s", "--sweep", "threshold=0bps,2bps")


def test_report_in_a_browser(page: Page, tmp_path: Path) -> None:
    """Every figure is drawn, nothing is requested or logged, and the numbers are those of the result."""
    path = tmp_path / "report.html"
    done = invoke(*WORDS, "--queue", "back,share,front", "--html", path, "--json")
    assert done.exit_code == 0
    rows = json.loads(done.stdout)["rows"]
    page.open(path, width=1100)
    assert page.complaints == []
    assert page.requests == [path.as_uri()]
    lines = page.value("[...document.querySelectorAll('.plot')].map(plot => [plot.id, plot.data.length])")
    assert dict(lines) == {"p0-net": 3, "p0-fills": 3, "p0-equity": 2, "p0-drawdown": 2}
    shown = page.value("document.getElementById('p0-net').data.map(line => [line.name, line.y])")
    nets = {model: [row["net"] for row in rows if row["queue"] == model] for model, _ in shown}
    assert dict(shown) == nets
    text = page.value("document.body.textContent")
    assert f"{display.significant(max(nets['share']))} with threshold=" in text
    assert "the best of 2 settings" in text


def test_settings_of_others_are_text(page: Page, tmp_path: Path) -> None:
    """What looks like markup in a setting is shown as it is, in tables and figures."""
    odd = ["<b>x</b><script>alert(1)</script>", '%{y} <a href="https://example.com">z</a>']
    tape = bt.open("sample:")
    time = tape.rows(BTC).column("recv_time")[0].value + SECOND
    orders = pa.table(
        {
            "time": pa.array([time] * 2).view(pa.timestamp("ns", "UTC")),
            **{name: [value] * 2 for name, value in (("what", "market"), ("name", "a"), ("side", "bid"))},
            "price": pa.nulls(2),
            "size": ["0.1"] * 2,
            "setting": odd,
        }
    )
    path = tmp_path / "report.html"
    tape.backtest(orders=orders, products=BTC, end="+4s", html=path)
    page.open(path, width=1100)
    assert page.complaints == []
    assert page.requests == [path.as_uri()]
    ticks = page.value("[...document.querySelectorAll('#p0-net .xtick text')].map(tick => tick.textContent)")
    assert sorted(ticks) == sorted(display.printable(each, 40) for each in odd)
    assert page.value("document.querySelectorAll('figure svg a, figure svg script').length") == 0


def test_reports_that_cannot_be_made(tmp_path: Path) -> None:
    """An existing file is refused before the pass; several processes have no report."""
    path = tmp_path / "report.html"
    path.write_text("mine")
    done = invoke(*WORDS, "--html", path)
    assert done.exit_code == 1
    assert "exists already" in done.stderr
    assert path.read_text() == "mine"
    with pytest.raises(bt.OptionError, match="not with html") as found:
        bt.open("sample:").backtest(html=tmp_path / "other.html", processes=2)
    assert found.value.option == "processes"
