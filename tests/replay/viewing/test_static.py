"""The page in a real browser: the book it shows is that of the tape, and the address leads back to it."""

import shutil
from pathlib import Path

from recorder.tape.reader import Tape
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from replay.viewing.library import Library
from replay.viewing.server import ViewServer, running
from tests.replay.viewing.test_reading import naive_moments
from tests.support.browser import Page
from tests.support.commands import record_process
from tests.support.constants import BTC, TIMEOUT_S
from tests.support.tapes import Recording, tape_rows

LEVELS = (
    "[...document.querySelectorAll('.{side} tr')].map(row => [0, 1].map(cell => row.cells[cell].textContent))"
)


def book(page: Page, side: str) -> list[tuple[float, float]]:
    """Return price and size of the levels of a side as the page shows them, best first."""
    rows = page.value(LEVELS.format(side=side))
    levels = [(float(price.replace(",", "")), float(size.replace(",", ""))) for price, size in rows]
    return levels[::-1] if side == "asks" else levels


def is_at(seq: int) -> str:
    """Return the condition that the page shows the book after a row, and has it in its address."""
    return f"document.documentElement.dataset.seq === '{seq}' && location.search.includes('seq={seq}')"


def test_the_page_shows_the_book(page: Page, recording: Recording, tmp_path: Path) -> None:
    """A row in the address, the arrow keys and playing lead to books that are those of a naive one."""
    tape = tmp_path / "<img src=x onerror=alert(1)>"
    shutil.copytree(recording.tape, tape)
    naive = [each for each in naive_moments(tape_rows(tape, BTC), 14) if each[2] or each[3]]
    with ViewServer(Library([Tape.open(tape)], None, 0.001, "plain")) as server, running(server):
        moment = naive[len(naive) // 2]
        page.visit(f"{server.url}?product={BTC}&seq={moment[0]}", width=1400)
        for key, step in (("ArrowRight", 1), ("ArrowRight", 1), ("ArrowLeft", -1)):
            page.until(is_at(moment[0]))
            assert (book(page, "bids"), book(page, "asks")) == moment[2:]
            page.press(key, 0)
            moment = naive[naive.index(moment) + step]
        page.until(is_at(moment[0]))
        page.value("document.getElementById('speed').value = 100; document.getElementById('play').click()")
        page.until(f"Number(document.documentElement.dataset.seq) > {moment[0] + 100}")
        page.press(" ", 0)
        page.press("End", 0)
        page.until(is_at(naive[-1][0]))
        assert (book(page, "bids"), book(page, "asks")) == naive[-1][2:]
        for button in ("play", "follow"):  # both end at the last book, not at the row that closes the tape
            page.press("Home", 0)
            page.until("document.documentElement.dataset.seq === '0'")
            page.value("document.getElementById('speed').value = 100000")
            page.value(f"document.getElementById('{button}').click()")
            page.until(f"document.documentElement.dataset.seq === '{naive[-1][0]}'")
            assert (book(page, "bids"), book(page, "asks")) == naive[-1][2:]
        assert page.value("document.getElementById('title').textContent").endswith(f"{tape} (synthetic)")
        assert page.value("document.querySelectorAll('h1 *').length") == 0
        assert page.complaints == []
        assert all(each.startswith(server.url) for each in page.requests)
        page.visit(f"{server.url}?product={BTC}&seq={naive[0][0]}", width=390, scheme="dark")
        page.until(is_at(naive[0][0]))
        assert (book(page, "bids"), book(page, "asks")) == naive[0][2:]
        assert page.value("document.documentElement.scrollWidth") <= 390


def test_the_page_follows_a_recording(page: Page, tmp_path: Path) -> None:
    """It shows the last row of a tape that grows, until another moment is chosen."""
    tape = tmp_path / "tape"
    with SyntheticExchange([MarketSettings(BTC, depth=30)], ExchangeSettings(rate=100.0)) as exchange:

        def look() -> None:
            exchange.wait_until((tape / "_tape.json").exists, TIMEOUT_S)
            with ViewServer(Library([Tape.open(tape)], None, 0.001, "plain")) as server, running(server):
                page.visit(server.url, width=1000)
                page.until("(window.first = document.documentElement.dataset.seq) > 0")
                first = int(page.value("window.first"))
                page.until(f"document.documentElement.dataset.seq > {first + 300}")
                assert page.value("document.getElementById('follow').ariaPressed") == "true"
                page.press("Home", 0)
                page.until(is_at(0))
                assert page.complaints == []

        record_process(tape, [BTC], exchange.url, look)
