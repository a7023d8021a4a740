"""Where to begin reading so that the book at a time is right."""

from bisect import bisect_left

from orderbook.times import parse_time
from recorder.tape.index import Start, parts_of, start_in
from recorder.tape.reader import ProductTape


def start_before(tape: ProductTape, time: int) -> Start:
    """Return where to begin so that from a time on the book is right: all rows at or after it are read.

    That is the last segment that begins before the time, merged into a day's or not, with its sidecar.
    O(segments), reads one sidecar.

    Args:
        tape: a product's rows.
        time: nanoseconds since 1970.

    Raises:
        DamagedTapeError: where the list of segments is not readable.
    """
    parts = parts_of(tape.segments())
    number = bisect_left(parts, time, key=lambda part: parse_time(part.first_recv_time) or 0) - 1
    return start_in(tape.directory, parts, number)
