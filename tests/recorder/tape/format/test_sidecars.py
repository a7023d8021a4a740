"""Sidecars: valid for exactly one segment and digest, and treated as missing if anything differs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest

from orderbook.engine import PlainEngine
from recorder.tape.format.layout import book_file, checks_file, product_dir
from recorder.tape.format.segment_entry import Part, SegmentEntry
from recorder.tape.format.sidecars import read_book, read_checks, start_in, write_book, write_checks
from tests.support.constants import BTC
from tests.support.oracle import Row
from tests.support.rows import to_batch
from tests.support.tapes import snapshot

ENGINE: Final = PlainEngine()
DIGESTS = ["00" * 32, "11" * 32, "22" * 32]
PARTS = [Part(seq, "2026-08-09T00:00:00.000000000Z", (0, 0), DIGESTS[seq // 10]) for seq in (0, 10, 20)]
TIME = PARTS[0].first_recv_time


def entry(rows: int = 3, digest: str = DIGESTS[0]) -> SegmentEntry:
    """Return a segment of a few rows."""
    return SegmentEntry("x.parquet", 0, rows, TIME, TIME, (0, 0), 1, "", digest, "", 0)


def book(bid: str) -> bytes:
    """Return a saved book of one bid."""
    text = snapshot(BTC, [[bid, "1"]], [])
    rows = to_batch([Row(0, 0, 0, "connected", "{}"), Row(1, 1, 0, "frame", text)])
    return ENGINE.save(ENGINE.step(ENGINE.start(BTC, "exchange"), rows)[0])


def start(directory: Path, number: int, parts: Sequence[Part] = PARTS) -> tuple[int, bytes | None]:
    """Return where reading begins for a part."""
    found = start_in(directory, "exchange", reversed(parts[: number + 1]))
    return found.seq, found.saved


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return the directory of a product with three books."""
    path = product_dir(tmp_path, BTC)
    for part in PARTS:
        write_book(path, part.first_seq, part.before, book(str(part.first_seq + 1)))
    return path


def test_reading_begins_at_the_nearest_valid_book(directory: Path) -> None:
    """A book of other summaries, a damaged and a missing one are skipped, back to the tape's beginning."""
    assert [start(directory, number)[0] for number in (-1, 0, 1, 2)] == [0, 0, 10, 20]
    write_book(directory, 20, DIGESTS[0], book("21"))
    assert start(directory, 2) == (10, book("11"))
    path = book_file(directory, 10)
    path.write_bytes(path.read_bytes()[:-1])
    assert start(directory, 2) == (0, book("1"))
    book_file(directory, 0).unlink()
    assert start(directory, 2) == (0, None)


@pytest.mark.parametrize("listed", [True, False])
def test_a_book_is_not_believed_by_its_label(directory: Path, listed: bool) -> None:
    """A whole sidecar with the right label is skipped if the list has another book, or if it holds none."""
    sums = [
        write_book(directory, each.first_seq, each.before, book(f"{each.first_seq + 1}")) for each in PARTS
    ]
    parts = [
        replace(each, book_sha256=known if listed else "") for each, known in zip(PARTS, sums, strict=True)
    ]
    assert start(directory, 2, parts) == (20, book("21"))
    right = msgspec.msgpack.decode(book("21"))
    write_book(directory, 20, DIGESTS[2], book("22"))
    assert start(directory, 2, parts)[0] == (10 if listed else 20)
    for change in (
        {"product": "ETH-USD"},
        {"feed": "advanced"},
        {"is_known": False},
        {"bids": [[0, "1"]]},
        {"bids": [[-5, "1"]]},
        {"bids": [[10**18, "1"]]},
        {"bids": [[2**63, "1"]]},
        {"bids": [[2, "1"], [2, "1"]]},
        {"asks": [[3, "1"], [2, "1"]]},
        *(
            {"asks": [[2, size]]}
            for size in ("", "0", "01", "1.0", "-1", "1e5", ".", "1\n", "1" * 19, "." + "1" * 19)
        ),
        {"last_sequence": "x"},
        {"last_sequence": "1" * 10_000},
        {"bids": None},
    ):
        write_book(directory, 20, DIGESTS[2], msgspec.msgpack.encode(right | change))
        assert start(directory, 2, parts) == (10, book("11")), change


def test_no_flipped_bit_changes_a_book(directory: Path) -> None:
    """With any bit of it flipped a sidecar is treated as missing, or still holds the same book."""
    path = book_file(directory, 0)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            assert read_book(directory, PARTS[0], "exchange") in (None, book("1"))


@pytest.mark.parametrize("other", [entry(rows=4), entry(digest=DIGESTS[1])])
def test_checks_of_another_segment_are_not_used(tmp_path: Path, other: SegmentEntry) -> None:
    """Checks come back as they were, and only for a segment with as many rows and the same digest."""
    checks = np.array([1, 2**32 - 1, 0], np.uint32)
    write_checks(tmp_path, entry(), checks)
    found = read_checks(tmp_path, entry())
    assert found is not None
    assert found.tolist() == checks.tolist()
    assert read_checks(tmp_path, other) is None
    checks_file(tmp_path, 0).unlink()
    assert read_checks(tmp_path, entry()) is None
