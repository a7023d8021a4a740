"""Removing local segments that a store has: never a row that is not there, and what is left is whole.

A tape of 33 hours with half as many books as segments; a digest covers blocks of 4,096 rows, so the last
2,000 rows at least stay.
"""

import json
import shutil
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import obstore
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import booktape as bt
from orderbook.times import format_time
from recorder.api import import_captures
from recorder.settings import ImportSettings, SealPolicy
from recorder.shipping.keeping import Keep, possible_beginnings
from recorder.shipping.lease import Lease
from recorder.shipping.shipper import Shipper
from recorder.tape.compaction import compact
from recorder.tape.format.removed import read_removed
from recorder.tape.format.segment_list import read_segment_list
from recorder.tape.reader import Tape
from recorder.tape.store import objects
from recorder.tape.store.paths import RemotePath
from tests.endurance.disk_model import Disk, Trace, materialise
from tests.endurance.faults import Call, intercepted
from tests.support.commands import clean_environment, invoke, json_of, running_booktape
from tests.support.constants import BTC, ETH, SECOND, TIMEOUT_S
from tests.support.object_store import BUCKET, Fault, FaultyProxy, ObjectStore, enter
from tests.support.tapes import catalog, segment_paths, snapshot, update, write_capture

FRAMES = 6000
EVERY = 20 * SECOND
ALL = Keep(0.001)
"""Everything on these tapes is old."""


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of BTC with segments of 33 minutes on two days, and of ETH with one row."""
    directory = tmp_path_factory.mktemp("whole")
    frames = [(0, snapshot(BTC)), (1, snapshot(ETH))]
    frames += [(n * EVERY, update(BTC, ("buy", "98", str(1 + n % 7)))) for n in range(1, FRAMES)]
    capture = write_capture(directory / "capture.jsonl", frames)
    import_captures([capture], directory / "tape", ImportSettings(seal=SealPolicy(rows=100, seconds=3600)))
    return directory / "tape"


@pytest.fixture
def local(tape: Path, tmp_path: Path) -> Path:
    """Return a copy of the tape, to remove segments of."""
    return shutil.copytree(tape, tmp_path / "tape")


@pytest.fixture(scope="module")
def url(tape: Path, object_store: ObjectStore) -> str:
    """Return where the whole tape is in the store."""
    return object_store.put_tree(tape, "whole")


@pytest.fixture
def place(url: str, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemotePath]:
    """Return the whole tape in the store, which this process finds by its environment."""
    enter(object_store.environment(), monkeypatch, retries=0)
    monkeypatch.setattr(objects, "_REPEATS", 1)
    yield RemotePath(url)
    objects.client.cache_clear()


def removed_rows(tape: Path) -> int:
    """Return how many rows of BTC were removed."""
    found = read_removed(tape / f"product={BTC}")
    return 0 if found is None else found.rows


def kept_from(tape: Path) -> str:
    """Return from when on the rows of BTC are here."""
    found = read_removed(tape / f"product={BTC}")
    assert found is not None
    return found.kept_from


def rows_of(tape: Path, first: int = 0) -> pa.Table:
    """Return the frames of BTC from a row on; of marks, each import has its own."""
    rows = pa.Table.from_batches(Tape.open(tape).product(BTC).batches(first_seq=first))
    return rows.filter(pc.equal(rows.column("kind"), "frame"))


def frames_from(tape: Path, first: int) -> pa.Table:
    """Return the frames of BTC of a whole tape from a row on."""
    rows = rows_of(tape)
    return rows.filter(pc.greater_equal(rows.column("seq"), first))


def check_local(local: Path, tape: Path) -> None:
    """Check that a tape is undamaged, and its rows are those of the whole one from its first row on."""
    assert bt.open(local).verify().damage == []
    first = removed_rows(local)
    assert rows_of(local, first).equals(frames_from(tape, first))


def test_what_is_old_goes_and_the_rest_is_whole(local: Path, place: RemotePath, tape: Path) -> None:
    """Segments go up to a book, those of the last rows stay; results from there on are as of the store."""
    last = catalog(local, BTC)[-1]
    done = Shipper(local, place, Keep(3600, lambda: 10**20))
    done.ship()
    first = removed_rows(local)
    assert 1000 < first <= last["chain_seq"]
    begins = next(entry for entry in catalog(local, BTC) if entry["first_seq"] == first)
    assert begins["book_sha256"]
    assert segment_paths(local)[0].name == f"{first:020d}.parquet"
    assert len(segment_paths(local, ETH)) == len(segment_paths(tape, ETH))
    assert min(path.name for path in (local / f"product={BTC}/_index").iterdir()) >= f"{first:020d}"
    check_local(local, tape)
    verified = bt.open(local).verify()
    assert verified.removed[BTC].url == str(place)
    assert verified.checked_digests > 10
    assert verified.unindexed == 0
    assert [each.verdict for each in verified.verdicts[BTC]] == ["unverifiable"]

    start = kept_from(local)
    whole = bt.open(place)
    for begin in (start, format_time(last["chain_seq"] * EVERY + first_time_of(local))):
        mine = bt.open(local).replay(start=begin, products=BTC)
        assert mine.digest == whole.replay(start=begin, products=BTC).digest
    pieces = bt.open(local).replay(start=start, products=BTC, processes=2)
    assert pieces.digest == whole.replay(start=start, products=BTC).digest
    here, there = bt.open(local).book(BTC, at=start), whole.book(BTC, at=start)
    assert (here.seq, here.bids, here.asks) == (there.seq, there.bids, there.asks)


def first_time_of(tape: Path) -> int:
    """Return the time of the first row, also of one that was removed."""
    found = Tape.open(tape).first_time()
    assert found is not None
    return found


@pytest.mark.parametrize(
    "command",
    [
        ("replay",),
        ("replay", "--to", "+30h"),
        ("replay", "--from", "+5m"),
        ("compare", "--threshold", "10bps"),
        ("book", "-p", BTC, "--at", "+5m"),
        ("export", "-o", "exported.csv.gz", "--from", "+5m"),
        ("serve", "--port", "0"),
        ("diff", "."),
    ],
)
def test_rows_that_are_gone(without_first: Path, tape: Path, url: str, command: tuple[str, ...]) -> None:
    """A command that needs them says in one line in which store they are, and from when on they are here."""
    name, *options = command
    done = invoke(name, without_first, *(tape if each == "." else each for each in options))
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert f"are in {url} (removed here on " in line
    assert kept_from(without_first) in line
    assert "damage" not in line


@pytest.fixture(scope="module")
def without_first(
    tape: Path, url: str, object_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a tape without its first segments. Do not change it."""
    local = shutil.copytree(tape, tmp_path_factory.mktemp("removed") / "tape")
    with pytest.MonkeyPatch.context() as environment:
        enter(object_store.environment(), environment)
        Shipper(local, RemotePath(url), ALL).ship()
    objects.client.cache_clear()
    return local


