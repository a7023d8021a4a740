"""The connections and interruptions of a tape as its clients meet them. Pure: marks in, stretches out."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orderbook.marks import Disconnected, read_connected, read_disconnected
from recorder.tape.overview import Mark
from replay.window import Window


@dataclass(frozen=True, slots=True)
class TapeConnection:
    """A connection of one product; times are recv_time in nanoseconds since 1970.

    Attributes:
        product, number: whose, and which of the product's.
        id: the same for all products that shared it; empty where the tape does not tell.
        begin: when it was opened.
        end: its last row.
        ending: how it ended; nothing is known (None) where its recorder died.
    """

    product: str
    number: int
    id: str
    begin: int
    end: int
    ending: Disconnected | None

    def shares(self, other: "TapeConnection") -> bool:
        """Tell whether two products had one connection."""
        return bool(self.id) and self.id == other.id


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one socket of a client gets.

    Attributes:
        connections: of each product at most one, by their beginning.
        start: recv_time at which the client's clock starts; rows before it are due at once.
        end: rows after it are not sent; the socket ends when it is due.
        ending: how; None is the end of the tape.
    """

    connections: tuple[TapeConnection, ...]
    start: int
    end: int
    ending: Disconnected | None


def connections_of(product: str, marks: Iterable[Mark], last_time: int | None) -> list[TapeConnection]:
    """Return a product's connections, in order.

    Args:
        product: its id.
        marks: its `connected` and `disconnected` rows.
        last_time: recv_time of its last row.
    """
    found: list[TapeConnection] = []
    is_open = False
    for mark in marks:
        if mark.kind == "connected":
            if is_open:  # its recorder died: it ended with the row before
                found[-1] = replace(found[-1], end=mark.time_before or found[-1].begin)
            opened = read_connected(mark.payload)
            end = mark.recv_time if last_time is None else last_time
            found.append(TapeConnection(product, mark.connection, opened.id, mark.recv_time, end, None))
            is_open = True
        elif is_open:
            found[-1] = replace(found[-1], end=mark.recv_time, ending=read_disconnected(mark.payload))
            is_open = False
    return found


def inside(connections: Iterable[TapeConnection], window: Window) -> list[TapeConnection]:
    """Return the connections with rows in a window, cut at its end."""
    kept = []
    for each in connections:
        too_early = window.start is not None and each.end < window.start
        too_late = window.end is not None and each.begin >= window.end
        if not (too_early or too_late):
            is_cut = window.end is not None and each.end >= window.end
            kept.append(replace(each, end=(window.end or 0) - 1) if is_cut else each)
    return kept


def stretches(connections: Mapping[str, Sequence[TapeConnection]], start: int | None = None) -> list[Stretch]:
    """Return what a client of these products gets, socket after socket; see the package for the rule.

    Args:
        connections: by product, in order.
        start: recv_time from which on; None is the first row.
    """
    left = {product: deque(each) for product, each in connections.items() if each}
    found: list[Stretch] = []
    position = start
    while left:
        begins = min(each[0].begin for each in left.values())
        # Where all are down there is nothing to wait for: the client that came back gets the next connection.
        clock_start = begins if position is None or begins > position else position
        end, ending = _interruption(left)
        members = sorted((each[0] for each in left.values() if each[0].begin <= end), key=_by_begin)
        for member in members:
            if member.end <= end:
                left[member.product].popleft()
        left = {product: each for product, each in left.items() if each}
        found.append(Stretch(tuple(members), clock_start, end, (ending or Disconnected()) if left else None))
        position = end
    return found


def _by_begin(connection: TapeConnection) -> tuple[int, str]:
    return connection.begin, connection.product


def _interruption(left: Mapping[str, deque[TapeConnection]]) -> tuple[int, Disconnected | None]:
    """Return where and how the socket ends that plays the first connection of each product."""
    heads = [each[0] for each in left.values()]
    ended: TapeConnection | None = None
    comes_back: int | None = None
    for head in sorted(heads, key=lambda each: (each.end, each.product)):
        if ended is not None and comes_back is not None and comes_back <= head.end:
            # One that fell silent before begins anew here, beside one that opened meanwhile.
            return comes_back - 1, ended.ending
        others = [
            each
            for each in heads
            if each.begin <= head.end < each.end and not each.shares(head) and each is not head
        ]
        again = left[head.product][1].begin if len(left[head.product]) > 1 else None
        if not others or (again is not None and any(each.end >= again for each in others)):
            return max(each.end for each in heads if each is head or each.shares(head)), head.ending
        ended = head
        if again is not None:
            comes_back = again if comes_back is None else min(comes_back, again)
    raise AssertionError("the last to end has no others")
