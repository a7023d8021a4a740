"""The list of segments: what a line says, and damage in it is reported by file and line."""

import json
from pathlib import Path
from typing import Final

import pytest

from orderbook.times import MAX_TIME_NS
from recorder.api import import_captures
from recorder.settings import SealPolicy
from recorder.tape.errors import (
    DamagedTapeError,
)
from recorder.tape.format.segment_list import append_entry, read_segment_list
from replay.checking.verify import verify
from tests.support.constants import BTC, START
from tests.support.rows import frames, read_rows, write_tape
from tests.support.tapes import list_path, segment_paths, snapshot, write_capture


def test_the_list_of_segments(tmp_path: Path) -> None:
    """Each line of the list has file, rows, times, connections, size and checksum of a segment."""
    rows = [row._replace(connection=row.seq // 4) for row in frames(12)]
    tape = write_tape(tmp_path / "tape", rows, policy=SealPolicy(rows=10))
    lines = list_path(tape).read_bytes().splitlines()
    first, second = (json.loads(line) for line in lines)
    assert first["file"] == "date=2026-08-09/00000000000000000000.parquet"
    assert (first["first_seq"], first["rows"], first["connections"]) == (0, 10, [0, 2])
    assert (second["first_seq"], second["rows"], second["connections"]) == (10, 2, [2, 2])
    assert first["first_recv_time"] == "2026-08-09T21:05:48.000000000Z"
    assert first["last_recv_time"] == "2026-08-09T21:05:48.000009000Z"
    assert first["bytes"] == segment_paths(tape)[0].stat().st_size
    assert not verify(tape).damage


@pytest.mark.parametrize(
    "line",
    ["{}", "no JSON", '{"file": 1}', "", '{"a":' * 100_000],
    ids=["empty object", "no JSON", "wrong type", "empty line", "nested"],
)
def test_a_damaged_list_of_segments_is_named(half_sealed: Path, line: str) -> None:
    """A line that is not an entry is an error that names file and line."""
    path = list_path(half_sealed)
    lines = path.read_text().splitlines()
    lines[1] = line
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DamagedTapeError, match=r"2026-08-09\.jsonl: line 2"):
        read_rows(half_sealed)


ODD_VALUES: Final = (None, "x", -1, 2**70, 1.5, True, [-1, -1], [2**70, 0], {"0": -1}, {"x": 1}, {"9": 1})
ODD_FACTS: Final = {
    "faults": ({"0": {"crossed": -1}}, {"0": {"\x1b[31m": 1}}, {"9": {"crossed": 1}}),
    "numbered": ([-1], [9]),
    "lags": ({"0": [5, 1]}, {"0": [2**70, 0]}, {"9": [0, 1]}),
    "book_sha256": ("0" * 63,),
    "chain_seq": (1, 8192),
    "rows": (0,),
    "file": ("../x.parquet", "date=2026-08-09/x.parquet", "/etc/passwd"),
    "connections": ([1, 0], [0, 1, 2]),
}
OPTIONAL: Final = {"faults", "numbered", "lags", "book_sha256"}
"""Fields that earlier versions did not write."""


def test_no_odd_value_in_a_line_is_believed(half_sealed: Path) -> None:
    """A field that is missing, of another type or out of its range is damage that names the line."""
    path = list_path(half_sealed)
    first, second, *others = path.read_text().splitlines()
    fields = json.loads(second)
    tried = [{name: value for name, value in fields.items() if name != left} for left in fields]
    tried = [each for each in tried if each.keys() >= OPTIONAL]
    for name in fields:
        odd = [each for each in ODD_VALUES if not (name == "lags" and each is None)]
        tried += [{**fields, name: value} for value in (*odd, *ODD_FACTS.get(name, ()))]
    for each in tried:
        path.write_text("\n".join([first, json.dumps(each), *others]) + "\n")
        with pytest.raises(DamagedTapeError, match=r"2026-08-09\.jsonl: line 2"):
            read_segment_list(path.parent.parent)


def test_a_list_of_segments_with_a_hole_is_damage(half_sealed: Path) -> None:
    """Segments that do not follow one another are an error, not a jump in the rows."""
    path = list_path(half_sealed)
    lines = path.read_text().splitlines()
    path.write_text(f"{lines[0]}\n{lines[2]}\n")
    with pytest.raises(DamagedTapeError, match="begins with row 60, expected row 30"):
        read_rows(half_sealed)


@pytest.mark.parametrize("garbage", [b"", b"no JSON\n", b"{}\n", b'{"file": 1'])
def test_an_entry_goes_after_the_whole_lines(half_sealed: Path, garbage: bytes) -> None:
    """What a crash left of the last line, at whichever byte it ended, is cut; nothing else is."""
    directory = half_sealed / f"product={BTC}"
    path = list_path(half_sealed)
    *whole, last = path.read_bytes().splitlines(keepends=True)
    entry = read_segment_list(directory)[-1]
    for cut in {0, 1, len(last) // 2, len(last) - 1} if not garbage else {0}:
        path.write_bytes(b"".join(whole) + last[:cut] + garbage)
        append_entry(directory, entry)
        assert path.read_bytes() == b"".join([*whole, last])
    path.write_bytes(b"".join(whole[:-1]) + garbage)
    with pytest.raises(DamagedTapeError, match="rows before"):
        append_entry(directory, entry)


@pytest.mark.parametrize(
    ("recv_time", "exchange_time"),
    [(1, "2262-04-11T23:47:16.854775807Z"), (MAX_TIME_NS, "1970-01-01T00:00:00Z")],
)
def test_no_time_of_a_frame_makes_a_tape_unreadable(
    tmp_path: Path, recv_time: int, exchange_time: str
) -> None:
    """A frame may name any time that there is: the tape is whole, and says how far the clocks are apart."""
    frame = json.dumps({**json.loads(snapshot(BTC)), "time": exchange_time})
    tape = tmp_path / "tape"
    import_captures([write_capture(tmp_path / "a.jsonl", [(recv_time - START, frame)])], tape)
    found = verify(tape)
    assert found.damage == []
    assert "recv_time is 106,752.0 days" in found.verdicts[BTC][0].notes[0]
