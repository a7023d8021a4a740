"""When the sockets of a client begin and end: by tables, and by properties that hold for any tape."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.connection_marks import Connected, Disconnected
from recorder.tape.connections import Connection
from replay.running.window import Window
from replay.serving.playlist import TapeConnection, connections_of, playlist, within

Times = Mapping[str, Sequence[tuple[int, int]]]
"""Begin and end of every connection of a product."""


def connections(times: Times, shared: bool = False) -> dict[str, list[TapeConnection]]:
    """Return connections that ended with their number as the reason; shared ones have an id by number."""
    return {
        product: [
            TapeConnection(
                product,
                number,
                f"{number}" if shared else f"{product}{number}",
                begin,
                end,
                Disconnected(1012, f"{product}{number}"),
            )
            for number, (begin, end) in enumerate(spans)
        ]
        for product, spans in times.items()
    }


CASES = {
    "one product": ({"P": [(0, 10), (20, 30)]}, False, ["P0 0-10 P0", "P1 20-30"]),
    "all down at once": (
        {"P": [(0, 10), (20, 30)], "Q": [(1, 12), (22, 31)]},
        False,
        ["P0 Q0 0-12 Q0", "P1 Q1 20-31"],
    ),
    "one goes on": (
        {"P": [(0, 10), (20, 30)], "Q": [(1, 40)]},
        False,
        ["P0 Q0 0-10 P0", "Q0 P1 10-40"],
    ),
    "one connection of both": (
        {"P": [(0, 10), (11, 30)], "Q": [(0, 12), (12, 30)]},
        True,
        ["P0 Q0 0-12 P0", "P1 Q1 12-30"],
    ),
    "one that never comes back": ({"P": [(0, 10)], "Q": [(1, 30)]}, False, ["P0 Q0 0-30"]),
    "one after the other": ({"P": [(0, 10)], "Q": [(20, 30)]}, False, ["P0 0-10 P0", "Q0 20-30"]),
    "back beside one that opened meanwhile": (
        {"P": [(0, 10), (20, 30)], "Q": [(1, 12)], "R": [(11, 40)]},
        False,
        ["P0 Q0 R0 0-19 Q0", "R0 P1 19-40"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_stretches(case: str) -> None:
    """The playlists of example tapes: connections, start and end, and the close that is replayed."""
    times, shared, expected = CASES[case]
    found = playlist(connections(times, shared))
    assert [
        " ".join(f"{each.product}{each.number}" for each in replay.connections)
        + f" {replay.start}-{replay.end}"
        + (f" {replay.close.reason}" if replay.close else "")
        for replay in found
    ] == expected


def test_a_window_cuts() -> None:
    """Connections outside a window are not served; one that overlaps its start is entered there."""
    (p,) = connections({"P": [(0, 10), (20, 30), (40, 50), (60, 70)]}).values()
    window = Window(25, 45)
    found = playlist({"P": within(p, window)}, window.start)
    assert [(s.connections[0].number, s.start, s.end) for s in found] == [(1, 25, 30), (2, 40, 44)]
    assert found[-1].close is None


def test_a_recorder_that_died() -> None:
    """A connection without an end ended with its last row, in an unknown way; the last ends with the tape."""
    facts = [Connection(0, Connected("a"), 5, 17), Connection(1, Connected("b"), 50, 90)]
    found = connections_of("P", facts)
    assert [(each.id, each.begin, each.end) for each in found] == [("a", 5, 17), ("b", 50, 90)]
    first, last = playlist({"P": found})
    assert first.close == Disconnected(None, "")
    assert last.close is None


@st.composite
def tapes(draw: st.DrawFn) -> dict[str, list[TapeConnection]]:
    """Draw products with connections that overlap in any way."""
    times = {}
    for product in "PQR"[: draw(st.integers(1, 3))]:
        points = sorted(draw(st.sets(st.integers(0, 30), min_size=2, max_size=8)))
        times[product] = [(one, two) for one, two in pairwise(points)][:: draw(st.integers(1, 2))]
    return connections(times)


@given(tapes())
def test_nothing_is_left_out(tape: dict[str, list[TapeConnection]]) -> None:
    """Every connection is replayed to its end, in order; no product comes twice on one socket."""
    found = playlist(tape)
    for product, all_of_it in tape.items():
        met = [(each, replay) for replay in found for each in replay.connections if each.product == product]
        assert [each for each, replay in met if each.end <= replay.end] == all_of_it
        assert [each.number for each, _ in met] == sorted(each.number for each, _ in met)
    for replay in found:
        products = [each.product for each in replay.connections]
        assert len(products) == len(set(products))
        assert all(each.begin <= replay.end for each in replay.connections)
        assert any(each.end <= replay.end for each in replay.connections)
    assert all(one.end <= two.start and one.close is not None for one, two in pairwise(found))
    assert found[-1].close is None
