"""A comparison on a terminal."""

import io
import re

from rich.console import Console

import booktape as bt
from booktape.console.comparison import bar, print_comparison
from orderbook.thresholds import sweep_thresholds
from replay.comparing.metrics import ALL_METRICS
from tests.support.constants import BTC, ETH
from tests.support.tapes import Recording


def test_terminal(recording: Recording) -> None:
    """On 100 columns no line is longer, nothing wraps, the sorted column is marked and stays."""
    comparison = bt.compare(recording.tape, sweep_thresholds("1bps", "20bps", "1bps"), fee=0.0001, by="hour")
    comparison.sort("max_relative_spread")
    output = io.StringIO()
    console = Console(
        width=100, file=output, force_terminal=True, color_system=None, markup=False, highlight=False
    )
    print_comparison(console, comparison, "max_relative_spread")
    text = output.getvalue()
    table = text[text.index("product") : text.index("Data quality")]
    assert max(len(line) for line in table.splitlines()) <= 100
    assert "largest ▾" in table
    lines = [line for line in table.splitlines() if line.startswith((BTC, ETH))]
    parts = len(comparison.groups)
    assert len(lines) == parts * 20 + parts
    assert all(re.search(r"\d bps", line) for line in lines[: parts * 20])


def test_bar() -> None:
    """A bar is as long as its share, to an eighth of a block; a little is not nothing."""
    assert [len(bar(share, in_blocks=False)) for share in (None, 0.0, 0.5, 1.0)] == [0, 0, 4, 8]
    assert [bar(share, in_blocks=True) for share in (0.0, 1e-9, 0.125, 1.0)] == ["", "▏", "█", "████████"]


def test_where_nothing_passes() -> None:
    """A line names the largest spread, and a threshold that something passes."""
    output = io.StringIO()
    comparison = bt.open("sample:").compare("10bps", products=BTC)
    print_comparison(Console(width=200, file=output), comparison, "threshold")
    found = re.search(
        r"nothing is above 10 bps: the largest spread is ([\d.]+) bps; try `booktape .*--threshold (\S+)`",
        output.getvalue(),
    )
    assert found is not None
    assert found[1] == f"{comparison.groups[0].spread.largest * 1e4:.4g}"  # type: ignore[operator]  # it is known
    [row] = bt.open("sample:").compare(found[2], products=BTC).rows()
    assert row["signals"] > 0


def test_no_two_columns_of_one_name() -> None:
    """A heading names one column, whatever a terminal or report shows."""
    shown = [metric.title for metric in ALL_METRICS if metric.title]
    assert len(set(shown)) == len(shown)


def test_a_narrow_terminal_names_what_it_leaves_out(recording: Recording) -> None:
    """Every column of a wide terminal is in the table, or in the line below it."""
    comparison = bt.compare(recording.tape, "10bps")
    wide, narrow = io.StringIO(), io.StringIO()
    for width, output in ((400, wide), (80, narrow)):
        console = Console(width=width, file=output, force_terminal=True, color_system=None)
        print_comparison(console, comparison, "threshold")
    headings = wide.getvalue()[wide.getvalue().index("product") :].splitlines()[0]
    flat = narrow.getvalue().replace("\n", " ")
    assert "Left out at 80 columns: " in flat
    assert [name for name in re.split(r"  +", headings.strip()) if name not in flat] == []


def test_an_ascii_terminal(recording: Recording) -> None:
    """Characters that a terminal cannot take are replaced before columns are measured."""
    comparison = bt.compare(recording.tape, "1bps")
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(width=400, file=output, force_terminal=True, color_system=None)
    print_comparison(console, comparison, "threshold")
    output.seek(0)
    text = output.read()
    assert "threshold ^" in text
    assert re.search(r"\d \+-\d", text)
    assert "#" in text


def test_more_rows_than_a_terminal_can_show() -> None:
    """Of a hundred thousand thresholds the first of each product are shown, and the number of the others."""
    comparison = bt.open("sample:").compare(sweep_thresholds("0.01bps", "20bps", "0.01bps"), engine="plain")
    output = io.StringIO()
    console = Console(width=64, file=output, force_terminal=True, color_system=None)
    print_comparison(console, comparison, "threshold")
    assert output.getvalue().count("\n" + BTC) == 1_000 + 1
    assert "2,000 rows are left out: --json and -o RUN have all of them" in output.getvalue()
