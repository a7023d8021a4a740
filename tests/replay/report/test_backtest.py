"""The report of a backtest: every number it draws is one of the result, and a browser draws it in silence."""

import json
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import booktape as bt
import replay.report.backtest as report
from booktape.examples.market_making import MarketMaker
from orderbook import display
from orderbook.execution.market_view import MarketView
from orderbook.execution.wakes import Wakes
from tests.endurance.forms import TIMEOUT_S
from tests.support.browser import Page
from tests.support.commands import invoke
from tests.support.constants import BTC, ETH, SECOND
from tests.support.tapes import import_frames, snapshot

pytestmark = pytest.mark.timeout(TIMEOUT_S)  # a browser draws slowly on a busy machine

SWEEP = {"threshold": ["0bps", "2bps", "5bps"]}
QUEUES = "back,share,front"
PLOTLY = tuple(map(int, version("plotly").split(".")[:2]))
FIGURES = {"tape", "net", "map", "around", "latency", "equity", "funnel", "markouts", "depth", "book"}


class Data:
    """The figures of the page on show, as Plotly has them."""

    def __init__(self, page: Page, product: str = "p0") -> None:
        self._page = page
        self._product = product

    def __call__(self, chart: str) -> dict[str, dict[str, Any]]:
        """Return the traces of a figure by name."""
        figure = f"document.getElementById('{self._product}-{chart}')"
        found = self._page.value(f"{figure}.data.map(({{name, x, y, z, text}}) => ({{name, x, y, z, text}}))")
        return {trace.get("name", ""): trace for trace in found}


def of_lane(table: pa.Table | None, setting: int, queue: str) -> pa.Table:
    """Return the rows of a lane."""
    assert table is not None
    return table.filter((pc.field("setting") == setting) & (pc.field("queue") == queue))


def floats(table: pa.Table, column: str) -> list[float]:
    """Return a column of decimals as the nearest floats; null is left out."""
    return [float(value) for value in table.column(column).to_pylist() if value is not None]


def by_queue(rows: list[Any], key: str) -> dict[str, list[Any]]:
    """Return a number of rows by queue model, by setting."""
    ordered = sorted(rows, key=lambda row: row.setting)
    return {
        model: [getattr(row, key) for row in ordered if row.queue == model] for model in QUEUES.split(",")
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bt.Backtest]:
    """Return the report of settings of which the best are run again for it, and the result."""
    path = tmp_path_factory.mktemp("backtest") / "report.html"
    tape = bt.open("sample:")
    options: Mapping[str, Any] = {"sweep": SWEEP, "latency": "50ms,100ms", "queue": QUEUES, "by": "hour"}
    return path, tape.backtest(products=ETH, end="+40s", html=path, **options)


def lines_of(traces: Mapping[str, Any]) -> dict[str, list[tuple[float, float, float]]]:
    """Return (from, until, price) of each line of own orders, by side."""
    found = {}
    for side, name in (("bid", "own bids"), ("ask", "own asks")):
        x, y = ([each for each in traces[name][axis] if each is not None] for axis in "xy")
        assert y[::2] == y[1::2]
        found[side] = sorted(zip(x[::2], x[1::2], y[::2], strict=True))
    return found


def rested_of(rows: pa.Table) -> dict[str, list[tuple[float, float, float]]]:
    """Return the same of a table of how orders rested."""
    found = {}
    for side in ("bid", "ask"):
        of_side = rows.filter(pc.field("side") == side)
        times = (
            [round(each / 1e6, 3) for each in of_side.column(name).cast(pa.int64()).to_pylist()]
            for name in ("rested", "until")
        )
        found[side] = sorted(zip(*times, floats(of_side, "price"), strict=True))
    return found


def test_the_page_is_the_result(page: Page, made: tuple[Path, bt.Backtest]) -> None:
    """What is drawn and said is what the result holds, in silence."""
    path, result = made
    page.open(path, width=1200)
    assert page.complaints == []
    assert page.requests == [path.as_uri()]
    assert_figures_are_the_result(page, result)
    assert_depth_is_that_of_the_book(page)
    assert_titles_say_what_was_found(page)


