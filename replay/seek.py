"""Where to begin reading so that the book at a time is right."""

from collections.abc import Sequence

from orderbook.times import parse_time
from recorder.tape.catalog import SegmentEntry


def start_before(entries: Sequence[SegmentEntry], time: int) -> int:
    """Return a seq from which the rows up to a time give the same book as the whole tape does.

    That is where a connection begins: there no book is known. O(segments), reads no file.

    Args:
        entries: a product's sealed segments, in order.
        time: nanoseconds since 1970.
    """
    reached = [entry for entry in entries if (parse_time(entry.first_recv_time) or 0) <= time]
    for number in range(len(reached) - 1, 0, -1):
        entry = reached[number]
        begins_one = entry.connections[0] != reached[number - 1].connections[1]
        holds_one = entry.connections[0] != entry.connections[1]
        # In the last segment reached a connection may begin after the time; before it, none can.
        if begins_one or (holds_one and number < len(reached) - 1):
            return entry.first_seq
    return 0
