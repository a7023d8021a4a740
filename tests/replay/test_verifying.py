"""What `verify` finds, and that it finds nothing in a good tape."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from replay.synthetic.exchange import ExchangeSettings, SyntheticExchange
from replay.synthetic.market import MarketSettings
from replay.verifying import verify
from tests.replay import tapes
from tests.replay.tapes import MS, Json, Recording

BTC, ETH = "BTC-USD", "ETH-USD"
BLOCK = 4096


def assert_whole(tape: Path) -> Json:
    """Insist that a tape is whole; return the document."""
    done = tapes.command("verify", tape, "--json")
    assert (done.exit_code, done.stderr) == (0, ""), done.stdout
    document: Json = json.loads(done.stdout)
    assert document["ok"] is True
    assert document["damage"] == []
    assert document["checked_digests"] == sum(
        len(tapes.catalog(tape, product)) for product in tapes.products_of(tape)
    )
    return document


def assert_damaged(tape: Path, name: object) -> list[str]:
    """Insist that a tape is found damaged and that a finding names a file; return the findings."""
    done = tapes.command("verify", tape, "--json")
    assert (done.exit_code, done.stderr) == (1, ""), done.stdout
    document = json.loads(done.stdout)
    assert document["ok"] is False
    damage: list[str] = document["damage"]
    assert any(str(name) in line for line in damage), damage
    assert all(len(line.splitlines()) == 1 for line in damage)
    return damage


@pytest.fixture
def tape(recording: Recording, tmp_path: Path) -> Path:
    """Return a copy of the recording, to be damaged."""
    return tapes.copy_of(recording.tape, tmp_path)


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    """Return a small tape of two products with three segments each, to be damaged."""
    frames = [(0, tapes.snapshot(product)) for product in (BTC, ETH)]
    for number in range(1, 120):
        for product in (BTC, ETH):
            heartbeat = json.dumps({"type": "heartbeat", "product_id": product, "sequence": number})
            frames += [(number * MS, tapes.update(product)), (number * MS + 1, heartbeat)]
    return tapes.import_frames(tmp_path, frames, segment_rows=100)


# Good tapes


def test_recording(recording: Recording) -> None:
    """A live recording with interruptions and several segments is whole."""
    assert_whole(recording.tape)


def test_capture(capture_tape: Path) -> None:
    """An imported real capture is whole and its feed did nothing wrong."""
    document = assert_whole(capture_tape)
    assert document["feed_faults"] == []


def test_imported(imported: Path) -> None:
    """An import of several segments is whole."""
    document = assert_whole(imported)
    assert document["checked_digests"] == 6


@pytest.mark.parametrize("segment_rows", [1, 7, 1024, BLOCK - 1, BLOCK, BLOCK + 1])
def test_segments_of_any_length(tmp_path: Path, segment_rows: int) -> None:
    """Wherever segments end, each is sealed with the digest after its own last row."""
    number = 40 if segment_rows < 10 else 2 * BLOCK + 100
    frames = [(0, tapes.snapshot(BTC)), *((n * MS, tapes.update(BTC)) for n in range(1, number))]
    assert_whole(tapes.import_frames(tmp_path, frames, segment_rows=segment_rows))


@pytest.mark.parametrize(
    "options",
    [("--segment-rows", "50"), ("--segment-bytes", "10000"), ("--segment-time", "100ms")],
    ids=lambda options: options[0],
)
def test_live_segments(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Whatever ends a live segment, it is sealed with the digest after its last row."""
    settings = ExchangeSettings(rate=1000.0, frames=500, keep_sent=False)
    tape = tmp_path / "tape"
    with SyntheticExchange([MarketSettings(BTC, depth=20)], settings) as exchange:

        def until() -> None:
            exchange.wait_for_done(timeout=tapes.TIMEOUT_S)

        tapes.record(tape, [BTC], exchange.url, until, *options)
    assert len(tapes.catalog(tape, BTC)) > 3
    assert_whole(tape)


def test_appended_tape(tmp_path: Path) -> None:
    """A tape that grew by further imports is whole."""
    for number in range(3):
        frames = [(number * 1000 * MS + n * MS, tapes.snapshot(BTC)) for n in range(50)]
        tape = tapes.import_frames(tmp_path, frames, segment_rows=20)
    assert_whole(tape)


# Damage


