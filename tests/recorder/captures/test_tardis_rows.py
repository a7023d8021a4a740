"""Rows of CSV files of Tardis: what is read, and how a bad file, line or end is named."""

import gzip
from pathlib import Path

import pytest

from recorder.captures import tardis_rows
from recorder.captures.formats import CaptureError
from recorder.captures.tardis_rows import TardisFile
from tests.support.constants import BTC
from tests.support.tardis import BOOK_HEADER, TRADES_HEADER

GOOD = "coinbase,BTC-USD,1,2,true,bid,9236.40,0.5"
TRADE = "coinbase,BTC-USD,1,2,7,buy,9236.40,0.5"


def written(directory: Path, *lines: str | bytes, end: bytes = b"\n") -> Path:
    """Write lines to a file."""
    path = directory / "x.csv"
    path.write_bytes(b"".join((each.encode() if isinstance(each, str) else each) + end for each in lines))
    return path


def read(path: Path) -> list[tuple[object, ...]]:
    """Return all rows of a file."""
    return [
        row
        for block in TardisFile(path).blocks(None)
        for row in zip(*map(list, map(_plain, block)), strict=True)
    ]


def _plain(column: object) -> list[object]:
    return column.to_pylist()  # type: ignore[attr-defined,no-any-return]  # an Arrow array


def test_columns_in_any_order(tmp_path: Path) -> None:
    """Names tell the columns; a byte order mark, CRLF, blank lines and columns of others are passed over."""
    path = written(
        tmp_path,
        b"\xef\xbb\xbfamount,more,price,side,is_snapshot,local_timestamp,timestamp,symbol,exchange",
        "0.5,?,9236.40,bid,True,2,1,BTC-USD,coinbase",
        "",
        "2E-8,,1e2,ask,false,2,1,BTC-USD,coinbase",
        end=b"\r\n",
    )
    assert read(path) == [
        (BTC, 1, 2, True, True, "9236.40", "0.5"),
        (BTC, 1, 2, False, False, "100", "0.00000002"),
    ]
    trades = written(tmp_path, TRADES_HEADER, TRADE, TRADE.replace("buy", "sell"))
    assert [(row[3], row[4]) for row in read(trades)] == [("7", False), ("7", True)]  # the maker's side


@pytest.mark.parametrize(
    "header", ["", GOOD, "a,b", BOOK_HEADER.replace("price", "px"), "[" * 1000, "\x00\x00"]
)
def test_a_bad_header(tmp_path: Path, header: str) -> None:
    """A file whose first line does not name the columns is refused, by one short line."""
    with pytest.raises(
        CaptureError, match=r"x\.csv: line 1 does not name the columns exchange,symbol,"
    ) as caught:
        read(written(tmp_path, header, GOOD))
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("coinbase,BTC-USD,1,2,true,bid,1", "has 7 fields, not 8"),
        (GOOD + ",", "has 9 fields"),
        ("   ", "has 1 fields"),
        (GOOD.replace("coinbase", "deribit"), "is of another exchange than coinbase"),
        (GOOD.replace("BTC-USD", "../BTC"), "has a symbol that cannot be a product"),
        (GOOD.replace("BTC-USD", '"BTC"'), "has a symbol that cannot be a product"),
        (GOOD.replace("BTC-USD", "B\x00TC"), "has a symbol that cannot be a product"),
        (GOOD.replace(",1,2,", ",,2,"), "has a timestamp that is not microseconds"),
        (GOOD.replace(",1,2,", ",1,2023-01-01T00:00:00Z,"), "has a local_timestamp that is not microseconds"),
        (GOOD.replace(",1,2,", ",1,-2,"), "has a local_timestamp that is not microseconds"),
        (GOOD.replace(",1,2,", ",1,9999999999999999,"), "has a local_timestamp that is not microseconds"),
        (GOOD.replace(",1,2,", ",1,1,"), "has a local_timestamp before that of the line before"),
        (GOOD.replace("true", "1"), "has an is_snapshot that is neither true nor false"),
        (GOOD.replace("bid", "buy"), "has a side that is neither bid nor ask"),
        (GOOD.replace("9236.40", "-1"), "price '-1'"),
        (GOOD.replace("9236.40", "0.00"), "price '0.00' is not above 0"),
        (GOOD.replace("9236.40", "0.123456789"), "price '0.123456789' has more than 8 decimals"),
        (GOOD.replace("9236.40", "1e400"), "price '1000000"),
        (GOOD.replace("9236.40", "1e-400"), "price '0.00000"),
        (GOOD.replace("9236.40", "9" * 10_000_000), "price '99999"),
        (GOOD.replace("0.5", "NaN"), "size 'NaN'"),
        (GOOD.replace("0.5", "-0.5"), "size '-0.5'"),
        (GOOD.replace("0.5", ""), "size ''"),
        (GOOD.replace("0.5", "1e400"), "size '1000000"),
        (GOOD.replace("0.5", "0.5\x00"), "size '0.5"),
        (GOOD.replace("0.5", "٣"), "size '٣'"),
        (GOOD.encode() + b"\xff", "is not UTF-8"),
        (GOOD.replace("0.5", "1\r2"), "size '1"),
    ],
)
def test_a_bad_line(tmp_path: Path, line: str | bytes, reason: str) -> None:
    """It is named by file and number, with what is wrong, in one short printable line, after good ones."""
    path = written(tmp_path, BOOK_HEADER, GOOD, "", GOOD, line, GOOD)
    with pytest.raises(
        CaptureError, match=rf"x\.csv: line 5 (has an? (price|amount) that a tape cannot hold .)?{reason}"
    ) as caught:
        read(path)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "trade", [("7", ""), ("7", "7f-a"), ("7", "1" * 19), ("7", "-7"), ("buy", "unknown"), ("buy", "bid")]
)
def test_a_bad_trade(tmp_path: Path, trade: tuple[str, str]) -> None:
    """Trades without a number or a side cannot be on a tape."""
    with pytest.raises(CaptureError, match=r"line 3 has (an id|a side) that is"):
        read(written(tmp_path, TRADES_HEADER, TRADE, TRADE.replace(f",{trade[0]},", f",{trade[1]},")))