def assert_figures_are_the_result(page: Page, result: bt.Backtest) -> None:
    """What is drawn of settings, orders, fills and money is what the tables and rows of the result hold."""
    ids = page.value("[...document.querySelectorAll('.plot[data-drawn]')].map(plot => plot.id)")
    assert set(ids) == {f"p0-{name}" for name in FIGURES}
    data = Data(page)
    slow = [row for row in result.rows if result.values(row)["latency"] == "100ms"]
    assert {name: trace["y"] for name, trace in data("net").items()} == by_queue(slow, "net")
    (around,) = data("around").values()
    (beside,) = (each for each in result.neighbours() if each.name == "threshold")
    assert around["y"] == [each.value for each in beside.points]
    (profits,) = data("map").values()
    assert [each for row in profits["z"] for each in row] == [
        row.net
        for latency in ("50ms", "100ms")
        for row in sorted(result.rows, key=lambda row: row.setting)
        if row.queue == "share" and result.values(row)["latency"] == latency
    ]
    best = max((row for row in slow if row.queue == "share" and row.fills), key=lambda row: row.net or 0)
    tape, lane = data("tape"), (best.setting, "share")
    fills = of_lane(result.fills, *lane)
    for side, name in (("bid", "own buys"), ("ask", "own sells")):
        found = fills.filter(pc.field("side") == side)
        times = found.column("time").cast(pa.int64()).to_numpy() / 1e6
        assert np.abs(np.array(tape[name]["x"]) - times).max() < 0.002
        assert tape[name]["y"] == floats(found, "price")
    samples = of_lane(result.equity, *lane)
    marks = floats(samples.filter(pc.field("why") == "grid"), "equity")
    assert [each for each in tape["equity"]["y"] if each is not None] == pytest.approx(marks, rel=1e-12)
    held = tape["position"]["y"]
    assert set(held) <= set(floats(samples, "position"))
    assert (min(held), max(held)) == (best.position_min, best.position_max)
    orders = of_lane(result.orders, *lane)
    rested = orders.filter(pc.field("rested").is_valid())
    assert max(rested.column("amends").to_pylist()) > 0
    assert lines_of(tape) == rested_of(of_lane(result.resting, *lane))
    (funnel,) = data("funnel").values()
    filled = [pc.sum(pc.greater(orders.column(f"filled_{model}"), 0)).as_py() for model in QUEUES.split(",")]
    refused = pc.sum(pc.is_in(orders.column("end"), pa.array(list(best.refused), pa.string()))).as_py() or 0
    assert funnel["x"] == [best.orders, best.orders - refused, rested.num_rows, *filled]
    markouts = data("markouts")["maker"]
    assert markouts["y"] == [found.maker.mean_bps for found in best.markouts.values()]
    assert markouts["text"] == [f"n={found.maker.fills}" for found in best.markouts.values()]
    text = page.value("document.getElementById('answer').textContent")
    for value in (
        abs(best.net or 0),
        best.fees,
        *(row.net for row in result.rows if row.setting == best.setting),
    ):
        assert display.significant(value) in text
    script = "[...document.querySelectorAll('#answer {}')].map(cell => cell.textContent.trim())"
    shown = dict(
        zip(page.value(script.format("thead th")), page.value(script.format("tbody tr > *")), strict=False)
    )
    assert shown["net (USD)"] == display.significant(best.net)
    assert shown["fees (USD)"] == display.significant(best.fees)
    assert shown["drawdown (USD)"] == display.significant(best.drawdown)
    assert (shown["fills"], shown["filled (%)"]) == (str(best.fills), display.percent(best.fill_ratio))


def assert_depth_is_that_of_the_book(page: Page) -> None:
    """The heatmap has the largest sizes of the book at moments, as `book` shows them."""
    cells = page.value(
        "(({x0, dx, y0, dy, z}) => ({x0, dx, y0, dy, z}))(document.getElementById('p0-depth').data[0])"
    )
    tape = bt.open("sample:")
    for column in (40, 150, 290):
        at = int((cells["x0"] + column * cells["dx"]) * 1e6)
        book = tape.book(ETH, at)
        levels = [(float(each.price), float(each.size)) for side in (book.bids, book.asks) for each in side]
        for price, size in levels[:5]:
            row = int((price - cells["y0"]) / cells["dy"] + 0.5001)
            assert cells["z"][row][column] >= float(f"{size:.3g}")


@pytest.mark.skipif(PLOTLY < (6, 1), reason="the legend of plotly.js before 6.1 is too narrow for its names")
def test_a_phone_shows_the_figures(page: Page, made: tuple[Path, bt.Backtest]) -> None:
    """At 390 px the colour bar leaves the width to the heatmap, and no name of a legend is cut."""
    path, _ = made
    page.open(path, width=390)
    box = "document.querySelector('#p0-depth {}').getBoundingClientRect()"
    assert page.value(f"{box.format('.bglayer')}.width") > 200
    cut = """[...document.querySelectorAll('.legend')].flatMap(legend => {
        const edge = legend.querySelector('.bg').getBoundingClientRect().right;
        const names = [...legend.querySelectorAll('.legendtext')];
        return names.filter(name => name.getBoundingClientRect().right > edge).map(name => name.textContent);
    })"""
    assert page.value(cut) == []