@pytest.fixture
def removed(without_first: Path, place: RemotePath, tmp_path: Path) -> Path:
    """Return a copy of it, from which the store is found."""
    assert place
    return shutil.copytree(without_first, tmp_path / "tape")


def test_inspect_tells_where_they_are(removed: Path, url: str) -> None:
    """`inspect` counts what is here, and says which rows are where."""
    found = json_of("inspect", removed)
    rows = removed_rows(removed)
    assert found["format"] == 3
    last = catalog(removed, BTC)[-1]
    assert found["products"][BTC]["rows"] == last["first_seq"] + last["rows"] - rows
    assert found["products"][BTC]["removed"]["rows"] == rows
    assert found["products"][BTC]["connections"] == 1
    assert found["products"][ETH]["removed"] is None
    assert (
        f"{BTC}: rows 0 to {rows - 1:,} are in {url} (removed here on " in invoke("inspect", removed).stdout
    )


def test_it_is_recorded_on_compacted_and_removed_again(
    removed: Path, object_store: ObjectStore, place: RemotePath, tape: Path, tmp_path: Path
) -> None:
    """Rows are added, segments merged and indexed, shipped and removed again; the store has all, once."""
    other = RemotePath(object_store.put_tree(tape, tmp_path.name))
    local = shutil.copytree(tape, tmp_path / "again")
    Shipper(local, other, Keep(30 * 3600, lambda: first_time_of(tape) + FRAMES * EVERY)).ship()
    before = removed_rows(local)
    assert 0 < before < removed_rows(removed)
    with pytest.raises(bt.ShippingError, match=f"are in {other}"):  # they would be in two places
        Shipper(local, place, ALL).ship()
    later = range(FRAMES + 10, FRAMES + 4300)
    more = [(n * EVERY, update(BTC, ("sell", "101", str(1 + n % 5)))) for n in later]
    capture = write_capture(tmp_path / "more.jsonl", [((FRAMES + 9) * EVERY, snapshot(BTC)), *more])
    for each in (local, tape_and_more := shutil.copytree(tape, tmp_path / "all")):
        import_captures([capture], each, ImportSettings(seal=SealPolicy(rows=400, seconds=7200)))
    assert invoke("compact", local).exit_code == 0
    assert invoke("index", local).exit_code == 0
    check_local(local, tape_and_more)
    assert removed_rows(local) == before
    Shipper(local, other, ALL).ship()  # of the merged ones the store has the parts
    assert removed_rows(local) > FRAMES - 4096
    check_local(local, tape_and_more)
    assert bt.open(other).verify().damage == []
    assert rows_of(other).equals(rows_of(tape_and_more))


