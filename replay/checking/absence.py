"""Why a tape has nothing at a time or in a window: it begins later, has ended, or was interrupted."""

from orderbook.display import printable, time_of_day
from recorder.tape.overview import Overview, overview
from recorder.tape.product_tape import ProductTape
from replay.checking.interruptions import Interruption, interruptions
from replay.running.window import Window


def has_row(tape: ProductTape, window: Window) -> bool:
    """Return whether a product has a row in a window. Reads the rows of one segment at most, and no book.

    Raises:
        DamagedTapeError: if what is read is not what was written.
    """
    before = tape.part_before(window.start or 0)
    return window.first_time(tape.batches(first_seq=before.first_seq if before else 0)) is not None


def why_no_row(tape: ProductTape, window: Window) -> str:
    """Return why a window has no row of a product."""
    seen = overview(tape)
    if seen.first_time is None or seen.last_time is None:
        return "it has no row yet"
    if window.end is not None and window.end <= seen.first_time:
        return f"its first row is of {_utc(seen.first_time)}"
    if window.start is not None and window.start > seen.last_time:
        return f"its last row is of {_utc(seen.last_time)}"
    low, high = window.start or seen.first_time, window.end or seen.last_time + 1
    return _interrupted(seen, low, high) or "its connection sent nothing in that time"


def why_no_summary(tape: ProductTape, window: Window) -> str:
    """Return why a window has no summary of a product."""
    if not has_row(tape, window):
        return why_no_row(tape, window)
    seen = overview(tape)
    low, high = window.start or seen.first_time or 0, window.end or (seen.last_time or 0) + 1
    return _interrupted(seen, low, high) or "no frame in that time gave a book"


def why_no_book(tape: ProductTape, at: int) -> str:
    """Return why no book of a product is known at a time."""
    seen = overview(tape)
    if seen.first_time is None or at < seen.first_time:
        return why_no_row(tape, Window(end=at + 1))
    if found := _interrupted(seen, at, at + 1):
        return found
    last = seen.connections[-1] if seen.connections else None
    if last is not None and last.closed is not None and at >= last.last_time:
        because = _because(last.closed.code, last.closed.reason)
        return f"its last connection ended at {_utc(last.last_time)}{because}"
    return "its connection had sent no snapshot yet"


def _interrupted(seen: Overview, low: int, high: int) -> str | None:
    """Return the first interruption that a time from `low` to `high` touches; None if there is none."""
    for each in interruptions(seen.connections, seen.last_time):
        if each.start < high and low < each.end:
            return _text(each)
    return None


def _text(found: Interruption) -> str:
    because = _because(found.code, found.reason)
    stopped = ", when the recording was stopped" if found.connection is None else ""
    return f"it was interrupted from {_utc(found.start)} to {_utc(found.end)}{stopped}{because}"


def _because(code: int | None, reason: str) -> str:
    words = " ".join(each for each in ("" if code is None else str(code), printable(reason)) if each)
    return f" ({words})" if words else ""


def _utc(time: int) -> str:
    return f"{time_of_day(time)} UTC"
