"""What each recorder gave to a merged tape, by the `connected` rows, which name their origins."""

from collections.abc import Collection, Iterable, Iterator

import msgspec
from msgspec import UnsetType

from orderbook import display
from orderbook.connection_marks import Origin
from orderbook.times import NS, parse_time


class OriginTotal(msgspec.Struct, frozen=True):
    """What a recorder gave to a product of a merged tape.

    Attributes:
        tape: name of its tape.
        rows: number of rows.
        seconds: time from its first row to its last frame, connection by connection.
        seams: how often it continued the book of another recorder, which had been interrupted.
        shift_s: the most seconds by which its times were shifted, as its clock was wrong.
    """

    tape: str
    rows: int
    seconds: float
    seams: int
    shift_s: float

    def line(self) -> str:
        """Return the same for people."""
        rows, seconds = display.plural(self.rows, "row"), display.seconds(self.seconds)
        joined = f", went on {display.plural(self.seams, 'time')} where another ended" if self.seams else ""
        shifted = f"; its clock was wrong, shifted by {self.shift_s:+,.3f} s" if self.shift_s else ""
        return f"{display.printable(self.tape)} gave {rows} in {seconds} s{joined}{shifted}"


def origin_lines(totals: Collection[OriginTotal], rows: int) -> Iterator[str]:
    """Yield what each tape gave to a product of so many rows; nothing if it was not merged."""
    yield from (each.line() for each in totals)
    own = rows - sum(each.rows for each in totals)
    if totals and own > 0:
        yield f"{display.plural(own, 'row')} of no recorder: they tell where the merge ended a connection"


def origin_totals(connections: Iterable[list[Origin] | UnsetType]) -> tuple[OriginTotal, ...]:
    """Return what each tape gave, by name, from the origins of each connection.

    There are none if the tape was not merged.
    """
    found: dict[str, OriginTotal] = {}
    for origins in connections:
        for place, each in enumerate(origins or ()):
            before = found.get(each.tape, OriginTotal(each.tape, 0, 0.0, 0, 0.0))
            start, end = (parse_time(text) or 0 for text in (each.from_, each.to))
            found[each.tape] = OriginTotal(
                each.tape,
                before.rows + each.rows,
                before.seconds + max(0, end - start) / NS,
                before.seams + (place > 0),
                max(before.shift_s, each.shift_s, key=abs),
            )
    return tuple(found[name] for name in sorted(found))
