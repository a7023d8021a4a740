"""Power cuts on a model of a disk that forgets what was not synced.

The file operations are those of the real code. Every state is checked on the model by a second, small reader
of segment list, segments and journals. A sample of the states is written to a real directory, read by the
reader, continued by the next writer and verified.
"""

import shutil
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from hashlib import sha256
from json import JSONDecodeError, loads
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any
from zlib import crc32

import pytest

from orderbook.errors import BooktapeError
from recorder.tape.compaction import compact
from replay.checking.verify import verify
from tests.endurance.disk_model import Disk, Op, State, Trace, materialise, without
from tests.endurance.faults import Call, intercepted
from tests.endurance.forms import TIMEOUT_S, cases, report
from tests.endurance.planned_recorder import PlannedRecorder, begin_format_1, planned
from tests.support.constants import BTC
from tests.support.rows import read_rows

pytestmark = pytest.mark.timeout(TIMEOUT_S)

PRODUCT = f"product={BTC}"
STATES = cases(1_000_000, 8_400)
SAMPLED_STATES = cases(20_000, 63)
MUTATED_STATES = cases(100_000, 4_000)


class LostError(Exception):
    """A state that lost a row that was synced, or that cannot be read."""


# Programs


def record_and_seal(trace: Trace, tape: Path) -> None:
    """Record three segments and a half, syncing every third batch, as a recorder does."""
    with PlannedRecorder(tape) as recorder:
        for number in range(14):
            recorder.record(5)
            if number % 3 == 2:
                recorder.sync()
                trace.promise(recorder.next_seq)


def record_and_stop(trace: Trace, tape: Path) -> None:
    """Record in two runs that each seal to the end."""
    for _ in range(2):
        with PlannedRecorder(tape) as recorder:
            for _ in range(6):
                recorder.record(5)
                recorder.sync()
                trace.promise(recorder.next_seq)
            recorder.seal_all()


def record_die_and_continue(trace: Trace, tape: Path) -> None:
    """Die without sealing, twice; each time another writer continues."""
    for _ in range(3):
        with PlannedRecorder(tape) as recorder:
            trace.promise(recorder.next_seq)  # the rows of the dead writer are sealed by now
            for _ in range(3):
                recorder.append(7)
            recorder.sync()
            trace.promise(recorder.next_seq)


