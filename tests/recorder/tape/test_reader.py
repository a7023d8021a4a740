"""Reading a tape: the same rows from segments and journals, whatever happens beside the reader."""

import json
import pickle
from pathlib import Path

import pytest

from recorder.settings import SealPolicy
from recorder.tape.errors import DamagedTapeError, UnknownProductError
from recorder.tape.reader import Tape
from tests.support.commands import invoke
from tests.support.constants import BTC
from tests.support.fork import FORK
from tests.support.rows import (
    frames,
    journals,
    open_writer,
    read_rows,
    record_rows,
    tally,
    to_rows,
    write_tape,
)
from tests.support.tapes import flip_byte, import_frames, list_path, segment_paths, update


@pytest.mark.parametrize("size", [1, 7, 30, 10_000])
def test_batch_size_changes_nothing_but_the_cut(half_sealed: Path, size: int) -> None:
    """Batches of any size hold the same rows; none is too large and none is empty."""
    batches = list(Tape.open(half_sealed).product(BTC).batches(size))
    assert to_rows(batches) == frames(100)
    assert all(0 < each.num_rows <= size for each in batches)


@pytest.mark.parametrize("first_seq", [0, 1, 29, 30, 31, 89, 90, 95, 99, 100, 1000])
def test_reading_starts_at_a_seq(half_sealed: Path, first_seq: int) -> None:
    """Reading from a seq returns exactly the rows from there, in segments and in the journal."""
    for size in (1, 7, 10_000):
        assert read_rows(half_sealed, size=size, first_seq=first_seq) == frames(100)[first_seq:]


