"""What each recorder gave to a merged tape, by the `connected` rows, which name their origins."""

from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from orderbook import display
from orderbook.connection_marks import Origin
from orderbook.times import NS, parse_time
from recorder.tape.connections import Connection


class OriginTotal(msgspec.Struct, frozen=True):
    """What a recorder gave to a product of a merged tape.

    Attributes:
        tape: name of its tape.
        rows: number of rows.
        seconds: time from the first to the last of them, connection by connection.
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


def origin_totals(connections: Iterable[Connection]) -> tuple[OriginTotal, ...]:
    """Return what each tape gave, by name; nothing if the tape was not merged."""
    return add_origins(each.opened.origins for each in connections if each.opened.origins is not UNSET)


def add_origins(connections: Iterable[list[Origin] | msgspec.UnsetType]) -> tuple[OriginTotal, ...]:
    """Return what each tape gave, by name, from the origins of each connection."""
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
