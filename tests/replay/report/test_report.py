"""The report in a real browser, with no network: it draws, says nothing on the console, and can be used."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import replay
from orderbook.engine import Step
from replay.report.reporting import Report
from tests.replay.report.browser import Page, browser, chromium
from tests.replay.tapes import ROOT, booktape, command, import_frames, json_of, update

SAMPLE = ROOT / "data" / "sample"
PRODUCTS = ("BTC-USD", "ETH-USD")
MAX_BYTES = 6_000_000
FIGURES = ("spread", "share", "durations", "markouts", "hours", "histogram", "book")
TAB, ENTER = ("Tab", 9), ("Enter", 13, "\r")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a comparison; not to be changed."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    done = command("compare", SAMPLE, "--sweep", "1bps", "20bps", "1bps", "--html", path)
    assert (done.exit_code, done.stderr) == (0, "")
    return path


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a replay; not to be changed."""
    path = tmp_path_factory.mktemp("replayed") / "report.html"
    done = command("replay", SAMPLE, "--threshold", "2bps", "--html", path)
    assert (done.exit_code, done.stderr) == (0, "")
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Return a page of a browser that reaches no network."""
    program = chromium()
    if program is None:
        pytest.skip("no Chromium is here: install one, or name it in BOOKTAPE_CHROMIUM")
    with browser(program, tmp_path_factory.mktemp("chromium")) as page:
        yield page


def assert_quiet(page: Page) -> None:
    """Assert that nothing was said on the console, and nothing asked for but the file itself."""
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def drawn(page: Page) -> dict[str, int]:
    """Return how many marks each figure holds: lines, bars or images."""
    marks = ".plot .scatterlayer path.js-line, .plot .point path, .plot .heatmaplayer image"
    found: dict[str, int] = page.value(
        "Object.fromEntries([...document.querySelectorAll('.plot')].map(plot => "
        f"[plot.id, plot.querySelectorAll(`{marks}`).length]))"
    )
    return found


def contrasts(page: Page) -> list[tuple[str, float]]:
    """Return every visible text, in the page and in the figures, with its contrast to its ground."""
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


@pytest.mark.parametrize("width", [390, 1200])
def test_draws_everything(page: Page, report: Path, width: int) -> None:
    """Every figure of every product is drawn, nothing is wider than the screen, and all text can be read."""
    page.open(report, width=width)
    found = drawn(page)
    assert set(found) == {f"p{number}-{name}" for number in range(len(PRODUCTS)) for name in FIGURES}
    assert [name for name, marks in found.items() if not marks] == []
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
        assert len(texts) > 500
        assert [(text, contrast) for text, contrast in texts if contrast < 4.5] == []
    assert len(grounds) == 2
    assert_quiet(page)


def test_without_a_mouse(page: Page, replayed: Path) -> None:
    """Tab reaches the buttons, the tables and the list of episodes; Enter on one of them shows it."""
    page.open(replayed, width=1200)
    reached: set[str] = set()
    for _ in range(120):
        page.press(*TAB)
        at = page.value("document.activeElement.dataset.action || document.activeElement.localName")
        reached.add(at)
        if page.value("document.activeElement.dataset.episode") == "2":
            break
    assert {"earlier", "later", "in", "out", "all", "previous", "next", "summary", "div", "a"} <= reached
    start = page.value("document.activeElement.textContent")
    assert page.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press(*ENTER)
    page.until("document.getElementById('p0-book').dataset.episode === '2'")
    assert page.value("location.hash") == "#p0-book"
    assert start in page.value("document.getElementById('p0-book-state').textContent")
    assert page.value("document.activeElement.id") == "p0-book"
    assert page.value("document.querySelector('a[aria-current]').textContent") == start
    rows = page.value("document.querySelectorAll('#p0-book-quotes tbody tr').length")
    assert rows == page.value("document.getElementById('p0-book').data[0].x.length") > 5
    assert_quiet(page)


def test_range_of_time(page: Page, report: Path) -> None:
    """The buttons move through the time, say what is shown, and find back."""
    page.open(report, width=390)
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
    assert_quiet(page)


def test_prints(page: Page, report: Path) -> None:
    """It prints black on white also where the screen is dark, and the screen is as before after it."""
    page.open(report, width=1200, scheme="dark")
    pdf = page.pdf()
    assert pdf.startswith(b"%PDF-")
    assert 6 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 14
    page.until("document.getElementById('p0-share').getBoundingClientRect().width > 900")
    page.call("Emulation.setEmulatedMedia", media="print")
    assert page.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.value("getComputedStyle(document.querySelector('.plot .xtick text')).fill") == "rgb(0, 0, 0)"
    page.call("Emulation.setEmulatedMedia", media="")
    assert_quiet(page)


def test_what_it_holds(report: Path) -> None:
    """One file under 6 MB with the numbers of `--json`, how it was made, and no address of another place."""
    text = report.read_text(encoding="utf-8")
    assert report.stat().st_size < MAX_BYTES
    document = json_of("compare", SAMPLE, "--sweep", "1bps", "20bps", "1bps")
    assert document["digest"] in text
    for row in document["rows"]:
        assert f">{row['signals']:,}</td>" in text
    ours = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"(?:src|href)=[\"'](?!#)", ours)
    assert "default-src 'none'" in ours.replace("&#x27;", "'")


def test_replay_lists_the_episodes(replayed: Path) -> None:
    """The report of a replay has one threshold, and lists its episodes in order of time."""
    text = replayed.read_text(encoding="utf-8")
    rows = json_of("compare", SAMPLE, "--threshold", "2bps")["rows"]
    for number, row in enumerate(rows):
        starts = re.findall(rf'data-figure="p{number}-book" data-episode="\d+">([^<]+)</a>', text)
        assert len(starts) == row["episodes"]
        assert starts == sorted(starts)


def test_tapes_with_little(page: Page, tmp_path: Path) -> None:
    """Several tapes have a section each and a total; a tape without a book is no obstacle."""
    empty = import_frames(tmp_path, [(0, update("BTC-USD", ("sell", "101", "2")))])
    path = tmp_path / "report.html"
    assert command("compare", SAMPLE, empty, "-p", "BTC-USD", "--html", path).exit_code == 0
    page.open(path, width=390)
    titles = page.value("[...document.querySelectorAll('h2')].map(title => title.textContent)")
    assert titles[:3] == [f"BTC-USD, {SAMPLE}", f"BTC-USD, {empty}", "BTC-USD, all tapes"]
    assert page.value("document.querySelectorAll('#p1 .plot, #p2 .plot').length") > 4
    assert page.value("document.documentElement.scrollWidth") <= 390
    assert_quiet(page)


def test_from_python(tmp_path: Path) -> None:
    """A notebook makes the same report with two calls, and its own progress is told of every step too."""
    path = tmp_path / "report.html"
    thresholds = [0.0005, 0.001]
    report = Report(path, thresholds, len(PRODUCTS))
    rows: dict[str, int] = dict.fromkeys(PRODUCTS, 0)

    def progress(product: str, step: Step) -> None:
        rows[product] += step.span.rows

    comparison = replay.compare(SAMPLE, thresholds, progress=progress, watch=report.of)
    report.write(comparison)
    assert rows == {product: tally.rows for product, tally in comparison.tapes[0].tallies.items()}
    assert comparison.tapes[0].digest in path.read_text(encoding="utf-8")


def test_refuses(tmp_path: Path, report: Path) -> None:
    """An existing file stays as it is, and what cannot be written is said in a line before the pass."""
    before = report.read_bytes()
    missing = tmp_path / "nowhere" / "report.html"
    for arguments in (("compare", SAMPLE, "--html", report), ("replay", SAMPLE, "--html", report)):
        done = command(*arguments)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == f"Error: {report}: exists already; nothing is overwritten\n"
    done = command("compare", SAMPLE, "--html", missing)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert report.read_bytes() == before
    assert [path.name for path in report.parent.iterdir()] == [report.name]


def test_without_plotly(tmp_path: Path) -> None:
    """Where plotly is not installed one line says how to get it; nothing is read or written."""
    (tmp_path / "plotly.py").write_text("raise ModuleNotFoundError('plotly')\n", encoding="utf-8")
    path = tmp_path / "report.html"
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin"}
    done = booktape("compare", SAMPLE, "--html", path, env=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: --html needs plotly, which is not installed: pip install plotly\n"
    assert not path.exists()


def test_hostile_names(tmp_path: Path) -> None:
    """A path with markup in it is text in the report."""
    tape = tmp_path / "<img src=x onerror=alert(1)>&"
    tape.symlink_to(SAMPLE)
    path = tmp_path / "report.html"
    assert command("compare", tape, "--html", path).exit_code == 0
    text = path.read_text(encoding="utf-8")
    assert "<img" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;" in text
