"""The report in a real browser without a network: it draws, logs nothing on the console, and can be used."""

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import booktape as bt
import replay
from orderbook import display
from orderbook.engine import RowSpan, Step
from orderbook.execution.market_rows import BOOK, MarketRows
from orderbook.execution.numbers import UNITS
from orderbook.schema import FLOW_ANOMALY_SCHEMA, FLOW_SUMMARY_SCHEMA, empty_batch
from orderbook.tally import Tally
from replay.comparing.results import Comparison, Group, Quality, TapePass
from replay.comparing.settings import DEFAULT_HORIZONS_NS, CompareSettings
from replay.comparing.sweep.order_statistics import Ints
from replay.comparing.sweep.threshold_sweep import ThresholdSweep
from replay.report.api import Report
from replay.report.figures.series import milliseconds
from tests.endurance.forms import TIMEOUT_S
from tests.support.browser import Page
from tests.support.commands import invoke, json_of
from tests.support.constants import ETH, SAMPLE, SECOND, START
from tests.support.pieces import PRODUCTS as INTERRUPTED
from tests.support.tapes import import_frames, update

pytestmark = pytest.mark.timeout(TIMEOUT_S)  # a browser draws slowly on a busy machine

PRODUCTS = ("BTC-USD", "ETH-USD")
SMALL = INTERRUPTED[1:]
MAX_BYTES = 6_000_000
FIGURES = ("spread", "share", "durations", "markouts", "book", "depth", "last-book")
TAB, ENTER = ("Tab", 9), ("Enter", 13, "\r")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a comparison; do not change it."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    done = invoke(
        "compare", SAMPLE, "--sweep-log", "0.01bps", "20bps", "20", "--detail=0.03bps", "--html", path
    )
    assert (done.exit_code, done.stderr) == (0, f"Report in {path} ({display.size(path.stat().st_size)})\n")
    return path


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a replay; do not change it."""
    path = tmp_path_factory.mktemp("replayed") / "report.html"
    done = invoke("replay", SAMPLE, "--threshold", "4bps", "--html", path)
    assert (done.exit_code, done.stderr) == (0, f"Report in {path} ({display.size(path.stat().st_size)})\n")
    return path


def assert_quiet(page: Page) -> None:
    """Assert that nothing was logged on the console and nothing requested but the file itself."""
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith("file:")] == []


def drawn(page: Page) -> dict[str, int]:
    """Return how many marks each figure holds: lines, bars or images."""
    marks = ".plot .scatterlayer path.js-line, .plot .point path, .plot .heatmaplayer image"
    found: dict[str, int] = page.value(
        "Object.fromEntries([...document.querySelectorAll('.plot')].map(plot => "
        f"[plot.id, plot.querySelectorAll(`{marks}`).length]))"
    )
    return found


def contrasts(page: Page) -> list[tuple[str, float]]:
    """Return every visible text, in the page and in the figures, with its contrast to its background."""
    found: list[tuple[str, float]] = page.value(
        """(() => {
        const luminance = text => {
            const [r, g, b] = text.match(/[0-9.]+/g).map(Number).map(value => value / 255)
                .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const ground = element => {
            for (let at = element; at; at = at.parentElement) {
                const colour = getComputedStyle(at).backgroundColor;
                if (colour.startsWith('rgb(')) return luminance(colour);
            }
        };
        const names = 'p, td, th, figcaption, a, summary, dt, dd, button, caption';
        const texts = [...document.querySelectorAll(names)]
            .filter(element => element.checkVisibility() && !element.matches('.skip, tr.shown *'))
            .map(element => [element.textContent, getComputedStyle(element).color, ground(element)]);
        const labels = [...document.querySelectorAll('.plot text')].filter(label => label.textContent)
            .map(label => [label.textContent, getComputedStyle(label).fill, ground(label.closest('figure'))]);
        return [...texts, ...labels].map(([text, colour, ground]) => {
            const [low, high] = [luminance(colour), ground].sort((a, b) => a - b);
            return [text, (high + 0.05) / (low + 0.05)];
        });
        })()"""
    )
    return found


def test_a_narrow_screen(page: Page, report: Path) -> None:
    """It is drawn for the width of a telephone, and its buttons work."""
    assert_draws_everything(page, report, 390, products=1)
    assert_moves_in_time(page)
    assert_quiet(page)


def test_a_wide_screen(page: Page, report: Path) -> None:
    """It is drawn for the width of a desktop, its buttons work, and it prints."""
    assert_draws_everything(page, report, 1200, products=2)
    assert_moves_through_the_book(page)
    assert_prints(page)
    assert_quiet(page)


def assert_draws_everything(page: Page, report: Path, width: int, products: int) -> None:
    """Every figure of the first products is drawn, nothing is wider than the screen, all text is legible."""
    page.open(report, width=width)
    assert page.value("document.documentElement.scrollHeight") < 3000
    page.open_products(products)
    found = drawn(page)
    assert set(found) == {f"p{number}-{name}" for number in range(len(PRODUCTS)) for name in FIGURES}
    shown = {f"p{number}-{name}" for number in range(products) for name in FIGURES}
    assert {name for name, marks in found.items() if marks} == shown
    assert page.value("document.documentElement.scrollWidth") <= width
    assert page.value(
        "[...document.querySelectorAll('.plot .main-svg')].every("
        "svg => svg.getBoundingClientRect().right <= innerWidth)"
    )
    grounds = set()
    for scheme in ("light", "dark"):
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        grounds.add(page.value("getComputedStyle(document.body).backgroundColor"))
        texts = contrasts(page)
        assert len(texts) > 150 * products
        assert [(text, contrast) for text, contrast in texts if contrast < 4.5] == []
    assert len(grounds) == 2


def test_without_a_mouse(page: Page, replayed: Path) -> None:
    """Tab reaches the buttons, the tables and the list of episodes; Enter on one of them shows it."""
    page.open(replayed, width=1200).open_products()
    reached: set[str] = set()
    for _ in range(160):
        page.press(*TAB)
        at = page.value("document.activeElement.dataset.action || document.activeElement.localName")
        reached.add(at)
        if page.value("document.activeElement.dataset.episode") == "2":
            break
    assert {"earlier", "later", "in", "out", "all", "previous", "next", "summary", "div", "a"} <= reached
    start = page.value("document.activeElement.textContent")
    assert page.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press(*ENTER)
    page.until("document.getElementById('p1-book').dataset.episode === '2'")
    assert page.value("location.hash") == "#p1-book"
    assert start in page.value("document.getElementById('p1-book-state').textContent")
    assert page.value("document.activeElement.id") == "p1-book"
    assert page.value("document.querySelector('a[aria-current]').textContent") == start
    rows = page.value("document.querySelectorAll('#p1-book-quotes tbody tr').length")
    assert rows == page.value("document.getElementById('p1-book').data[0].x.length") > 5
    assert_quiet(page)


def assert_moves_in_time(page: Page) -> None:
    """The buttons move through the time, describe the range shown, and restore the whole range."""
    state = "document.getElementById('p0-spread-state').textContent"
    whole = page.value(state)
    seen = {whole}
    for action in ("in", "later", "earlier", "out", "in"):
        before = page.value(state)
        page.value(f"document.querySelector('[data-target=p0-spread][data-action={action}]').click()")
        page.until(f"{state} !== {json.dumps(before)}")
        seen.add(page.value(state))
    assert len(seen) >= 4
    page.value("document.querySelector('[data-target=p0-spread][data-action=all]').click()")
    page.until(f"{state} === {json.dumps(whole)}")


def assert_moves_through_the_book(page: Page) -> None:
    """The buttons show the depth of earlier moments, one at a time, and say which; the last book is first."""
    plot = "document.getElementById('p0-last-book')"
    state = "document.getElementById('p0-last-book-state').textContent"
    shown = f"{plot}.data.flatMap((trace, place) => trace.visible === false ? [] : [place])"
    moments = page.value(f"{plot}.layout.meta.moments.length")
    assert page.value(state) == f"Shown: the last book ({moments} of {moments})."
    assert page.value(shown) == [2 * moments - 2, 2 * moments - 1]
    page.value("document.querySelector('[data-target=p0-last-book][data-action=before]').click()")
    page.until(f"{state}.includes('({moments - 1} of {moments})')")
    assert page.value(shown) == [2 * moments - 4, 2 * moments - 3]


def assert_prints(page: Page) -> None:
    """It prints black on white though the screen is dark; afterwards the screen is as before."""
    assert page.value("matchMedia('(prefers-color-scheme: dark)').matches")
    pdf = page.pdf()
    assert pdf.startswith(b"%PDF-")
    assert 6 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 14
    page.until("document.getElementById('p0-share').getBoundingClientRect().width > 900")
    page.call("Emulation.setEmulatedMedia", media="print")
    assert page.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.value("getComputedStyle(document.querySelector('.plot .xtick text')).fill") == "rgb(0, 0, 0)"
    page.call("Emulation.setEmulatedMedia", media="")


def test_replay_lists_the_episodes(replayed: Path) -> None:
    """The report of a replay has one threshold, and lists its episodes in order of time."""
    text = replayed.read_text(encoding="utf-8")
    rows = json_of("compare", SAMPLE, "--threshold", "4bps")["rows"]
    for number, row in enumerate(rows):
        starts = re.findall(rf'data-figure="p{number}-book" data-episode="\d+">([^<]+)</a>', text)
        assert len(starts) == row["episodes"]
        assert starts == sorted(starts)


def test_tapes_with_little(page: Page, tmp_path: Path) -> None:
    """Several tapes have a total and a section each, also one without a book; a product is one heading."""
    empty = import_frames(tmp_path, [(0, update("BTC-USD", ("sell", "101", "2")))])
    path = tmp_path / "report.html"
    assert invoke("compare", SAMPLE, empty, "-p", "BTC-USD", "--html", path).exit_code == 0
    page.open(path, width=390)
    shown = "[...document.querySelectorAll('.product')].filter(each => each.checkVisibility()).length"
    assert page.value(shown) == 1
    assert page.value("document.querySelectorAll('#answer li a').length") == 1  # a sentence of all tapes
    page.open_products()
    titles = page.value("[...document.querySelectorAll('.product h2')].map(title => title.textContent)")
    assert titles == ["BTC-USD", "BTC-USD, all tapes", f"BTC-USD, {SAMPLE.name}", f"BTC-USD, {empty.name}"]
    assert page.value("document.querySelectorAll('#p0 .plot, #p1 .plot').length") > 2
    without_book = page.value("document.querySelector('#p2').textContent")
    assert "No book with both sides was known, so there are no prices to draw." in without_book
    assert page.value("document.getElementById('p2-spread')") is None
    assert page.value("document.documentElement.scrollWidth") <= 390
    assert_quiet(page)


def test_what_a_threshold_earns(page: Page, tmp_path: Path) -> None:
    """With a strategy the profit of each threshold is drawn as `--json` has it, with its bounds."""
    path = tmp_path / "report.html"
    words = ("compare", SAMPLE, "-p", "ETH-USD", "--sweep", "4bps", "12bps", "4bps", "--to", "+40s")
    traded = json_of(*words, "--strategy", "booktape.strategies:QuoteWhenWide", "--html", path)
    page.open(path, width=1200)
    lines = page.value("document.getElementById('p0-profit').data.map(line => [line.name, line.y])")
    names = {"back": "profit_back", "share": "profit", "front": "profit_front"}
    assert dict(lines) == {model: [row[name] for row in traded["rows"]] for model, name in names.items()}
    assert any(row["profit"] for row in traded["rows"])
    assert_quiet(page)


def test_from_python(tmp_path: Path) -> None:
    """A notebook writes the same report with two calls, and its own progress function gets every step too."""
    path = tmp_path / "report.html"
    thresholds = [0.0005, 0.001]
    report = Report(path, thresholds, len(PRODUCTS))
    rows: dict[str, int] = dict.fromkeys(PRODUCTS, 0)

    def progress(product: str, step: Step) -> None:
        rows[product] += step.span.rows

    comparison = replay.compare(
        [SAMPLE], CompareSettings(tuple(thresholds)), progress=progress, watch=report.watch
    )
    report.write(comparison)
    assert rows == {product: tally.rows for product, tally in comparison.tapes[0].tallies.items()}
    assert comparison.tapes[0].digest in path.read_text(encoding="utf-8")


def random_market(times: Ints, random: np.random.Generator) -> MarketRows:
    """Return rows at these times, each with a level and a trade at a random price, of a random size."""
    rows = len(times)
    sides, prices = random.integers(0, 2, rows), random.integers(1, 6_000_000, rows) * UNITS // 100
    sizes, firsts = random.integers(1, 10 * UNITS, rows), np.arange(rows + 1, dtype=np.int32)
    trades = np.column_stack([np.arange(rows), times, sides, prices, sizes, np.zeros(rows, np.int64)])
    return MarketRows(
        seq=np.arange(rows),
        time=times,
        connection=np.zeros(rows, np.int32),
        kind=np.full(rows, BOOK, np.uint8),
        book_time=times,
        first_change=firsts,
        changes=np.column_stack([sides, prices, sizes]),
        first_trade=firsts,
        trades=trades,
        sizes_cut=np.zeros(rows, np.int64),
    )


def test_depth_trades_and_wide_spreads(tmp_path: Path) -> None:
    """The depth spans the part compared, bubbles are trades of it, bars stand where the spread was wide."""
    path, tape = tmp_path / "report.html", bt.open(SAMPLE)
    part: Any = {"start": "+20s", "end": "+40s"}
    tape.compare("1bps", products=ETH, html=path, **part)
    text = path.read_text(encoding="utf-8")
    stored = re.search(r'id="report-data">([^<]+)<', text)
    assert stored is not None
    data = json.loads(gzip.decompress(base64.b64decode(stored[1])))
    figure = data["figures"]["p0-depth"]

    depth = figure["data"][0]
    summaries = tape.summaries(ETH, **part)
    times = np.array([milliseconds(each) for each in summaries["recv_time"].cast(pa.int64()).to_pylist()])
    begin, number = depth["x0"] - depth["dx"] / 2, len(depth["z"][0])
    assert begin <= times[0] < times[-1] < begin + number * depth["dx"]
    assert 19_000 < number * depth["dx"] < 21_000
    assert any(row[0] for row in depth["z"])  # the book that was known before

    trades = tape.trades(ETH, **part)
    known = set(zip(trades["price"].to_pylist(), trades["size"].to_pylist(), strict=True))
    bubbles = [data["shared"][each["same"]] for each in figure["data"][1:] if "quotes" not in each["same"]]
    shown = [place for each in bubbles for place in zip(each["y"], each["customdata"], strict=True)]
    assert len(bubbles) == 2
    assert set(shown) <= known
    assert f"{trades.num_rows} trades" in text
    assert len(shown) > trades.num_rows / 2

    bars = [(each["x0"], each["x1"]) for each in figure["layout"]["shapes"] if each.get("y0")]
    is_wide = np.array(summaries["relative_spread"])[:-1] > 1e-4
    wide = np.column_stack([times[:-1], times[1:]])[is_wide]
    assert 1 < len(bars) <= len(wide)
    inside = [[bar for bar in bars if bar[0] <= start <= end <= bar[1]] for start, end in wide]
    assert all(len(found) == 1 for found in inside)
    assert {bar for (bar,) in inside} == set(bars)
    joined = 2**20 / 1e6
    calm = np.column_stack([times[:-1], times[1:]])[~is_wide & (np.diff(times) > joined)]
    assert not any(start < bar[1] and end > bar[0] for start, end in calm for bar in bars)


def test_a_day_of_a_thousand_thresholds_is_small(tmp_path: Path) -> None:
    """The report of a day of two products and 1,000 thresholds is a file under 6 MB."""
    thresholds = [(number + 1) / 1e6 for number in range(1000)]
    report = Report(tmp_path / "report.html", thresholds, 2)
    tape = SAMPLE
    watch = report.watch(tape)
    rows = 200_000
    random = np.random.default_rng(1)
    seq = np.arange(rows)
    times = START + seq * (86_400 * SECOND // rows) + random.integers(0, 1000, rows)
    spreads = (random.random(rows) ** 4 * 0.002).round(12)
    prices = (random.random(rows) * 60_000).round(2)
    columns = {"seq": seq, "recv_time": times, "exchange_time": times, "spread": spreads}
    columns |= dict.fromkeys(("bid_price", "bid_size", "ask_price", "ask_size"), prices)
    columns |= {"relative_spread": spreads, "connection": (seq // 300).astype(np.int32)}
    summaries = pa.RecordBatch.from_pydict(columns, FLOW_SUMMARY_SCHEMA)
    market = random_market(times, random)
    sweeps, tallies = {}, {}
    for product in ("BTC-USD", "ETH-USD"):
        sweeps[product], tallies[product] = ThresholdSweep(thresholds, DEFAULT_HORIZONS_NS), Tally(0.001)
        step = Step(
            RowSpan(rows=rows), summaries, empty_batch(FLOW_ANOMALY_SCHEMA), frozenset(), 0, 0, market=market
        )
        watch(product, step)
        sweeps[product].add(summaries)
    comparison = Comparison(CompareSettings(tuple(thresholds)), "plain", [TapePass(tape, tallies)], [])
    quality = Quality(0.0, 0, 0, "verified", {"verified": 1})
    for product, sweep in sweeps.items():
        result = sweep.finish()[-1]
        comparison.groups.append(Group(tape, product, None, result.statistics, result.spread, quality))
    report.write(comparison)
    assert 5_000_000 < (tmp_path / "report.html").stat().st_size < 6_000_000


def test_a_report_of_several_processes(interrupted: dict[str, Path], tmp_path: Path) -> None:
    """Its file is that of one process, to the last byte."""
    for number in (1, 2):
        html = tmp_path / f"{number}.html"
        bt.compare(interrupted["some"], ["1bps", "20bps"], products=SMALL, processes=number, html=html)
    assert (tmp_path / "1.html").read_bytes() == (tmp_path / "2.html").read_bytes()


def test_a_report_of_a_replay_by_several_processes(tmp_path: Path) -> None:
    """Its file is that of one process, to the last byte, and so is the result."""
    found = [
        bt.open(SAMPLE).replay(
            html=tmp_path / f"{number}.html", processes=number, trades=True, end="+30s", keep=False
        )
        for number in (1, 2)
    ]
    assert found[0].table() == found[1].table()
    assert (tmp_path / "1.html").read_bytes() == (tmp_path / "2.html").read_bytes()
