"""Results in a notebook: what the terminal says, as tables, and nothing of it is markup."""

import html
import io
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

import booktape as bt
from booktape.console.notebook import MAX_ROWS, html_of, printers
from orderbook.result import Result
from tests.support.constants import SAMPLE
from tests.support.tapes import copy_of, list_path


def words(text: str) -> Counter[str]:
    """Return the words of a text without tags, and how often they occur."""
    return Counter(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def results() -> dict[str, Result]:
    """Return one of each result of the sample."""
    tape, end = bt.open(SAMPLE), "+15s"
    return {
        "RunResult": tape.replay(threshold="10bps", end=end),
        "Comparison": tape.compare("1bps:9bps:4bps", end=end),
        "Backtest": tape.backtest(end=end, settings={"threshold": "1bps"}),
        "WalkForward": tape.walk_forward(walk="5s:5s", end=end),
        "Verification": tape.verify(),
        "Inspection": tape.inspect(),
        "Ladder": tape.book("BTC-USD", at="+1m"),
        "Diff": bt.diff(tape, SAMPLE),
    }


def test_the_words_of_the_terminal() -> None:
    """Each result has the words and numbers in a notebook that it has on a terminal, none more or less."""
    found = results()
    for name, result in found.items():
        file = io.StringIO()
        printers()[name](Console(file=file, width=400, highlight=False, markup=False), result)
        shown = result._repr_html_()
        assert shown is not None
        assert words(shown) == words(html.escape(file.getvalue())), name
        assert repr(result).startswith(f"<{name}: ")  # a sentence, no list of fields
        assert shown.count("<table ") == shown.count("</table>") >= (name not in {"Verification", "Diff"})
    assert bt.open(SAMPLE)._repr_html_() == found["Inspection"]._repr_html_()


def test_no_text_is_markup(tmp_path: Path) -> None:
    """A path with markup in it is text in every cell and line."""
    tape = bt.open(shutil.copytree(SAMPLE, tmp_path / "<img src=x onerror=alert(1)>"))
    for result in (tape.inspect(), tape.replay(end="+1s"), tape.backtest(end="+1s")):
        shown = html_of(result)
        assert "<img" not in shown
        assert "&lt;img src=x" in shown


def test_a_long_table_is_cut() -> None:
    """So many rows are shown, and how many there are beyond them."""
    shown = bt.open(SAMPLE).compare("0.1bps:130bps:0.5bps", products="BTC-USD", end="+5s")._repr_html_()
    assert shown is not None
    assert "61 more rows" in shown
    assert MAX_ROWS < shown.count("<tr>") < MAX_ROWS + 5


def test_a_damaged_tape_says_why(tmp_path: Path) -> None:
    """A tape that cannot be inspected shows the error."""
    path = copy_of(SAMPLE, tmp_path)
    tape = bt.open(path)
    list_path(path).write_text("{}\n", encoding="utf-8")
    with pytest.raises(bt.DamagedTapeError):
        tape.inspect()
    assert list_path(path).name in str(tape._repr_html_())