def test_lines_are_counted_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of a later block has its number in the file, and is not older than one before it."""
    monkeypatch.setattr(tardis_rows, "_BLOCK_BYTES", 100)
    lines = [GOOD.replace(",2,", f",{number},") for number in range(2, 50)]
    with pytest.raises(CaptureError, match="line 50 has 1 fields"):
        read(written(tmp_path, BOOK_HEADER, *lines, "x"))
    with pytest.raises(CaptureError, match="line 50 has a local_timestamp before"):
        read(written(tmp_path, BOOK_HEADER, *lines, GOOD))


def test_ends(tmp_path: Path) -> None:
    """What may be cut off is refused, or left out; of a packed file all that is whole is read."""
    path = written(tmp_path, BOOK_HEADER, GOOD)
    path.write_bytes(path.read_bytes() + GOOD.encode())
    with pytest.raises(CaptureError, match=r"line 3 has no end and may be cut off: .*--torn-end"):
        read(path)
    torn: list[tuple[Path, int]] = []

    def tear(path: Path, size: int) -> None:
        torn.append((path, size))

    assert [len(block) for block in TardisFile(path).blocks(tear)] == [1]
    packed = gzip.compress("\n".join([BOOK_HEADER, *[GOOD] * 1000, ""]).encode())
    path.write_bytes(packed[:-9])
    with pytest.raises(CaptureError, match=r"x\.csv: cannot be read after line \d.*--torn-end"):
        read(path)
    assert sum(len(block) for block in TardisFile(path).blocks(tear)) >= 990
    assert torn == [(path, len(GOOD)), (path, 0)]


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without an end, and a message without one, are refused before they are whole."""
    monkeypatch.setattr(tardis_rows, "_BLOCK_BYTES", 100)
    monkeypatch.setattr(tardis_rows, "MAX_LINE_BYTES", 1000)
    monkeypatch.setattr("recorder.captures.formats.MAX_LINE_BYTES", 1000)
    with pytest.raises(CaptureError, match="line 3 has more than 1,000 bytes"):
        read(written(tmp_path, BOOK_HEADER, GOOD, "9" * 10_000))
    file = TardisFile(written(tmp_path, BOOK_HEADER, *[GOOD] * 100))
    rows = next(file.blocks(None))
    for _ in range(6):
        rows = rows.joined(rows)
    with pytest.raises(CaptureError, match="more than 1,000 bytes"):
        file.check_held(rows)
