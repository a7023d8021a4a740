"""The connections of a tape: every one is found, with its facts, wherever segments and batches end."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.connection_marks import Connected, Disconnected, encode_mark, read_connected, read_disconnected
from orderbook.facts import Facts, no_facts
from recorder.settings import SealPolicy
from recorder.tape.connections import Connection, ConnectionCollector
from recorder.tape.overview import overview
from recorder.tape.reader import Tape
from tests.support.constants import BTC
from tests.support.oracle import Row
from tests.support.rows import frames, in_batches, write_tape


def rows_of(connections: Sequence[tuple[int, bool]]) -> list[Row]:
    """Return the rows of connections: number of frames, and whether the end was recorded."""
    kinds = [
        (number, kind)
        for number, (length, is_ended) in enumerate(connections)
        for kind in ("connected", *["frame"] * length, *["disconnected"] * is_ended)
    ]
    return [
        row._replace(connection=number, kind=kind, payload=payload_of(number, kind, row.payload))
        for row, (number, kind) in zip(frames(len(kinds)), kinds, strict=True)
    ]


def payload_of(number: int, kind: str, frame: str) -> str:
    """Return the payload of a row of a kind."""
    if kind == "connected":
        return encode_mark(Connected(str(number)))
    return encode_mark(Disconnected(1006, "lost")) if kind == "disconnected" else frame


def naively(rows: Sequence[Row]) -> list[Connection]:
    """Return the connections of rows, found one by one."""
    found = []
    for number in sorted({row.connection for row in rows}):
        mine = [row for row in rows if row.connection == number]
        closed = read_disconnected(mine[-1].payload) if mine[-1].kind == "disconnected" else None
        opened = read_connected(mine[0].payload)
        came = any(row.kind == "frame" for row in mine)
        found.append(Connection(number, opened, mine[0].recv_time, mine[-1].recv_time, closed, came))
    return found


TAPES = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=6)


@settings(max_examples=40)
@given(TAPES, st.integers(1, 5), st.booleans())
def test_a_tape_has_the_connections_of_its_rows(
    connections: list[tuple[int, bool]], segment_rows: int, seal: bool
) -> None:
    """The overview finds all connections, although it does not read segments within one of them."""
    rows = rows_of(connections)
    with TemporaryDirectory() as directory:
        policy = SealPolicy(rows=segment_rows)
        tape = write_tape(Path(directory) / "tape", rows, policy=policy, batch_rows=7, seal=seal)
        found = overview(Tape.open(tape).product(BTC))
    assert [replace(each, is_counted=True) for each in found.connections] == naively(rows)
    assert (found.first_time, found.last_time) == (rows[0].recv_time, rows[-1].recv_time)
    assert found.rows == len(rows)
    sealed = found.rows - found.journal_rows
    uncounted = {row.connection for row in rows[sealed:]}
    assert [each.number for each in found.connections if not each.is_counted] == sorted(uncounted)


@given(TAPES, st.integers(1, 9))
def test_a_pass_collects_the_connections_of_its_rows(connections: list[tuple[int, bool]], size: int) -> None:
    """Whatever the batches, each connection has its ends, its faults and whether it was numbered."""
    rows = rows_of(connections)
    collector = ConnectionCollector()
    for rows_of_batch in in_batches(rows, size):
        collector.add(rows_of_batch)
    assert list(collector.connections(no_facts())) == naively(rows)
    found = collector.connections(Facts({0: {"gap": 2}}, {0}, {0: (-1, 5)}))
    known = [(each.faults, each.is_numbered, each.lag) for each in found]
    assert known == [({"gap": 2}, True, (-1, 5)), *[({}, False, None)] * (len(found) - 1)]
