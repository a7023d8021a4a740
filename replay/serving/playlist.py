"""The connection replays that a client of a tape gets. Pure: connection marks in, a playlist out."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orderbook.connection_marks import Disconnected
from recorder.tape.connections import Connection
from replay.running.window import Window


@dataclass(frozen=True, slots=True)
class TapeConnection:
    """A recorded connection of one product; times are recv_time in nanoseconds since 1970.

    Attributes:
        product, number: the product id, and the connection's number on its tape.
        id: equal for all products that shared the connection; empty if the tape has no id.
        products: the products of the connection.
        begin: time at which it was opened.
        end: time of its last row.
        close: how it was closed; None if the recorder died.
        is_joined: whether a merge joined it of several, so that its numbers begin anew within it.
    """

    product: str
    number: int
    id: str
    begin: int
    end: int
    close: Disconnected | None
    products: tuple[str, ...] = ()
    is_joined: bool = False

    def shares(self, other: "TapeConnection") -> bool:
        """Return whether two products shared one connection."""
        return bool(self.id) and self.id == other.id


@dataclass(frozen=True, slots=True)
class ConnectionReplay:
    """What one socket of a client gets.

    Attributes:
        connections: at most one of each product, ordered by their beginning.
        start: recv_time at which the client's clock starts; earlier rows are due at once.
        end: recv_time at which the socket ends; later rows are not sent.
        close: how the socket is closed; None at the end of the tape.
    """

    connections: tuple[TapeConnection, ...]
    start: int
    end: int
    close: Disconnected | None


def connections_of(product: str, connections: Iterable[Connection]) -> list[TapeConnection]:
    """Return a product's connections, in order."""
    return [
        TapeConnection(
            product,
            each.number,
            each.opened.id,
            each.first_time,
            each.last_time,
            each.closed,
            tuple(each.opened.products),
            each.opened.is_merged_from_several,
        )
        for each in connections
    ]


def within(connections: Iterable[TapeConnection], window: Window) -> list[TapeConnection]:
    """Return the connections with rows in a window, cut at its end."""
    kept = []
    for each in connections:
        too_early = window.start is not None and each.end < window.start
        too_late = window.end is not None and each.begin >= window.end
        if not (too_early or too_late):
            is_cut = window.end is not None and each.end >= window.end
            kept.append(replace(each, end=(window.end or 0) - 1) if is_cut else each)
    return kept


def playlist(
    connections: Mapping[str, Sequence[TapeConnection]], start: int | None = None
) -> list[ConnectionReplay]:
    """Return what a client of these products gets, socket by socket; the package's docstring has the rules.

    Args:
        connections: by product, in order.
        start: recv_time at which to begin; None begins with the first row.
    """
    remaining = {product: deque(each) for product, each in connections.items() if each}
    replays: list[ConnectionReplay] = []
    position = start
    while remaining:
        begins = min(each[0].begin for each in remaining.values())
        # If all products were disconnected, a client that comes back does not wait for the next connection.
        clock_start = begins if position is None or begins > position else position
        end, close = _interruption(remaining)
        members = sorted((each[0] for each in remaining.values() if each[0].begin <= end), key=_by_begin)
        for member in members:
            if member.end <= end:
                remaining[member.product].popleft()
        remaining = {product: each for product, each in remaining.items() if each}
        last_close = (close or Disconnected()) if remaining else None
        replays.append(ConnectionReplay(tuple(members), clock_start, end, last_close))
        position = end
    return replays


def _by_begin(connection: TapeConnection) -> tuple[int, str]:
    return connection.begin, connection.product


def _interruption(remaining: Mapping[str, deque[TapeConnection]]) -> tuple[int, Disconnected | None]:
    """Return when and how a socket ends that replays the first connection of each product."""
    heads = [each[0] for each in remaining.values()]
    ended: TapeConnection | None = None
    comes_back: int | None = None
    for head in sorted(heads, key=lambda each: (each.end, each.product)):
        if ended is not None and comes_back is not None and comes_back <= head.end:
            # A product that ended earlier comes back here, beside one that opened meanwhile.
            return comes_back - 1, ended.close
        others = [
            each
            for each in heads
            if each.begin <= head.end < each.end and not each.shares(head) and each is not head
        ]
        again = remaining[head.product][1].begin if len(remaining[head.product]) > 1 else None
        if not others or (again is not None and any(each.end >= again for each in others)):
            return max(each.end for each in heads if each is head or each.shares(head)), head.close
        ended = head
        if again is not None:
            comes_back = again if comes_back is None else min(comes_back, again)
    raise AssertionError("the last connection to end has no others")
