"""Where the sockets of a client begin and end, by tables and by what must hold for any tape."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.marks import Connected, Disconnected, encode_mark
from recorder.tape.overview import Mark
from replay.serving.script import TapeConnection, connections_of, inside, stretches
from replay.window import Window

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
    """The stretches of hand-made tapes: connections, start and end, and whose ending is played."""
    times, shared, expected = CASES[case]
    found = stretches(connections(times, shared))
    assert [
        " ".join(f"{each.product}{each.number}" for each in stretch.connections)
        + f" {stretch.start}-{stretch.end}"
        + (f" {stretch.ending.reason}" if stretch.ending else "")
        for stretch in found
    ] == expected


def test_a_window_cuts() -> None:
    """Connections outside of a window are not served; one that reaches in is entered at its start."""
    (p,) = connections({"P": [(0, 10), (20, 30), (40, 50), (60, 70)]}).values()
    window = Window(25, 45)
    found = stretches({"P": inside(p, window)}, window.start)
    assert [(s.connections[0].number, s.start, s.end) for s in found] == [(1, 25, 30), (2, 40, 44)]
    assert found[-1].ending is None


def test_a_recorder_that_died() -> None:
    """A connection without an end ended with its last row, nobody knows how; the last is the tape's end."""
    opened = [encode_mark(Connected(name)) for name in "ab"]
    marks = [Mark(5, 0, "connected", opened[0], None), Mark(50, 1, "connected", opened[1], 17)]
    found = connections_of("P", marks, 90)
    assert [(each.id, each.begin, each.end) for each in found] == [("a", 5, 17), ("b", 50, 90)]
    first, last = stretches({"P": found})
    assert first.ending == Disconnected(None, "")
    assert last.ending is None


@st.composite
def tapes(draw: st.DrawFn) -> dict[str, list[TapeConnection]]:
    """Make products with connections that overlap in any way."""
    times = {}
    for product in "PQR"[: draw(st.integers(1, 3))]:
        points = sorted(draw(st.sets(st.integers(0, 30), min_size=2, max_size=8)))
        times[product] = [(one, two) for one, two in pairwise(points)][:: draw(st.integers(1, 2))]
    return connections(times)


@given(tapes())
def test_nothing_is_left_out(tape: dict[str, list[TapeConnection]]) -> None:
    """Every connection is played to its end, in order; no product comes twice on a socket."""
    found = stretches(tape)
    for product, all_of_it in tape.items():
        met = [
            (each, stretch) for stretch in found for each in stretch.connections if each.product == product
        ]
        assert [each for each, stretch in met if each.end <= stretch.end] == all_of_it
        assert [each.number for each, _ in met] == sorted(each.number for each, _ in met)
    for stretch in found:
        products = [each.product for each in stretch.connections]
        assert len(products) == len(set(products))
        assert all(each.begin <= stretch.end for each in stretch.connections)
        assert any(each.end <= stretch.end for each in stretch.connections)
    assert all(one.end <= two.start and one.ending is not None for one, two in pairwise(found))
    assert found[-1].ending is None
