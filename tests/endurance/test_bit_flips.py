"""Bit flips in sealed segments, footers, journal, list and manifest: a wrong row is always reported."""

from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from recorder.tape.errors import TapeError
from recorder.tape.format.segment_entry import parts_of
from recorder.tape.format.segment_list import read_segment_list
from recorder.tape.format.sidecars import Start, start_in
from replay.checking.verify import verify
from tests.endurance.forms import TIMEOUT_S, cases, report
from tests.endurance.planned_recorder import PlannedRecorder, planned
from tests.support.journals import encoded
from tests.support.rows import journals, read_rows
from tests.support.tapes import list_paths, segment_paths

pytestmark = pytest.mark.timeout(TIMEOUT_S)

FLIPS = cases(10_000, 150)
ROWS = 90


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return a tape of three segments and a journal."""
    with PlannedRecorder(tmp_path / "tape", segment_rows=25) as recorder:
        for _ in range(ROWS // 5):
            recorder.record(5)
    return tmp_path / "tape"


def position(path: Path, size: int, rng: Random) -> int:
    """Return the position of the byte to flip; in half of the cases in the footer, if there is one."""
    if path.suffix == ".parquet" and rng.random() < 0.5:
        footer = int.from_bytes(path.read_bytes()[-8:-4], "little") + 8
        return rng.randrange(size - footer, size)
    return rng.randrange(size)


def test_a_flipped_bit_is_found(tape: Path) -> None:
    """With one bit flipped a tape has the right rows, or is refused, or verify reports it."""
    rng = Random(6)
    rows = planned(0, ROWS)
    (journal,) = journals(tape)
    lists = [*list_paths(tape), tape / "_tape.json"]
    files = [*segment_paths(tape), journal, *lists]
    whole = {len(encoded(rows[65:end])) for end in range(65, ROWS + 1)}
    assert max(whole) == journal.stat().st_size
    counts = {"refused": 0, "right": 0, "a prefix": 0, "harmless": 0}
    silent: list[str] = []
    broken: list[str] = []
    for _ in range(FLIPS):
        path = rng.choice(files)
        data = path.read_bytes()
        where, bit = position(path, len(data), rng), rng.randrange(8)
        path.write_bytes(data[:where] + bytes([data[where] ^ 1 << bit]) + data[where + 1 :])
        name = f"{path.name} byte {where} of {len(data)} bit {bit}"
        try:
            read = read_rows(tape)
            outcome = "right" if read == rows else "a prefix" if read == rows[: len(read)] else "wrong"
        except TapeError:
            read, outcome = [], "refused"
        except Exception as error:  # noqa: BLE001  no other may happen
            outcome = "broken"
            broken.append(f"{name}: reading: {error!r}")
        try:
            found = verify(tape)
            is_reported = bool(found.damage or found.torn_bytes)
        except TapeError:
            is_reported = True
        except Exception as error:  # noqa: BLE001
            is_reported = False
            broken.append(f"{name}: verify: {error!r}")
        # If all rows are right, the flip may be in bytes that are not read, such as the name of an empty
        # field. Anything else must be reported.
        if outcome == "wrong" or not (is_reported or outcome == "right"):
            silent.append(f"{name}: {outcome}, reported: {is_reported}")
        counts["harmless"] += not is_reported
        counts[outcome] = counts.get(outcome, 0) + 1
        path.write_bytes(data)
    report("bit flips", flips=FLIPS, silent=len(silent), tracebacks=len(broken), **counts)
    assert not broken, "\n".join(broken[:10])
    assert not silent, "\n".join(silent[:10])
    assert read_rows(tape) == rows
    assert not verify(tape).damage


def test_flipped_rows_are_never_replayed_wrongly(tape: Path) -> None:
    """Whatever byte of a segment's pages is changed, the reader refuses the segment or returns its rows."""
    rng = Random(8)
    rows = planned(0, ROWS)
    path = segment_paths(tape)[1]
    data = path.read_bytes()
    footer = int.from_bytes(data[-8:-4], "little") + 8
    spots = sorted(rng.sample(range(4, len(data) - footer), min(len(data) - footer - 4, cases(2_000, 100))))
    assert all(one < two for one, two in pairwise(spots))
    for spot in spots:
        path.write_bytes(data[:spot] + bytes([data[spot] ^ 0xFF]) + data[spot + 1 :])
        try:
            assert read_rows(tape) == rows
        except TapeError:
            continue
    path.write_bytes(data)
    report("changed bytes in pages", bytes=len(spots), wrong=0)


def test_a_flipped_sidecar_is_skipped(tape: Path) -> None:
    """With a bit of a sidecar flipped, reading begins at an intact one before it, never with a wrong book."""
    rng = Random(10)
    product_dir = tape / "product=BTC-USD"
    parts = parts_of(read_segment_list(product_dir))
    good = [start_in(product_dir, "exchange", reversed(parts[: number + 1])) for number in range(len(parts))]
    assert [start.seq for start in good] == [part.first_seq for part in parts]
    fallbacks = 0
    for _ in range(cases(2_000, 200)):
        number = rng.randrange(len(parts))
        path = product_dir / "_index" / f"{parts[number].first_seq:020d}.book"
        data = path.read_bytes()
        where, bit = rng.randrange(len(data)), rng.randrange(8)
        path.write_bytes(data[:where] + bytes([data[where] ^ 1 << bit]) + data[where + 1 :])
        found = start_in(product_dir, "exchange", reversed(parts[: number + 1]))
        assert found in (good[number], good[number - 1] if number else Start())
        fallbacks += found != good[number]
        path.write_bytes(data)
    assert fallbacks
    report("flipped sidecars", flips=cases(2_000, 200), fallbacks=fallbacks, wrong=0)
