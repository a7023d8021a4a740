"""Reading the files of a capture: one after the other, or merged by their times."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from orderbook.venues.columns import ColumnWriter
from recorder.captures.formats import CapturedFrame, OnTorn, read_capture
from recorder.captures.tardis_frames import merged
from recorder.settings import CaptureForm

_PART = re.compile(r"(.+)\.([0-9]{1,6})(?:\.gz|\.zst)?")
"""The name of a file of cryptofeed: a connection's name, and a number that counts its files from 0."""

_MINUTE = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2})/([0-9]{2})/([0-9]{2})(?:\.json)?(?:\.gz|\.zst)?")
"""The end of the path of a raw file of Tardis: its minute."""


def leave_out(_path: Path, _torn_bytes: int) -> None:
    """End a file with its whole lines: the survey has refused a torn end that is not to be left out."""


def read_files(
    paths: Sequence[Path],
    form: CaptureForm,
    writer: ColumnWriter | None,
    on_torn: OnTorn = None,
    on_unit: Callable[[str], None] = lambda _unit: None,
) -> Iterator[CapturedFrame]:
    """Yield the frames and disconnects of a capture in order.

    Args:
        paths: its files.
        form: what is in them.
        writer: makes frames of columns, if they hold columns.
        on_torn: called with a file and the bytes that are left out at its end, see `read_capture`.
        on_unit: called with what the times of a file are in, if that was recognised.

    Raises:
        CaptureError: if a file cannot be read or a line is not of the format; it names both.
    """
    if writer is not None:
        yield from merged(paths, writer, on_torn)
        return
    torn: list[Path] = []

    def tear(path: Path, size: int) -> None:
        assert on_torn is not None  # noqa: S101  else it is not called
        on_torn(path, size)
        torn.append(path)

    time = 0
    for path in paths:
        if torn:  # what is missing may change the book
            yield CapturedFrame(time, None)
            torn.clear()
        for captured in read_capture(path, form, on_torn and partial(tear, path), on_unit):
            time = captured.recv_time
            yield captured


def in_series(paths: Sequence[Path], form: CaptureForm) -> list[tuple[Path, ...]]:
    """Return the files of each capture: files of one series that follow one another are one.

    >>> names = map(Path, ("X.ws.1.10", "X.ws.1.9", "X.ws.1.12", "Y.0.gz", "x.txt"))
    >>> for files in in_series(list(names), CaptureForm("cryptofeed")):
    ...     print(*files)
    X.ws.1.9 X.ws.1.10
    X.ws.1.12
    Y.0.gz
    x.txt
    >>> names = map(Path, ("a/2019/06/01/23/59.json.gz", "a/2019/06/02/00/00.json.gz", "2019/06/02/00/01"))
    >>> len(in_series(list(names), CaptureForm("tardis")))
    2
    """
    numbered: dict[tuple[Path, str], list[tuple[int, Path]]] = {}
    for path in paths:
        stem, number = _place(path, form)
        numbered.setdefault(stem, []).append((number, path))
    series: list[list[Path]] = []
    for parts in numbered.values():
        last = None
        for number, path in sorted(parts):
            if number - 1 == last:
                series[-1].append(path)
            else:
                series.append([path])
            last = number
    return list(map(tuple, series))


def _place(path: Path, form: CaptureForm) -> tuple[tuple[Path, str], int]:
    """Return the series of a file and its number there; of a file alone a series of its own."""
    if form.name == "cryptofeed" and (part := _PART.fullmatch(path.name)):
        return (path.parent, part[1]), int(part[2])
    if form.name == "tardis" and (minute := _MINUTE.fullmatch("/".join(path.parts[-5:]))):
        with suppress(ValueError):  # no such day
            since = datetime(*map(int, minute.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]  # 5 numbers
            return (path.parents[4], ""), int(since.timestamp()) // 60
    return (path, path.name), 0