def record_die_listing_and_continue(trace: Trace, tape: Path) -> None:
    """Die between listing a segment and syncing the list; another writer continues."""

    class DeadError(BaseException):
        """The end of a process."""

    def die(_name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
        if Path(f"/proc/self/fd/{arguments[0]}").readlink().suffix == ".jsonl":
            raise DeadError
        return call(*arguments)

    for _ in range(3):  # the third list is that of another day
        with suppress(DeadError), PlannedRecorder(tape) as recorder, intercepted(die, ("fsync",)):
            for _ in range(5):
                parts = recorder.append(5)
                recorder.sync()
                trace.promise(recorder.next_seq)
                recorder.process(parts)


def record_and_compact(trace: Trace, tape: Path) -> None:
    """Record, merge the segments, record on and merge again."""
    for _ in range(2):
        with PlannedRecorder(tape) as recorder:
            for _ in range(9):
                recorder.record(5)
            recorder.sync()
            trace.promise(recorder.next_seq)
            compact(tape)


def record_and_migrate(trace: Trace, tape: Path) -> None:
    """Go on with a tape of format 1 and merge segments beside it, then bring it to format 2 and record on."""
    begin_format_1(tape)
    record_and_compact(trace, tape)
    compact(tape)
    with PlannedRecorder(tape) as recorder:
        trace.promise(recorder.next_seq)
        for _ in range(6):
            recorder.record(5)
        recorder.sync()
        trace.promise(recorder.next_seq)
        compact(tape)


def die_migrating_and_continue(trace: Trace, tape: Path) -> None:
    """Die between renaming the lists of format 2 and making that durable; another writer completes it."""
    begin_format_1(tape)
    with PlannedRecorder(tape) as recorder:
        recorder.record(70)
        recorder.seal_all()
    trace.promise(70)

    class DeadError(BaseException):
        """The end of a process."""

    has_renamed = False

    def die(name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
        nonlocal has_renamed
        if has_renamed:
            raise DeadError
        has_renamed = name == "replace" and Path(arguments[1]).name == "_segments"
        return call(*arguments)

    with suppress(DeadError), intercepted(die, ("replace", "fsync")):
        compact(tape)
    with PlannedRecorder(tape) as recorder:
        recorder.record(30)
        recorder.seal_all()
        trace.promise(recorder.next_seq)


PROGRAMS: list[Callable[[Trace, Path], None]] = [
    record_and_seal,
    record_and_stop,
    record_die_and_continue,
    record_die_listing_and_continue,
    record_and_compact,
    record_and_migrate,
    die_migrating_and_continue,
]


def trace_of(program: Callable[[Trace, Path], None], directory: Path) -> list[Op]:
    """Return the file operations of a program on a new tape."""
    directory.mkdir()
    trace = Trace(directory)
    with trace.recording():
        program(trace, directory / "tape")
    return trace.ops


# The check on the model


@cache
def _listed(content: bytes) -> list[tuple[str, int, int, int, str]]:
    entries = []
    for line in content.split(b"\n")[:-1]:
        try:
            entry = loads(line)
        except (JSONDecodeError, UnicodeDecodeError):
            break  # the last line, torn: the journal that it was to replace must still be there
        entries.append(tuple(entry[name] for name in ("file", "first_seq", "rows", "bytes", "sha256")))
    return entries


@cache
def _sum(content: bytes) -> str:
    return sha256(content).hexdigest()


@cache
def _journal(content: bytes) -> tuple[int, ...]:
    """Return the seqs of a journal's intact records."""
    seqs: list[int] = []
    offset = 0
    while offset + 8 <= len(content):
        crc, length = struct.unpack_from("<II", content, offset)
        body = content[offset + 8 : offset + 8 + length]
        if length < 21 or len(body) < length or crc32(content[offset + 4 : offset + 8] + body) != crc:
            break
        seqs.append(struct.unpack_from("<q", body)[0])
        offset += 8 + length
    return tuple(seqs)


def surviving(state: State) -> int:
    """Return the number of rows that are left from the first one on, without a gap.

    Raises:
        LostError: if a row is missing before another or comes twice, or a listed file is incomplete.
    """
    if "tape/_tape.json" not in state:
        return 0
    within = f"tape/{PRODUCT}"
    lists = [f"{within}/_segments"]
    if f"{within}/_segments/" in state:
        if loads(state["tape/_tape.json"])["format"] < 2:
            raise LostError("an earlier version would read it, and find no list")
        lists = sorted({path.partition(".")[0] for path in state if path.startswith(f"{within}/_segments/2")})
    next_seq = 0
    for name, first_seq, rows, size, checksum in (
        entry
        for path in lists
        for entry in _listed(state.get(f"{path}.next.jsonl", state.get(f"{path}.jsonl", b"")))
    ):
        folder, _, file = name.partition("/")
        merged, plain = (state.get(f"{within}/{path}") for path in (f"{folder}/_{file}.merged", name))
        held = merged if merged is not None and len(merged) == size else plain
        if held is None or len(held) != size or _sum(held) != checksum:
            raise LostError(f"segment {name} is not what was sealed")
        if first_seq != next_seq:
            raise LostError(f"segment {name} in place of row {next_seq}")
        next_seq += rows
    for path in sorted(path for path in state if path.endswith(".journal")):
        for seq in _journal(state[path]):
            if seq > next_seq:
                raise LostError(f"row {seq} in {path} in place of row {next_seq}")
            next_seq = max(next_seq, seq + 1)
    return next_seq


def losses(disk: Disk, states: int, rng: Random) -> Iterator[str]:
    """Yield the faults of states after random power cuts."""
    for _ in range(states):
        cut = rng.randrange(disk.length + 1)
        promised, state = disk.state(cut, rng)
        try:
            left = surviving(state)
        except LostError as error:
            yield f"after operation {cut}: {error}"
        else:
            if left < promised:
                yield f"after operation {cut}: {left} rows of {promised} that were synced"


@pytest.fixture(scope="module", params=PROGRAMS, ids=lambda program: program.__name__)
def traced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Op]:
    """Return the operations of each program in turn."""
    return trace_of(request.param, tmp_path_factory.mktemp("traced") / "disk")


def test_a_power_cut_loses_nothing_that_was_synced(traced: list[Op]) -> None:
    """After a power cut at any operation all rows that were synced are there, once and in order."""
    disk = Disk(traced)
    states = STATES // len(PROGRAMS)
    wrong = list(losses(disk, states, Random(1)))
    report("power cuts, on the model", states=states, operations=disk.length, lost=len(wrong))
    assert not wrong, "\n".join(wrong[:10])


def test_a_power_cut_leaves_a_tape_to_continue(traced: list[Op], tmp_path: Path) -> None:
    """The real code reads, verifies, continues and seals what a power cut leaves."""
    disk, rng = Disk(traced), Random(2)
    scratch = Path("/dev/shm") if Path("/dev/shm").is_dir() else tmp_path  # noqa: S108
    root = Path(mkdtemp(prefix="booktape-", dir=scratch))
    seen: set[int] = set()
    wrong: list[str] = []
    for _ in range(SAMPLED_STATES // len(PROGRAMS)):
        cut = rng.randrange(disk.length + 1)
        promised, state = disk.state(cut, rng)
        seen.add(hash(frozenset(state.items())))
        shutil.rmtree(root, ignore_errors=True)
        materialise(state, root)
        try:
            _continue_tape(root / "tape", promised)
        except (AssertionError, BooktapeError) as error:
            wrong.append(f"after operation {cut}: {str(error).splitlines()[0]}")
    shutil.rmtree(root, ignore_errors=True)
    report(
        "power cuts, with the real reader and writer",
        states=SAMPLED_STATES // len(PROGRAMS),
        distinct=len(seen),
        lost=len(wrong),
    )
    assert not wrong, "\n".join(wrong[:10])


def _continue_tape(tape: Path, promised: int) -> None:
    if not (tape / "_tape.json").exists():
        assert promised == 0, f"no tape although {promised} rows were synced"
        return
    before = read_rows(tape)
    assert len(before) >= promised, f"{len(before)} rows of {promised} that were synced"
    assert before == planned(0, len(before)), "not the rows that were written"
    with PlannedRecorder(tape) as recorder:
        recorder.record(3)
        recorder.seal_all()
    assert read_rows(tape) == planned(0, len(before) + 3), "other rows after continuing"
    damage = verify(tape).damage
    assert not damage, damage[0]


# Leaving out a sync


def _is_segment_sync(op: Op) -> bool:
    return op.kind == "fsync" and op.path.endswith(".parquet.tmp")


def _is_journal_sync(op: Op) -> bool:
    return op.kind == "fsync" and op.path.endswith(".journal")


def _is_list_sync(op: Op) -> bool:
    return op.kind == "fsync" and op.path.endswith(".jsonl")


def _is_date_sync(op: Op) -> bool:
    return op.kind == "dirsync" and "date=" in op.path


def _is_journals_sync(op: Op) -> bool:
    return op.kind == "dirsync" and op.path.endswith("_journal")


def _is_lists_sync(op: Op) -> bool:
    return op.kind == "dirsync" and op.path.endswith("_segments")


def _is_next_lists_sync(op: Op) -> bool:
    return op.kind == "fsync" and "_segments.next/" in op.path


def _is_product_sync(op: Op) -> bool:
    return op.kind == "dirsync" and op.path.endswith(PRODUCT)


@pytest.mark.parametrize(
    ("program", "leave_out"),
    [
        (record_and_seal, _is_segment_sync),
        (record_and_seal, _is_journal_sync),
        (record_and_seal, _is_list_sync),
        (record_and_seal, _is_date_sync),
        (record_and_seal, _is_journals_sync),
        (record_and_seal, _is_lists_sync),
        (die_migrating_and_continue, _is_next_lists_sync),
        (die_migrating_and_continue, _is_product_sync),
    ],
)
def test_leaving_out_a_sync_is_found(
    tmp_path: Path, program: Callable[[Trace, Path], None], leave_out: Callable[[Op], bool]
) -> None:
    """Without the fsync of a segment, the journal, a list or their directories, power cuts lose rows.

    With them they lose none, see above.
    """
    traced = trace_of(program, tmp_path / "disk")
    lazy = without(traced, leave_out)
    assert len(lazy) < len(traced)
    assert next(losses(Disk(lazy), MUTATED_STATES, Random(3)), None)
