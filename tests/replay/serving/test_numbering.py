"""What a socket sends is numbered one by one, unless the recorded connection was not."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.venues.registry import venue
from replay.serving.merging import ServedFrame
from replay.serving.numbering import SocketNumbers, StreamNumbers
from replay.serving.playlist import ConnectionReplay, TapeConnection

PRODUCTS = ("P", "Q", "R")
OWNERS = st.sampled_from(PRODUCTS)


def stream(
    socket: SocketNumbers, *connections: tuple[str, tuple[str, ...]], books: bool = True
) -> StreamNumbers:
    """Return the numbers of a stream of these products, each with the products of its connection."""
    members = tuple(
        TapeConnection(product, 0, ",".join(shared), 0, 1, None, shared) for product, shared in connections
    )
    return socket.stream(ConnectionReplay(members, 0, 1, None), is_whole=books)


def frame(number: int, product: str) -> ServedFrame:
    """Return a frame with a number."""
    return ServedFrame(0, f'{{"channel":"x","sequence_num":{number},"events":[]}}', (product,))


def sent(numbers: StreamNumbers, frames: list[tuple[int, str]]) -> list[int]:
    """Return the numbers of what is sent."""
    return [json.loads(numbers.text(frame(*each)))["sequence_num"] for each in frames]


@given(
    st.integers(0, 9),
    st.lists(st.sampled_from(PRODUCTS), min_size=1, max_size=30),
    st.sets(st.sampled_from(PRODUCTS), min_size=1),
)
def test_a_part_of_a_connection_has_no_gap(first: int, owners: list[str], wanted: set[str]) -> None:
    """Frames of other products are left out, and what is sent counts on by one."""
    frames = [(first + place, owner) for place, owner in enumerate(owners) if owner in wanted]
    numbers = stream(SocketNumbers(venue("advanced")), *((each, PRODUCTS) for each in sorted(wanted)))
    found = sent(numbers, frames)
    assert all(after == before + 1 for before, after in pairwise(found))
    assert found[:1] == [number for number, _ in frames[:1]]


@given(st.lists(st.integers(0, 20), max_size=12))
def test_a_whole_connection_keeps_its_numbers(recorded: list[int]) -> None:
    """Every number stays, and with it every gap and repetition that was recorded."""
    numbers = stream(SocketNumbers(venue("advanced")), ("P", ("P",)))
    assert sent(numbers, [(number, "P") for number in recorded]) == recorded


def test_connections_that_are_merged_keep_their_gaps() -> None:
    """The frames of two connections count on from one another; a gap of either stays one."""
    numbers = stream(SocketNumbers(venue("advanced")), ("P", ("P",)), ("Q", ("Q",)))
    frames = [(0, "P"), (0, "Q"), (1, "P"), (1, "Q"), (5, "Q"), (2, "P")]
    assert sent(numbers, frames) == [0, 1, 2, 3, 7, 8]


def test_streams_of_one_socket_count_on() -> None:
    """A later subscription, its acknowledgement, and heartbeats alone have the next numbers."""
    socket = SocketNumbers(venue("advanced"))
    assert socket.acknowledgement(None) is None
    assert socket.acknowledgement(frame(0, "P").text) is None
    assert socket.acknowledgement(frame(7, "P").text) == 6
    assert sent(stream(socket, ("P", ("P",)), books=False), [(7, "P"), (9, "P")]) == [7, 8]
    assert socket.acknowledgement(frame(0, "Q").text) == 9
    assert sent(stream(socket, ("Q", ("Q",))), [(0, "Q"), (1, "Q")]) == [10, 11]


def test_without_numbers_nothing_changes() -> None:
    """Frames without numbers, and those of the Exchange feed, are sent as they are."""
    text = '{"type":"l2update","sequence_num":5}'
    exchange = stream(SocketNumbers(venue("exchange")), ("P", PRODUCTS))
    assert [exchange.text(ServedFrame(0, text, ("P",))) for _ in range(2)] == [text, text]
    advanced = stream(SocketNumbers(venue("advanced")), ("P", PRODUCTS))
    for odd in ("no JSON", "{}", '{"sequence_num":"5"}', '{"events":[{"sequence_num":5}]}'):
        assert advanced.text(ServedFrame(0, odd, ("P",))) == odd


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"sequence_num" : 5, "a": "x"}', '{"sequence_num" : 17, "a": "x"}'),
        ('{"a":"\\"sequence_num\\":1","sequence_num":5}', '{"a":"\\"sequence_num\\":1","sequence_num":17}'),
        (
            '{"events":[{"sequence_num":1}],"sequence_num":5}',
            '{"events":[{"sequence_num":1}],"sequence_num":17}',
        ),
        ('{"sequence_num":1,"sequence_num":5}', '{"sequence_num":17}'),
        ('{"sequence\\u005fnum":5}', '{"sequence_num":17}'),
    ],
)
def test_only_the_number_changes(text: str, expected: str) -> None:
    """The number of a frame is that of its last key of that name at the top, wherever it occurs else."""
    assert venue("advanced").renumbered(text, 17) == expected
    assert venue("advanced").sequence_num(expected) == 17