@pytest.mark.parametrize("position", [4, 100, 0.5, 0.8, -9, -300, -1])
def test_flipped_byte(tape: Path, position: float) -> None:
    """One changed byte in a segment, wherever it is, is found and the file named."""
    path = tapes.segment_paths(tape, BTC)[1]
    at = int(position * path.stat().st_size) if isinstance(position, float) else position
    tapes.flip_byte(path, at)
    assert_damaged(tape, path)


@pytest.mark.parametrize("left", [0.0, 0.5, 1.0])
def test_truncated_segment(tape: Path, left: float) -> None:
    """A segment that is cut short, be it by one byte, is found and named."""
    path = tapes.segment_paths(tape, ETH)[0]
    data = path.read_bytes()
    path.write_bytes(data[: min(len(data) - 1, int(left * len(data)))])
    assert_damaged(tape, path)


def test_missing_segment(tape: Path) -> None:
    """A segment that is gone is found and named."""
    path = tapes.segment_paths(tape, BTC)[-1]
    path.unlink()
    assert_damaged(tape, path)


@pytest.mark.parametrize("line", [0, 1, -1])
def test_edited_digest(imported: Path, line: int) -> None:
    """A digest that is not that of the replay is found, with the file that it belongs to."""
    tapes.edit_catalog(imported, ETH, line, digest="0" * 64)
    path = tapes.segment_paths(imported, ETH)[line]
    (found,) = assert_damaged(imported, path)
    assert "digest" in found
    (divergence,) = verify(imported).divergences
    assert (divergence.seq, divergence.is_exact) == (int(path.stem), False)


def test_findings_on_screen(imported: Path) -> None:
    """On screen every finding is a line, and the verdict says that the tape is not whole."""
    tapes.edit_catalog(imported, ETH, 0, digest="0" * 64)
    path = tapes.segment_paths(imported, BTC)[2]
    tapes.flip_byte(path, -9)
    done = tapes.command("verify", imported)
    assert (done.exit_code, done.stderr) == (1, "")
    assert "NOT whole" in done.stdout
    lines = [line for line in done.stdout.splitlines() if line.startswith("damage: ")]
    assert lines == [f"damage: {each}" for each in assert_damaged(imported, path)]


def test_swapped_segments(imported: Path) -> None:
    """Two segments with each other's content are found."""
    first, second, _ = tapes.segment_paths(imported, BTC)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    assert_damaged(imported, first)


def not_listed_rows(rows: pa.Table) -> list[int]:
    """Return the positions of rows inside a segment that give no summary: heartbeats."""
    payloads = rows.column("payload").to_pylist()
    return [n for n, payload in enumerate(payloads) if "heartbeat" in payload and 0 < n < len(payloads) - 1]


def test_hole_in_seq(imported: Path) -> None:
    """A row that is missing is found and the file named, though checksum, size and digest all fit."""

    def drop(rows: pa.Table) -> pa.Table:
        gone = not_listed_rows(rows)[3]
        return pa.concat_tables([rows.slice(0, gone), rows.slice(gone + 1)])

    path = tapes.rewrite_segment(imported, BTC, 1, drop)
    assert_damaged(imported, path)


def test_repeated_seq(imported: Path) -> None:
    """A row that stands there twice is found and the file named."""

    def repeat(rows: pa.Table) -> pa.Table:
        place = not_listed_rows(rows)[3]
        return pa.concat_tables([rows.slice(0, place + 1), rows.slice(place)])

    path = tapes.rewrite_segment(imported, BTC, 1, repeat)
    assert_damaged(imported, path)


def test_time_going_back(imported: Path) -> None:
    """A recv_time below the row before is found and the file named, though all else fits."""

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
    """A frame that was changed shows in the digest, though size and checksum fit."""

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
    assert verify(imported).document()["divergences"] == [{**expected, "payload": row.payload}]


