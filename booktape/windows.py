"""Times on a tape: the moments and the windows that the Python API and the command line take."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from booktape.arguments import naming
from orderbook.errors import OptionError
from orderbook.time_input import Moment, TimeLike, parse_moment
from recorder.tape.errors import TapeError

_MOST_REASONS = 3  # products that a message explains

if TYPE_CHECKING:
    from recorder.tape.reader import Tape
    from replay.running.window import Window


def time_on(tape: Tape, value: TimeLike, option: str) -> int:
    """Return a time on a tape in nanoseconds since 1970."""
    moment = _moment(value, option)
    if not moment.is_offset:
        return moment.ns
    first = tape.first_time()
    if first is None:
        raise TapeError(
            f"{tape.path}: the tape has no row yet, so {value!r} cannot count from its first one", tape.path
        )
    return first + moment.ns


def window(
    tape: Tape,
    start: TimeLike | None,
    end: TimeLike | None,
    products: tuple[str, ...] = (),
    *,
    may_be_empty: bool = False,
) -> Window:
    """Return the part of a tape between two times; None leaves a side open.

    Args:
        tape: the tape.
        start: first time, inclusive.
        end: last time, exclusive.
        products: of which one must have a row in the window; empty for all.
        may_be_empty: whether none needs to.
    """
    from replay.running.window import EmptyWindowError, Window

    low = None if start is None else time_on(tape, start, "start")
    high = None if end is None else time_on(tape, end, "end")
    if low is not None and high is not None and low >= high:
        raise EmptyWindowError(f"{start!r} is not before {end!r}, the end", option="start", value=start)
    found = Window(low, high)
    tape.require_rows(products, low)
    if found != Window() and not may_be_empty:
        _refuse_empty(tape, products, found, "end" if start is None else "start", start or end)
    return found


def _refuse_empty(tape: Tape, products: tuple[str, ...], window: Window, option: str, value: object) -> None:
    """Refuse a window in which no product has a row: zeros would look like a quiet market."""
    from replay.checking.absence import has_row, why_no_row
    from replay.running.window import EmptyWindowError

    names = tape.select(products)
    if not names or any(has_row(tape.product(product), window) for product in names):
        return
    reasons = {product: why_no_row(tape.product(product), window) for product in names[:_MOST_REASONS]}
    told = "; ".join(f"{product}: {reason}" for product, reason in reasons.items())
    raise EmptyWindowError(f"no row is in this window. {told}", option=option, value=value)


def window_of_all(
    tapes: Sequence[Tape], start: TimeLike | None, end: TimeLike | None, products: tuple[str, ...]
) -> Window:
    """Return the part of several tapes between two times, in which one of them must have a row."""
    from replay.running.window import EmptyWindowError

    for tape in tapes[:-1]:
        with suppress(EmptyWindowError):
            return window(tape, start, end, products)
    return window(tapes[-1], start, end, products)


def refuse_offsets(start: TimeLike | None, end: TimeLike | None) -> None:
    """Refuse times that count from the first row: several tapes have several."""
    for option, value in (("start", start), ("end", end)):
        if value is not None and _moment(value, option).is_offset:
            reason = "an offset such as +5m counts from the start of one tape, not of several"
            raise OptionError(reason, option=option, value=value)


def _moment(value: TimeLike, option: str) -> Moment:
    with naming(option, value, "'2026-08-09T21:05:50' (UTC) or '+5m'"):
        return parse_moment(value)
