"""The connections of a tape: every one is found, with its facts, wherever segments and batches end."""

import re
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection

import booktape as bt
from orderbook.connection_marks import Connected, Disconnected, encode_mark, read_connected, read_disconnected
from orderbook.facts import Facts, no_facts
from recorder.api import record
from recorder.results import Recorded
from recorder.settings import Backoff, ConnectionSettings, RecordSettings, SealPolicy
from recorder.tape.connections import Connection, ConnectionCollector
from recorder.tape.overview import overview
from recorder.tape.reader import Tape
from tests.support.commands import Json, invoke, json_of
from tests.support.constants import BTC, SECOND, START
from tests.support.oracle import Row
from tests.support.recordings import record_here, summaries
from tests.support.rows import frames, in_batches, read_rows, write_tape
from tests.support.scripted_server import ScriptedServer, book


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


_HOURS = 7200 * SECOND
_FRAMES = 5


async def _close(number: int, connection: ServerConnection) -> None:
    for text in [*book(number), *book(number)[1:]]:
        await connection.send(text)
    await connection.close(1012, "restart")


async def _serve(number: int, connection: ServerConnection) -> None:
    for text in book(number):
        await connection.send(text)
    await connection.wait_closed()


def _record_to_outage(tape: Path, rows: int) -> Recorded:
    """Record until the connection has ended, and stop two hours later by the recorder's clock."""
    times = [START + place * SECOND for place in range(_FRAMES + 2)]
    readings = iter([*times, START + _HOURS])

    def stamp() -> int:
        time = next(readings)
        if time == times[-1]:  # `disconnected` is the row that is being stamped
            signal.raise_signal(signal.SIGINT)
        return time

    connection = {"trades": False, "backoff": Backoff(3600.0, 3600.0), "clock_for": lambda *_: stamp}
    with ScriptedServer(_close) as peer:
        settings = ConnectionSettings("exchange", peer.url, **connection)  # type: ignore[arg-type]
        return record([BTC], tape, RecordSettings(settings, seal=SealPolicy(rows=rows), now_ns=lambda: START))


def test_an_outage_that_lasts_until_the_stop_is_told(tmp_path: Path) -> None:
    """Its length is in the result, on the tape, in `inspect` and `verify`, and none of it is observed."""
    tape = tmp_path / "tape"
    recorded = _record_to_outage(tape, 1)  # the row that tells of the stop has a segment of its own
    ended, lost = START + (_FRAMES + 1) * SECOND, START + _FRAMES * SECOND
    assert [(row.kind, row.recv_time) for row in read_rows(tape)][-2:] == [
        ("disconnected", ended),
        ("disconnected", START + _HOURS),
    ]
    assert (recorded.outages[BTC].start, recorded.outages[BTC].end) == (lost, START + _HOURS)
    assert f"{BTC}: not observed for the last 7,195.000 s" in recorded.notes()[0]
    document: Json = recorded.document()
    counts = document["products"][BTC]
    assert (counts["observed_s"], counts["excluded_s"]) == (4.0, 7196.0)  # a second before the snapshot
    assert document["outages"][BTC]["seconds"] == 7195.0
    (seen,) = json_of("inspect", tape, "--json")["products"][BTC]["interruptions"]
    assert (seen["seconds"], seen["connection"], seen["code"]) == (7194.0, None, 1012)
    assert "until the recording was stopped (1012 restart)" in invoke("inspect", tape).stdout
    assert json_of("verify", tape, "--json")["products"][BTC]["outage"]["seconds"] == 7195.0
    verified = invoke("verify", tape)
    assert (verified.exit_code, "not observed for the last 7,195.000 s" in verified.stdout) == (0, True)
    for command in ("replay", "compare"):
        page, early = tmp_path / f"{command}.html", tmp_path / f"{command}-early.html"
        assert invoke(command, tape, "--threshold", "1bps", "--html", page).exit_code == 0
        listed = page.read_text().partition("Time without a book")[2].partition("</table>")[0]
        assert re.search(r"<td[^>]*>7,195\.000</td>\s*<td[^>]*>1</td>", listed), command
        assert invoke(command, tape, "--to", "4s", "--threshold", "1bps", "--html", early).exit_code == 0
        assert "Time without a book" not in early.read_text()
    absent = invoke("book", tape, "-p", BTC, "--at", "3600s")
    assert "when the recording was stopped" in absent.stderr


def test_a_recording_that_goes_on_closes_the_outage(tmp_path: Path) -> None:
    """The next connection ends it: one interruption, from the lost connection to the new one."""
    tape = tmp_path / "tape"
    _record_to_outage(tape, 4)
    with ScriptedServer(_serve) as peer:
        recorded = record_here(peer.url, tape, {BTC: summaries(3, connection=1)})
    assert not recorded.outages
    (first,) = (row.recv_time for row in read_rows(tape) if (row.kind, row.connection) == ("connected", 1))
    (found,) = bt.open(tape).inspect().products[BTC].interruptions
    assert (found.start, found.end, found.connection) == (START + (_FRAMES + 1) * SECOND, first, 1)
    verified = bt.open(tape).verify()
    assert not verified.damage
    assert not verified.outages
    bt.open(tape).compact()
    assert bt.open(tape).inspect().products[BTC].interruptions == (found,)
