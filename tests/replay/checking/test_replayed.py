"""Rows and entries that differ from what was recorded, though the files are intact."""

from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from replay.checking.verify import verify
from tests.support import tapes
from tests.support.constants import BTC, ETH
from tests.support.verified import assert_damaged


def not_listed_rows(rows: pa.Table) -> list[int]:
    """Return the positions of rows inside a segment that have no summary: heartbeats."""
    payloads = rows.column("payload").to_pylist()
    return [n for n, payload in enumerate(payloads) if "heartbeat" in payload and 0 < n < len(payloads) - 1]


@pytest.mark.parametrize("line", [0, 1, -1])
def test_edited_digest(imported: Path, line: int) -> None:
    """A digest that differs from the replay's is found, with its file."""
    tapes.edit_catalog(imported, ETH, line, digest="0" * 64)
    path = tapes.segment_paths(imported, ETH)[line]
    (found,) = assert_damaged(imported, path)
    assert "digest" in found
    (divergence,) = verify(imported).divergences
    assert (divergence.seq, divergence.exact) == (int(path.stem), False)


def test_hole_in_seq(imported: Path) -> None:
    """A missing row is found and the file named, though checksum, size and digest are right."""

    def drop(rows: pa.Table) -> pa.Table:
        gone = not_listed_rows(rows)[3]
        return pa.concat_tables([rows.slice(0, gone), rows.slice(gone + 1)])

    path = tapes.rewrite_segment(imported, BTC, 1, drop)
    assert_damaged(imported, path)


def test_repeated_seq(imported: Path) -> None:
    """A repeated row is found and the file named."""

    def repeat(rows: pa.Table) -> pa.Table:
        place = not_listed_rows(rows)[3]
        return pa.concat_tables([rows.slice(0, place + 1), rows.slice(place)])

    path = tapes.rewrite_segment(imported, BTC, 1, repeat)
    assert_damaged(imported, path)


def test_time_going_back(imported: Path) -> None:
    """A recv_time below the row before is found and the file named, though everything else is right."""

    def set_back(rows: pa.Table) -> pa.Table:
        times = rows.column("recv_time").cast(pa.int64()).to_pylist()
        place = not_listed_rows(rows)[3]
        times[place] = times[place - 1] - 1
        column = pa.array(times, pa.int64()).cast(rows.schema.field("recv_time").type)
        return rows.set_column(1, rows.schema.field("recv_time"), column)

    path = tapes.rewrite_segment(imported, BTC, 1, set_back)
    (found,) = assert_damaged(imported, path)
    assert "recv_time" in found


def test_connections_that_do_not_count_up(imported: Path) -> None:
    """A connection number that jumps is found and the file named."""

    def jump(rows: pa.Table) -> pa.Table:
        connections = pc.add(rows.column("connection"), pa.scalar(5, pa.int32()))
        return rows.set_column(2, rows.schema.field("connection"), connections)

    path = tapes.rewrite_segment(imported, BTC, 1, jump)
    lines = assert_damaged(imported, path)
    assert any("connection" in line for line in lines)


def test_edited_payload(imported: Path) -> None:
    """A changed frame changes the digest, though size and checksum are right."""

    def edit(rows: pa.Table) -> pa.Table:
        payloads = rows.column("payload").to_pylist()
        place = next(n for n, payload in enumerate(payloads) if "l2update" in payload)
        payloads[place] = tapes.update(BTC, ("buy", "99.5", "1"))
        return rows.set_column(4, rows.schema.field("payload"), pa.array(payloads, pa.string()))

    path = tapes.rewrite_segment(imported, BTC, 2, edit)
    (found,) = assert_damaged(imported, path)
    edited = tapes.update(BTC, ("buy", "99.5", "1"))
    row = next(row for row in tapes.tape_rows(imported, BTC) if row.payload == edited)
    assert f"in block 0 from row {row.seq} on" in found
    assert row.payload in found
    expected = {"product": BTC, "block": 0, "seq": row.seq, "exact": True, "kind": "frame"}
    assert msgspec.to_builtins(verify(imported).divergences) == [{**expected, "payload": row.payload}]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("last_recv_time", "2026-08-10T21:05:48.000000000Z"),
        ("first_recv_time", "2026-08-08T21:05:48.000000000Z"),
        ("connections", [0, 7]),
        ("chain", "1" * 64),
        ("chain_seq", 12_288),
    ],
)
def test_edited_entry(imported: Path, field: str, value: object) -> None:
    """The entry of a segment, on which a later recording builds, is compared with the segment."""
    tapes.edit_catalog(imported, BTC, -1, **{field: value})
    assert_damaged(imported, f"product={BTC}")
