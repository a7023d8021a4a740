"""The first pass over CSV files of Tardis: it checks every line, and finds which files are read together.

The book and the trades of a product are two files, often of a day; which belong together is told by their
products and times, and not by their names.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from orderbook.times import NS, format_time
from orderbook.venues.columns import ColumnWriter
from recorder.captures.capture import Capture, frame_id
from recorder.captures.formats import CaptureError
from recorder.captures.tardis_frames import messages
from recorder.captures.tardis_lines import BOOK, TRADES
from recorder.captures.tardis_rows import TardisFile
from recorder.settings import ImportSettings

_DAY_NS: Final = 86_400 * NS


def survey_columns(paths: Sequence[Path], writer: ColumnWriter, settings: ImportSettings) -> list[Capture]:
    """Read files once to the end, and return the captures, each of files that are merged. O(bytes).

    Raises:
        CaptureError: if a line is not understood, or the files do not fit together.
    """
    found = [_surveyed(path, writer, torn_end=settings.torn_end) for path in paths]
    exchange, first = found[0][0].exchange, paths[0]
    for path, (file, _) in zip(paths, found, strict=True):
        if file.exchange != exchange:
            other = f"and {first} of {exchange}"
            raise CaptureError(
                f"{path}: is of {file.exchange}, {other}: give each exchange a tape of its own"
            )
    kinds = {capture.path: file.kind for file, capture in found}
    captures = [capture for _, capture in found]
    return [_together(group, kinds, exchange) for group in _groups(captures)]


def _surveyed(path: Path, writer: ColumnWriter, *, torn_end: bool) -> tuple[TardisFile, Capture]:
    file, capture = TardisFile(path), Capture((path,))
    file.read_header()
    times, firsts = capture.times, capture.firsts
    for time, product, frame, _ in messages(file, writer, capture.tear if torn_end else None):
        if frame is not None:
            times[product] = time  # rows are in order
            if product not in firsts:
                firsts[product] = frame_id(time, frame)
    if not firsts:
        raise CaptureError(f"{path}: has no rows")
    capture.first_time = capture.common_time = min(time for time, _ in firsts.values())
    return file, capture


def _groups(captures: Sequence[Capture]) -> Iterator[list[Capture]]:
    """Yield captures that share products and UTC days, directly or through others."""
    groups: list[list[Capture]] = []
    for capture in captures:
        near = [group for group in groups if any(_is_near(capture, each) for each in group)]
        joined = [*(each for group in near for each in group), capture]
        groups = [*(group for group in groups if group not in near), joined]
    yield from groups


def _is_near(one: Capture, other: Capture) -> bool:
    """Tell whether captures share a product and a UTC day."""
    if not set(one.products) & set(other.products):
        return False
    (first, last), (other_first, other_last) = (
        (each.first_time // _DAY_NS, _last_time(each) // _DAY_NS) for each in (one, other)
    )
    return first <= other_last and other_first <= last


def _last_time(capture: Capture) -> int:
    return max(map(capture.last_time, capture.products))


def _together(group: Sequence[Capture], kinds: dict[Path, str], exchange: str) -> Capture:
    """Return one capture of files.

    Raises:
        CaptureError: if two of them have the same rows, or trades have no book.
    """
    books = [each for each in group if kinds[each.path] == BOOK]
    trades = [each for each in group if kinds[each.path] == TRADES]
    _check_apart(books)
    _check_apart(trades)
    for each in trades:
        for product in each.products:
            if not any(product in book.products for book in books):
                raise CaptureError(
                    f"{each.path}: has trades of {product}, but no file has its book: add {BOOK} of that day"
                )
    ordered = sorted(group, key=lambda each: (kinds[each.path] == TRADES, each.first_time))
    whole = Capture(tuple(each.path for each in ordered), min(each.first_time for each in group))
    whole.common_time = whole.first_time
    for each in sorted(group, key=lambda each: each.first_time):
        for product in each.products:
            whole.times[product] = max(each.last_time(product), whole.times.get(product, 0))
            known = whole.firsts.get(product)
            if known is None or each.firsts[product][0] < known[0]:
                whole.firsts[product] = each.firsts[product]
        whole.torn |= each.torn
    whole.made_from = f"Tardis CSV of {exchange}"
    return whole


def _check_apart(captures: Sequence[Capture]) -> None:
    """Refuse files of a kind whose times overlap for a product."""
    for product in {name for each in captures for name in each.products}:
        ordered = sorted(
            (each for each in captures if product in each.products), key=lambda each: each.firsts[product][0]
        )
        for one, other in pairwise(ordered):
            if other.firsts[product][0] <= one.last_time(product):
                begin = f"{format_time(other.firsts[product][0])[:26]}Z"
                raise CaptureError(
                    f"{other.path}: its rows of {product} begin at {begin}, before those of {one.path} end: "
                    "give one of them"
                )
