"""Captures of several files: series of cryptofeed and raw minutes of Tardis."""

from pathlib import Path

import pytest

from orderbook.times import format_time
from recorder.api import import_captures
from recorder.captures.formats import CaptureError
from recorder.settings import CaptureForm, ImportSettings
from tests.support.constants import BTC, SECOND, START
from tests.support.rows import read_rows
from tests.support.tapes import snapshot, update

URL = "wss://ws-feed.exchange.coinbase.com"
HEADER = [
    "configuration: {'log': {'filename': 'x'}}",
    'https://api.exchange.coinbase.com/products -> 1.5: [{"id":"BTC-USD"}]',
    f"{URL} <-> {START // SECOND}.5",
    f'{URL} <- {START // SECOND}.6: {{"type":"subscribe","product_ids":["BTC-USD"]}}',
]
BUY = update(BTC, ("buy", "99", "2"))


def line(second: int, frame: str) -> str:
    """Return a line of cryptofeed."""
    return f"{START // SECOND + second}.25: {frame}"


def write(path: Path, *lines: str, end: str = "\n") -> Path:
    """Write lines to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + end)
    return path


def marks(tape: Path) -> list[tuple[int, str]]:
    """Return the connection and the kind of each row."""
    return [(row.connection, row.kind) for row in read_rows(tape, BTC)]


def connections(*frames: int) -> list[tuple[int, str]]:
    """Return what `marks` has to be, by the numbers of frames of the connections."""
    return [
        (number, kind)
        for number, count in enumerate(frames)
        for kind in ("connected", *["frame"] * count, "disconnected")
    ]


def test_files_of_cryptofeed_go_on(tmp_path: Path) -> None:
    """Numbers order the files, not the texts of their names; what is no frame is left out."""
    paths = [write(tmp_path / f"COINBASE.ws.1.{number}", line(number, BUY)) for number in range(1, 11)]
    paths.append(write(tmp_path / "COINBASE.ws.1.0", *HEADER, line(0, snapshot(BTC))))
    tape = tmp_path / "tape"
    recorded = import_captures(paths, tape, ImportSettings(CaptureForm("cryptofeed")))
    assert marks(tape) == connections(11)
    assert recorded.tallies[BTC].summaries == 11
    times = [row.recv_time for row in read_rows(tape, BTC)]
    assert times == sorted(times)


@pytest.mark.parametrize("again", [HEADER[:1], HEADER[2:3], HEADER])
def test_cryptofeed_connects_again(tmp_path: Path, again: list[str]) -> None:
    """A header or an address in the middle of a series begins a connection, whose book is not known."""
    first = write(tmp_path / "X.0", *HEADER, line(0, snapshot(BTC)), line(1, BUY))
    second = write(tmp_path / "X.1", line(2, BUY), *again, line(9, BUY), line(10, snapshot(BTC)))
    recorded = import_captures([first, second], tmp_path / "tape", ImportSettings(CaptureForm("cryptofeed")))
    assert marks(tmp_path / "tape") == connections(3, 2)
    assert recorded.tallies[BTC].anomalies["early_update"] == 1


def test_a_missing_file_ends_the_connection(tmp_path: Path) -> None:
    """What was in it may have changed the book: the files after it are a capture of unknown start."""
    paths = [write(tmp_path / f"X.{number}", line(number, BUY)) for number in (1, 2, 4)]
    recorded = import_captures(
        paths, tmp_path / "tape", ImportSettings(CaptureForm("cryptofeed"), "exchange")
    )
    assert marks(tmp_path / "tape") == connections(2, 1)
    assert recorded.tallies[BTC].anomalies["early_update"] == 3


def test_a_file_is_named(tmp_path: Path) -> None:
    """An error names the file of the series and its own line; a torn end in the middle is an interruption."""
    form = CaptureForm("cryptofeed")
    first = write(tmp_path / "X.0", *HEADER, line(0, snapshot(BTC)), line(1, BUY)[:-9], end="")
    second = write(tmp_path / "X.1", line(2, BUY))
    with pytest.raises(CaptureError, match=r"X\.0: line 6 is torn"):
        import_captures([first, second], tmp_path / "tape", ImportSettings(form))
    recorded = import_captures([first, second], tmp_path / "tape", ImportSettings(form, torn_end=True))
    assert list(recorded.torn) == [str(first)]
    assert marks(tmp_path / "tape") == connections(1, 1)
    write(tmp_path / "X.1", line(2, BUY), "nonsense")
    with pytest.raises(CaptureError, match=r"X\.1: line 2 is not of the cryptofeed format"):
        import_captures([second], tmp_path / "other", ImportSettings(form, "exchange"))
    assert not (tmp_path / "other").exists()


def test_minutes_of_tardis_go_on(tmp_path: Path) -> None:
    """Raw minutes that follow one another are one capture, over blank lines and a minute without a line."""
    day = tmp_path / format_time(START)[:10].replace("-", "/")
    hour, minute = format_time(START)[11:13], int(format_time(START)[14:16])
    contents: list[list[str]] = [[snapshot(BTC), BUY], [], [BUY, "", snapshot(BTC)], [BUY]]
    paths = []
    for place, lines in enumerate(contents):
        path = day / hour / f"{minute + place:02}.json.gz"
        time = format_time(START + 60 * SECOND * place)
        paths.append(write(path, *(each and f"{time} {each}" for each in lines), end="\n" if lines else ""))
    import_captures(paths[::-1], tmp_path / "tape", ImportSettings(CaptureForm("tardis")))
    assert marks(tmp_path / "tape") == connections(3, 2)
    import_captures([paths[0], paths[3]], tmp_path / "hole", ImportSettings(CaptureForm("tardis")))
    assert marks(tmp_path / "hole") == connections(2, 1)