def assert_titles_say_what_was_found(page: Page) -> None:
    """Titles have the numbers of their figures with their bounds and errors, and axes have currencies."""
    data = Data(page)
    titles = dict(
        page.value("[...document.querySelectorAll('figure h3')].map(each => [each.id, each.textContent])")
    )
    (funnel,) = data("funnel").values()
    sent, (back, share, front) = funnel["x"][0], funnel["x"][3:]
    said = f" ({back} to {front} by the place in the queue)" if back != front else ""
    assert titles["p0-funnel-title"] == f"{sent} orders sent, {share} filled{said}"
    (beside,) = data("around").values()
    best = beside["x"].index(0)
    for place in {max(best - 1, 0), min(best + 1, len(beside["y"]) - 1)}:
        assert display.significant(beside["y"][place]) in titles["p0-around-title"]
    assert re.search(
        r"[0-9.]+ ±[0-9.]+ bps (better|worse) for us \([0-9]+ fills\)$", titles["p0-markouts-title"]
    )
    assert page.value("document.querySelector('#p0-tape .ytitle').textContent") == "price (USD)"
    assert re.match(r"Depth: levels of up to [0-9.]+ ETH, near [0-9,.]+ USD; ", titles["p0-depth-title"])


@pytest.mark.parametrize("trades", [0, 2])
def test_a_tape_without_a_book(trades: int, tmp_path: Path) -> None:
    """Where no book had both sides, the answer, the table and the figures say so in place of zeros."""
    frames = [(0, snapshot(BTC, bids=[["99", "1"]], asks=[]))]
    for number in range(trades):
        trade = {"product_id": BTC, "trade_id": number + 1, "side": "sell", "price": "99", "size": "0.5"}
        time = "2026-01-01T00:00:01Z"
        frames.append(((number + 1) * SECOND, json.dumps({"type": "match", "time": time, **trade})))
    path = tmp_path / "report.html"
    bt.open(import_frames(tmp_path, frames)).backtest(sweep=SWEEP, html=path, keep=False)
    text = path.read_text(encoding="utf-8")
    assert ": none of 3 settings sent an order, as no book with both sides was known.</li>" in text
    assert '<th scope="col">fills</th>' in text
    assert "fees (USD)" not in text
    said = "2 trades, and no book with both sides</h3>", "no trade, so there are no prices to draw.</p>"
    assert [each in text for each in said] == [bool(trades), not trades]
    assert "Shaded" not in text


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


class Moody:
    """A strategy that trades only the first times it is made: run again, it does something else."""

    wakes = Wakes(top=True)
    made = 0

    def __init__(self, product: str, number: int) -> None:  # noqa: ARG002  part of every strategy
        Moody.made += 1
        self.trades = Moody.made <= 5

    def on_event(self, m: MarketView) -> None:
        """Buy once."""
        if self.trades:
            self.trades = False
            m.market("bid", "0.01")


def test_a_strategy_that_is_not_repeatable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report says that its figures are not of what the numbers say."""
    monkeypatch.setattr(report, "MOST_WATCHED", 4)
    path = tmp_path / "report.html"
    bt.open("sample:").backtest(Moody, sweep={"number": range(5)}, products=BTC, end="+4s", html=path)
    assert "did something else when its best settings were run again" in path.read_text()


def test_engines_and_processes_do_not_matter(tmp_path: Path) -> None:
    """The page is the same to the last byte, also if its lanes were run again, or shared out."""
    paths = []
    for engine, processes in (("plain", 1), ("plain", 2), ("compiled", 1)):
        paths.append(tmp_path / f"{engine}-{processes}.html")
        options: Mapping[str, Any] = {"engine": engine, "processes": processes, "html": paths[-1]}
        bt.open("sample:").backtest(
            MarketMaker, sweep=["half_spread=1bps,5bps"], products=ETH, end="+4s", **options
        )
    assert len({path.read_text() for path in paths}) == 1


def test_a_report_that_exists(tmp_path: Path) -> None:
    """It is refused before the pass."""
    path = tmp_path / "report.html"
    path.write_text("mine")
    done = invoke("backtest", "sample:", "-p", ETH, "--to", "+4s", "--html", path)
    assert done.exit_code == 1
    assert "exists already" in done.stderr
    assert path.read_text() == "mine"
