"""Which CSV files of Tardis are imported together, and which are refused."""

import gzip
from pathlib import Path

import pytest

from orderbook.errors import OptionError
from recorder.captures.formats import CaptureError
from recorder.captures.survey import survey
from recorder.settings import CaptureForm, ImportSettings
from tests.recorder.captures.test_tardis_frames import BEGIN, CSV, START
from tests.support.commands import invoke
from tests.support.constants import BTC, ETH
from tests.support.tardis import Level, later, write_book, write_trades

DAY = 86_400_000_000
UPDATE: Level = (START + 5, "false", "bid", "98", "1")


def names(*paths: Path) -> list[list[str]]:
    """Return the names of the files of each capture."""
    return [[path.name for path in capture.paths] for capture in survey(paths, CSV).captures]


def test_files_of_a_product_and_a_day_are_merged(tmp_path: Path) -> None:
    """Names do not matter; a file of several days or products joins those that it overlaps."""
    book = write_book(tmp_path / "a", BEGIN)
    other = write_book(tmp_path / "b", BEGIN, ETH)
    trades = write_trades(tmp_path / "c", [(START + 60_000_000, 1, "buy", "101", "1")])
    next_day = write_book(tmp_path / "d", later(BEGIN, DAY))
    assert sorted(names(trades, next_day, other, book)) == [["a", "c"], ["b"], ["d"]]
    long = write_trades(tmp_path / "e", [(START, 1, "buy", "101", "1"), (START + DAY, 2, "buy", "101", "1")])
    assert sorted(names(long, next_day, other, book)) == [["a", "d", "e"], ["b"]]


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    """Each is refused by one line that names it."""
    book = write_book(tmp_path / "book", [*BEGIN, UPDATE])
    again = write_book(tmp_path / "again", [UPDATE])
    trades = write_trades(tmp_path / "trades", [(START, 1, "buy", "101", "1")], ETH)
    other = write_book(tmp_path / "other", BEGIN, exchange="deribit")
    empty = write_book(tmp_path / "empty", [])
    for files, reason in (
        ((book, again), "again: its rows of BTC-USD begin at .* before those of .*book end"),
        ((book, book), "book: its rows of BTC-USD begin at"),
        ((book, trades), "trades: has trades of ETH-USD, but no file has its book"),
        ((trades,), "trades: has trades of ETH-USD, but no file has its book"),
        ((book, other), "other: is of deribit, and .*book of coinbase"),
        ((empty,), "empty: has no rows"),
    ):
        with pytest.raises(CaptureError, match=reason):
            survey(files, CSV)
    with pytest.raises(OptionError, match="no frames of this feed are made of columns"):
        survey([book], ImportSettings(CaptureForm("tardis-csv"), feed="advanced"))


def test_a_refused_import_leaves_nothing(tmp_path: Path) -> None:
    """A bad last line ends it with one line and no tape; a tape that has the file already is not changed."""
    book, tape = write_book(tmp_path / "book.csv", [*BEGIN, UPDATE]), tmp_path / "tape"
    for name in ("jsonl", "cryptofeed", "tardis", "json"):
        other = invoke("import", book, "-o", tape, "--format", name)
        assert other.exit_code == 1
        assert other.stderr.splitlines()[-1].endswith("--format tardis-csv reads the CSV files of Tardis")
    bad = tmp_path / "bad.csv"
    bad.write_bytes(book.read_bytes() + b"coinbase\n")
    failed = invoke("import", bad, "-o", tape, "--format", "tardis-csv")
    assert failed.exit_code == 1
    assert failed.stderr.splitlines()[-1].startswith(f"Error: {bad}: line 5 has 1 fields, not 8")
    assert not tape.exists()
    done = invoke("import", book, "-o", tape, "--format", "tardis-csv")
    assert done.exit_code == 0
    assert "book.csv: frames of the exchange feed, made from Tardis CSV of coinbase" in done.stderr
    before = sorted(path.read_bytes() for path in tape.rglob("*") if path.is_file())
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(book.read_bytes()))
    repeated = invoke("import", packed, "-o", tape, "--format", "tardis-csv")
    assert repeated.exit_code == 1
    assert f"its first frame of {BTC} is on {tape} already" in repeated.stderr
    assert before == sorted(path.read_bytes() for path in tape.rglob("*") if path.is_file())