@pytest.mark.parametrize("next_seq", [1, 30, 31, 90, 95, 100, 1000])
def test_reading_ends_with_the_segment_of_a_row(half_sealed: Path, next_seq: int) -> None:
    """A piece reads no segment and no journal that begins after it."""
    batches = Tape.open(half_sealed).product(BTC).batches(next_seq=next_seq)
    assert to_rows(batches) == frames(min(-(-next_seq // 30) * 30, 90) if next_seq <= 90 else 100)


def test_the_row_that_comes_next(half_sealed: Path, tmp_path: Path) -> None:
    """Rows count whether they are sealed or not; without one it is the first."""
    assert Tape.open(half_sealed).product(BTC).next_seq() == 100
    assert Tape.open(write_tape(tmp_path / "sealed", frames(40))).product(BTC).next_seq() == 40
    with open_writer(tmp_path / "empty"):
        assert Tape.open(tmp_path / "empty").product(BTC).next_seq() == 0


def test_reading_writes_nothing(half_sealed: Path) -> None:
    """A reader changes no file and no name of a tape."""
    before = {path: path.stat().st_mtime_ns for path in half_sealed.rglob("*")}
    read_rows(half_sealed)
    assert {path: path.stat().st_mtime_ns for path in half_sealed.rglob("*")} == before


@pytest.mark.parametrize("size", [7, 1000])
def test_batches_own_their_memory(tmp_path: Path, size: int) -> None:
    """A pickled batch is as large as its rows, wherever it was cut from."""
    rows = [row._replace(payload="x" * 1000) for row in frames(3000)]
    tape = write_tape(tmp_path / "tape", rows, policy=SealPolicy(rows=2000), seal=False)
    with open_writer(tape) as writer:
        writer.products[BTC].seal(tally(), 2000)
    for first_seq in (0, 995, 1995):
        for each in Tape.open(tape).product(BTC).batches(size, first_seq):
            assert len(pickle.dumps(each)) < each.num_rows * 1100 + 4096


def test_a_reader_beside_a_writer_sees_no_hole(tmp_path: Path) -> None:
    """Whatever is sealed meanwhile, every read of a growing tape returns a prefix, never a shorter one."""
    tape, number = tmp_path / "tape", 3000
    expected = frames(number)
    started = FORK.Event()
    writer = FORK.Process(target=record_rows, args=(tape, number, started))
    writer.start()
    assert started.wait(60)
    looks = seen = 0
    while True:
        ended = not writer.is_alive()
        rows = read_rows(tape, size=11)
        assert rows == expected[: len(rows)]
        assert len(rows) >= seen
        looks, seen = looks + 1, len(rows)
        if ended:
            break
    assert writer.exitcode == 0
    assert seen == number
    assert looks > 3
    assert len(segment_paths(tape)) == number // 50


@pytest.mark.parametrize("damage", ["flipped", "missing"])
def test_a_hole_between_journals_is_damage(tmp_path: Path, damage: str) -> None:
    """A damaged journal that another one follows is an error, not a jump in the rows."""
    tape = write_tape(tmp_path / "tape", frames(12), policy=SealPolicy(rows=5), seal=False)
    path = journals(tape)[1]
    if damage == "flipped":
        flip_byte(path, 60)
    else:
        path.unlink()
    with pytest.raises(DamagedTapeError):
        read_rows(tape)


def test_a_hole_between_segments_and_journal_is_damage(half_sealed: Path) -> None:
    """A missing last line of the list of segments is an error, not a jump to the journal's rows."""
    path = list_path(half_sealed)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(DamagedTapeError):
        read_rows(half_sealed)


def test_an_unknown_product_is_refused(half_sealed: Path) -> None:
    """An unknown product is an error that names the products of the tape."""
    for product in ("ETH-USD", "../x", ""):
        with pytest.raises(UnknownProductError, match="it has BTC-USD"):
            Tape.open(half_sealed).product(product)


def test_products_are_selected_sorted_and_once(tmp_path: Path) -> None:
    """A selection is sorted and holds each product once; an empty one means all."""
    with open_writer(tmp_path / "tape", "ETH-USD", BTC, "ADA-USD"):
        tape = Tape.open(tmp_path / "tape")
    assert tape.select(()) == ("ADA-USD", BTC, "ETH-USD")
    assert tape.select(("ETH-USD", BTC, "ETH-USD")) == (BTC, "ETH-USD")
    assert list(tape.product("ADA-USD").batches()) == []


def test_a_bad_record_in_a_journal_is_not_its_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Intact records after a bad one are missing rows: every reader warns of them, and verify fails."""
    tape = write_tape(tmp_path / "tape", frames(40), batch_rows=5, seal=False)
    (journal,) = journals(tape)
    flip_byte(journal, journal.stat().st_size // 2)
    read = read_rows(tape)
    assert read == frames(40)[: len(read)]
    assert f"{journal.name}: a bad record after row {len(read) - 1}" in caplog.text
    caplog.clear()
    assert Tape.open(tape).product(BTC).next_seq() == len(read)
    assert f"{journal.name}: a bad record after row {len(read) - 1}" in caplog.text
    assert invoke("verify", tape).exit_code == 1
    done = invoke("inspect", tape)
    assert "a bad record with intact records after it" in done.stdout
    with open_writer(tape):
        pass  # a recorder goes on after the last good row, and keeps the rest beside
    (kept,) = tape.glob("product=*/_journal/*.damaged")
    verified = invoke("verify", tape)
    assert verified.exit_code == 0
    assert kept.name in verified.stdout


def test_journals_that_cannot_be_listed_are_not_no_journals(tmp_path: Path) -> None:
    """A file in place of the directory of journals is an error, not a tape without rows."""
    tape = write_tape(tmp_path / "tape", frames(40), batch_rows=5, seal=False)
    directory = journals(tape)[0].parent
    directory.rename(directory.with_name("_elsewhere"))
    directory.write_text("")
    with pytest.raises(DamagedTapeError, match="cannot be listed"):
        read_rows(tape)


def test_large_frames_count_as_the_rows_that_they_are_worth(tmp_path: Path) -> None:
    """Rows of large frames take longer than as many ordinary ones: `auto` must not take them for few."""
    levels = [[f"{n}.{n * 7919 % 100:02}", f"0.{n * 104729 % 10**8:08}"] for n in range(20_000)]
    large = {"type": "snapshot", "product_id": BTC, "bids": levels, "asks": []}
    tapes = []
    for name, frame in (("large", json.dumps(large)), ("small", update(BTC))):
        (tmp_path / name).mkdir()
        tapes.append(Tape.open(import_frames(tmp_path / name, [(number, frame) for number in range(20)])))
    assert tapes[0].sealed_work() > 50 * tapes[1].sealed_work()
    assert tapes[0].sealed_rows() == tapes[1].sealed_rows()


def test_a_tape_is_opened_once_and_handed_on(half_sealed: Path) -> None:
    """A path of any kind opens the same tape, an open one stays it, and a pickled one reads the same."""
    tape = Tape.open(half_sealed)
    assert Tape.open(tape) is tape
    assert Tape.open(str(half_sealed)) == tape
    pickled = pickle.dumps(tape)
    assert len(pickled) < 1000
    again = pickle.loads(pickled)  # noqa: S301  our own, just made
    assert to_rows(again.product(BTC).batches()) == read_rows(half_sealed)