def test_a_recorder_goes_on_only_with_a_tape_of_its_kind(removed: Path) -> None:
    """What began the tape is known when it is gone: an import is no recording."""
    done = invoke("record", BTC, "-o", removed, "--duration", "1s", "--url", "ws://127.0.0.1:1")
    assert done.exit_code == 1
    assert "an import of " in done.stderr


@pytest.mark.parametrize("what", ["another object", "no object", "another list", "no list"])
def test_what_the_store_does_not_have_stays(
    local: Path, object_store: ObjectStore, place: RemotePath, tape: Path, tmp_path: Path, what: str
) -> None:
    """Nothing is removed if the store is not what was sealed: a line and exit code 1."""
    assert place
    other = RemotePath(object_store.put_tree(tape, tmp_path.name))
    bucket, product = object_store.bucket(), f"{tmp_path.name}/product={BTC}"
    segment = f"{product}/{catalog(tape, BTC)[3]['file']}"
    day = f"{product}/_segments/{catalog(tape, BTC)[0]['file'][5:15]}.jsonl"
    content = bytes(obstore.get(bucket, segment).bytes())
    if what == "another object":
        obstore.put(bucket, segment, content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    elif what == "another list":
        text = bytes(obstore.get(bucket, day).bytes())
        obstore.put(bucket, day, text.replace(b'"rows":100', b'"rows":99', 1))
    else:
        obstore.delete(bucket, segment if what == "no object" else day)
    done = invoke("ship", local, other, "--keep", "1ms")
    assert done.exit_code == 1
    assert "nothing more is removed here" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert removed_rows(local) == 0
    assert len(segment_paths(local)) == len(segment_paths(tape))


def test_a_reader_in_the_middle(local: Path, place: RemotePath, tape: Path) -> None:
    """A segment that goes while a tape is read ends the reading with the line, after right rows only."""
    reading = Tape.open(local).product(BTC).batches(64)
    read = [next(reading)]
    Shipper(local, place, ALL).ship()
    with pytest.raises(bt.RemovedRowsError, match="are in s3://"):
        read.extend(reading)
    found = pa.Table.from_batches(read)
    assert 0 < found.num_rows < removed_rows(local)
    found = found.filter(pc.equal(found.column("kind"), "frame"))
    assert found.equals(rows_of(tape).slice(0, found.num_rows))


def test_only_the_holder_of_the_lease_removes(
    local: Path, place: RemotePath, object_store: ObjectStore, tape: Path, tmp_path: Path
) -> None:
    """A shipper whose lease is taken over while it reads segments back removes nothing."""
    assert place
    other = RemotePath(object_store.put_tree(tape, tmp_path.name))
    successor = Lease(other, "another", "process 1 on another machine", seconds=0.001)

    def take_over(name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
        if name == "replace" and not successor.epoch:  # it notes what it ships
            successor.acquire(lambda _seconds: None)
        return call(*arguments)

    with intercepted(take_over, ("replace",)), pytest.raises(bt.LockedTapeError, match="only one can"):
        Shipper(local, other, ALL, lease_s=0.001).ship()
    assert successor.epoch
    assert removed_rows(local) == 0


def test_a_power_cut_at_any_step(local: Path, place: RemotePath, tape: Path, tmp_path: Path) -> None:
    """Whatever a disk forgets, each row is here or noted as removed; what is left is whole."""
    Shipper(local, place).ship()
    trace = Trace(local)
    trace.begin_with_files()
    begin = len(trace.ops)
    with trace.recording():
        Shipper(local, place, ALL).ship()
    disk, random = Disk(trace.ops), Random(5)
    segments = {entry["first_seq"]: entry for entry in catalog(tape, BTC)}
    seen = set()
    for number in range(600):
        _, state = disk.state(random.randrange(begin, disk.length + 1), random)
        mark = state.get(f"product={BTC}/_removed.json")
        first = 0 if mark is None else json.loads(mark)["rows"]
        here = {int(Path(name).stem) for name in state if name.endswith(".parquet") and BTC in name}
        assert {seq for seq in segments if seq >= first} <= here
        assert json.loads(state["_tape.json"])["format"] == 3 or not first
        seen.add((first > 0, len(here) == len(segments)))
        if number == 300:
            left = tmp_path / f"left-{number}"
            materialise(state, left)
            Shipper(left, place, ALL).ship()
            assert len(segment_paths(left)) == len(segment_paths(local))
            check_local(left, tape)
    assert seen == {(False, True), (True, True), (True, False)}


def test_a_process_that_dies_at_any_step(place: RemotePath, tape: Path, tmp_path: Path) -> None:
    """A death at any change of a file, then again: nothing is lost, and what was noted is removed."""

    class DeadError(BaseException):
        """The end of a process."""

    def die(at: str, name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
        if at in f"{name} {arguments[0]}":
            raise DeadError
        return call(*arguments)

    late = segment_paths(tape)[7].name
    product = "{}/product=BTC-USD"
    for at in ("replace {}/_tape.json", f"replace {product}/_removed", f"unlink {product}/date=", late):
        local = shutil.copytree(tape, tmp_path / str(len(list(tmp_path.iterdir()))))
        with intercepted(partial(die, at.format(local)), ("replace", "unlink")), pytest.raises(DeadError):
            Shipper(local, place, ALL).ship()
        first = removed_rows(local)
        assert (first > 0) == (at == late or "unlink" in at)
        assert rows_of(local, first).equals(frames_from(tape, first))
        Shipper(local, place, ALL).ship()
        assert int(segment_paths(local)[0].stem) == removed_rows(local) > 0
        check_local(local, tape)


def test_a_kill_while_segments_are_read_back(
    local: Path, place: RemotePath, object_store: ObjectStore, tape: Path, tmp_path: Path
) -> None:
    """Kill -9 while the store is asked, then again: what is left is whole."""
    assert place
    other = RemotePath(object_store.put_tree(tape, tmp_path.name))
    with FaultyProxy(object_store) as proxy:

        def fault(_method: str, _path: str) -> Fault | None:
            if len(proxy.requests) == 20:
                process.send_signal(signal.SIGKILL)
            return None

        proxy.fault = fault
        env = {**clean_environment(), **object_store.environment(proxy.url)}
        with running_booktape("ship", local, other, "--keep", "1ms", env=env) as process:
            assert process.wait(TIMEOUT_S) == -signal.SIGKILL
    check_local(local, tape)
    done = invoke("ship", local, other, "--keep", "1ms")
    assert done.exit_code == 0
    gone = sum(entry["first_seq"] < removed_rows(local) for entry in catalog(local, BTC))
    assert f"{gone} segments removed here" in done.stdout
    check_local(local, tape)


def test_a_tape_without_its_first_rows_goes_to_no_other_place(removed: Path, place: RemotePath) -> None:
    """An empty place would have a hole: it is refused with a line that names the store that has them."""
    done = invoke("ship", removed, f"{place}-2")
    assert done.exit_code == 1
    assert f"are in {place}" in done.stderr


def test_possible_beginnings(tape: Path) -> None:
    """They are those that a look at each segment by itself finds."""
    entries = read_segment_list(tape / f"product={BTC}")
    random = Random(3)
    for _ in range(50):
        shipped, until = random.randrange(FRAMES + 2), random.choice(entries).last_time
        found = [number for number, _ in possible_beginnings(entries, shipped, until)]
        assert found == [
            number
            for number in range(1, len(entries))
            if all(each.last_time < until and each.next_seq <= shipped for each in entries[:number])
            and entries[number].first_seq <= FRAMES // 4096 * 4096
            and entries[number].book_sha256
        ]


def test_keep_needs_a_store(tmp_path: Path) -> None:
    """`record --keep` without `--ship` is wrong usage."""
    done = invoke("record", BTC, "-o", tmp_path / "tape", "--keep", "2d")
    assert done.exit_code == 2
    assert "--keep" in done.stderr
    assert BUCKET not in done.stderr


def test_a_compaction_leaves_what_is_gone_alone(removed: Path, tape: Path) -> None:
    """Lines of removed segments stay as they are in the list."""
    gone = [entry for entry in catalog(removed, BTC) if entry["first_seq"] < removed_rows(removed)]
    compact(removed)
    assert catalog(removed, BTC)[: len(gone)] == gone == catalog(tape, BTC)[: len(gone)]
    check_local(removed, tape)
