"""The verdict on each connection: verified, unverifiable or broken, and why."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal

import msgspec
import pyarrow as pa
from msgspec import UNSET

from orderbook import display
from orderbook.anomalies import oddity_lines
from orderbook.connection_marks import Connected, Disconnected, read_connected
from orderbook.continuity import NumberFaults, SharedNumbers
from orderbook.facts import clock_fault
from orderbook.venues.base import Venue
from recorder.live.connection_check import ENDED_BY_US, WITHOUT_BOOK
from recorder.settings import MAX_CLAMP_S
from recorder.tape.connections import Connection

Verdict = Literal["verified", "unverifiable", "broken"]

_WORST_FIRST: Final[tuple[Verdict, ...]] = ("broken", "unverifiable", "verified")


class ConnectionVerdict(msgspec.Struct, frozen=True):
    """The verdict on one connection of a product.

    Attributes:
        connection: number of the connection.
        verdict: how far its rows can be trusted.
        reason: one line that says why.
        notes: what else is known, such as a clock that was wrong; it does not change the verdict.
    """

    connection: int
    verdict: Verdict
    reason: str
    notes: tuple[str, ...] = ()


def worst(verdicts: Collection[str]) -> Verdict | None:
    """Return the worst of some verdicts; None if there is none.

    >>> worst(["verified", "broken"]), worst([])
    ('broken', None)
    """
    return next((each for each in _WORST_FIRST if each in verdicts), None)


def judge(
    venue: Venue, connections: Iterable[Connection], numbers: Mapping[str, NumberFaults] | None = None
) -> list[ConnectionVerdict]:
    """Return the verdicts on the connections of a product.

    Args:
        venue: the venue of the frames; if it does not number them, no connection can be verified.
        connections: their facts.
        numbers: what the rows of all products tell of the numbers of a shared connection, by its id; None if
            they were not read.
    """
    verdicts = []
    for each in connections:
        in_rows = (numbers or {}).get(each.opened.id) if each.opened.is_shared else None
        broken, unknown = _broken(each, in_rows), _unknown(venue, each, in_rows)
        verdict: Verdict = "broken" if broken else "unverifiable" if unknown else "verified"
        reason = broken or unknown or "sequence numbers are contiguous"
        clamped, is_wrong = _clamped(each)
        odd = (each.closed or Disconnected()).oddities
        lines = () if odd is UNSET else oddity_lines(odd)
        notes = clock_fault(each.lag), "" if is_wrong else clamped, *lines
        verdicts.append(ConnectionVerdict(each.number, verdict, reason, tuple(filter(None, notes))))
    return verdicts


def _broken(connection: Connection, in_rows: NumberFaults | None) -> str:
    """Return what is known to be wrong with a connection; an empty text if nothing is."""
    closed = connection.closed or Disconnected()
    found = [f"{number:,} {kind}" for kind, number in connection.faults.items()]
    if closed.reason in ("overflow", "gap") and not connection.faults:
        found.append(f"ended by {closed.reason}")
    # The recorder of a shared connection saw the order over all products, the rows of each have their own.
    if closed.gaps:
        found.append(f"{closed.gaps:,} gap")
    elif in_rows:
        found.append(str(in_rows))
    clamped, is_wrong = _clamped(connection)
    found.append(clamped if is_wrong else "")
    return ", ".join(filter(None, found))


def _unknown(venue: Venue, connection: Connection, in_rows: NumberFaults | None) -> str:
    """Return why a connection cannot be verified; an empty text if it can."""
    closed = connection.closed or Disconnected()
    if not connection.has_frames:
        return "no frame came"
    if closed.code == ENDED_BY_US and closed.reason in WITHOUT_BOOK:
        return f"it had no book ({closed.reason})"
    if not venue.is_numbered:
        return "no gaps seen; this feed has no sequence numbers"
    if connection.opened.is_shared or connection.opened.is_merged_from_several:
        counts = "several products share it; verify counts them together"
        unknown = counts if connection.opened.is_shared else "merged; verify the tapes that it is from"
        return "" if in_rows is not None or closed.gaps is not UNSET else unknown
    if not connection.is_counted:
        return "not sealed yet; verify counts it"
    return "" if connection.is_numbered else "no gaps seen; no frame has a sequence number"


def _clamped(connection: Connection) -> tuple[str, bool]:
    """Return what is known of rows whose time went back, and whether it was by more than networks explain."""
    closed = connection.closed or Disconnected()
    if not closed.clamped or not closed.clamped_s:
        return "", False
    seconds = f"up to {closed.clamped_s:,.3f} s before the row before"
    text = f"{display.plural(closed.clamped, 'row')} with a time {seconds} got its time"
    return text, closed.clamped_s > MAX_CLAMP_S


class SharedSequences:
    """Collects the sequence numbers of connections that several products share.

    They are checked over all products together; the books check those of other connections.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._numbers: dict[str, SharedNumbers] = {}
        self._current: dict[str, str | None] = {}

    def add(self, product: str, rows: pa.RecordBatch) -> None:
        """Add the numbers of the next rows of a product. O(bytes)."""
        kinds, payloads = rows.column("kind").to_pylist(), rows.column("payload").to_pylist()
        for kind, payload in zip(kinds, payloads, strict=True):
            if kind != "frame":
                opened = read_connected(payload) if kind == "connected" else Connected()
                self._current[product] = opened.id if opened.is_shared else None
                continue
            connection = self._current.get(product)
            number = self._venue.sequence_num(payload) if connection is not None else None
            if connection is not None and number is not None:
                self._numbers.setdefault(connection, SharedNumbers()).add(product, number, payload)

    def merge(self, later: "SharedSequences") -> None:
        """Add the numbers of other products, or of pieces that come next and begin with a connection."""
        for connection, numbers in later._numbers.items():
            self._numbers.setdefault(connection, SharedNumbers()).merge(numbers)

    def faults(self) -> dict[str, NumberFaults]:
        """Return what is wrong with the numbers by connection id."""
        return {connection: numbers.faults() for connection, numbers in sorted(self._numbers.items())}