def test_line_that_is_no_entry(imported: Path) -> None:
    """A list of segments with a line that is none is found and named."""
    path = imported / f"product={BTC}" / "_segments.jsonl"
    path.write_text("{}\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert_damaged(imported, path)


@pytest.mark.parametrize("kept_lines", [0, 2])
def test_segments_that_no_line_lists(imported: Path, kept_lines: int) -> None:
    """Where lines of the list are lost, rows that other readers still see are not passed over in silence."""
    path = imported / f"product={BTC}" / "_segments.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:kept_lines]), encoding="utf-8")
    assert_damaged(imported, f"product={BTC}")


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
    """What the list says of a segment, and a later recording builds on, is checked against the segment."""
    tapes.edit_catalog(imported, BTC, -1, **{field: value})
    assert_damaged(imported, f"product={BTC}")


def test_damage_of_one_segment_hides_no_other(imported: Path) -> None:
    """Every damaged file of a product is named, also those after the first."""
    first, second, third = tapes.segment_paths(imported, BTC)
    first.unlink()
    tapes.flip_byte(second, -9)
    third.write_bytes(third.read_bytes()[:-1])
    for path in (first, second, third):
        assert_damaged(imported, path)


def test_damage_of_one_product_hides_no_other(tape: Path) -> None:
    """Damage of one product does not end the check of the others."""
    paths = [tapes.segment_paths(tape, product)[0] for product in (BTC, ETH)]
    for path in paths:
        path.unlink()
    lines = assert_damaged(tape, paths[0])
    assert any(str(paths[1]) in line for line in lines)


# What the feed did wrong


def advanced_frames(numbers: list[int]) -> list[tuple[int, str]]:
    """Return Advanced frames of two products on one connection, numbered so."""
    frames = []
    for place, number in enumerate(numbers):
        event = {
            "type": "snapshot" if place < 2 else "update",
            "product_id": (BTC, ETH)[place % 2],
            "updates": [
                {"side": "bid", "event_time": "", "price_level": "99", "new_quantity": "1"},
                {"side": "offer", "event_time": "", "price_level": "100", "new_quantity": "1"},
            ],
        }
        frame = {"channel": "l2_data", "timestamp": "", "sequence_num": number, "events": [event]}
        frames.append((place * MS, json.dumps(frame)))
    return frames


def test_numbers_of_a_shared_connection(tmp_path: Path) -> None:
    """sequence_num without holes over the union of all products is no gap."""
    tape = tapes.import_frames(tmp_path, advanced_frames(list(range(20))))
    assert assert_whole(tape)["feed_faults"] == []
    assert tapes.command("verify", tape, "--strict").exit_code == 0


def test_gap_of_a_shared_connection(tmp_path: Path) -> None:
    """Numbers that no product of the connection has are reported, and fail only with --strict."""
    numbers = [*range(9), *range(12, 20)]
    tape = tapes.import_frames(tmp_path, advanced_frames(numbers))
    (fault,) = assert_whole(tape)["feed_faults"]
    assert "3 sequence numbers" in fault
    done = tapes.command("verify", tape, "--strict")
    assert done.exit_code == 1
    assert "NOT whole" in done.stdout
    assert f"feed: {fault}" in done.stdout


@pytest.mark.parametrize(
    ("kind", "frame"),
    [
        ("crossed", tapes.update(BTC, ("buy", "101", "1"))),
        ("malformed", tapes.update(BTC, ("buy", "1e5", "1"))),
    ],
)
def test_faults_of_the_feed(tmp_path: Path, kind: str, frame: str) -> None:
    """Crossed books and malformed frames are reported, and fail only with --strict."""
    tape = tapes.import_frames(tmp_path, [(0, tapes.snapshot(BTC)), (MS, frame)])
    assert assert_whole(tape)["feed_faults"] == [f"{BTC}: 1 {kind}"]
    assert tapes.command("verify", tape, "--strict").exit_code == 1


def test_early_update(tmp_path: Path) -> None:
    """An update before the first snapshot is reported, and fails only with --strict."""
    tape = tapes.import_frames(tmp_path, [(0, tapes.update(BTC)), (MS, tapes.snapshot(BTC))])
    assert assert_whole(tape)["feed_faults"] == [f"{BTC}: 1 early_update"]
    assert tapes.command("verify", tape, "--strict").exit_code == 1


def test_harmless_oddities_pass(import_capture: Callable[[str], Path]) -> None:
    """The absent deletes of the Advanced capture do not fail even with --strict."""
    done = tapes.command("verify", import_capture("advanced-2026-08-btc-eth"), "--strict", "--json")
    assert done.exit_code == 0, done.stdout
    products = json.loads(done.stdout)["products"]
    assert sum(found["absent_deletes"] for found in products.values()) == 52
