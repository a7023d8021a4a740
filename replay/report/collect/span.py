"""The time that a report spans."""

from recorder.tape.overview import overview
from recorder.tape.reader import Tape
from replay.running.window import Window


def span(tape: Tape, window: Window, product: str) -> tuple[int, int]:
    """Return the first and the last time of a product in a window, as far as they are known."""
    seen = overview(tape.product(product))
    start, end = seen.first_time or 0, seen.last_time or 0
    return max(start, window.start or start), min(end, end if window.end is None else window.end)
