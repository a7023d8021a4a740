"""The writer of a tape: rows come back as they were, products join, and only one process writes."""

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest

from recorder.settings import SealPolicy
from recorder.tape.errors import LockedTapeError, NotATapeError, TapeError
from recorder.tape.reader import Tape
from recorder.tape.writer import TapeWriter
from tests.support.constants import BTC, START
from tests.support.fork import FORK
from tests.support.oracle import Row
from tests.support.rows import (
    frames,
    hold_lock,
    in_batches,
    open_writer,
    read_rows,
    segment_lengths,
    tally,
    to_batch,
    to_rows,
    write_tape,
)


@pytest.mark.parametrize("batch_rows", [1, 7, 10_000])
def test_rows_come_back(tmp_path: Path, batch_rows: int) -> None:
    """Rows come back byte for byte out of segments and the journal together."""
    rows = frames(100)
    with open_writer(tmp_path / "tape", policy=SealPolicy(rows=30)) as writer:
        product = writer.products[BTC]
        parts = [part for each in in_batches(rows, batch_rows) for part in product.append(each)]
        assert to_rows(parts) == rows
        assert read_rows(tmp_path / "tape") == rows
        product.seal(tally(), 95)
        assert segment_lengths(tmp_path / "tape") == [30, 30, 30]
        assert read_rows(tmp_path / "tape") == rows
    assert read_rows(tmp_path / "tape") == rows


def test_odd_texts_come_back_sealed(tmp_path: Path) -> None:
    """Empty, multi-byte, NUL-holding, multi-line and large texts come back from a segment as they were."""
    texts = ["", "\x00", "a\nb\r\n", "Größe \U0001f600 \ufeff", " {", "x" * 6_000_000, "\ud7ff\ue000"]
    rows = [Row(seq, START, 0, "frame", text) for seq, text in enumerate(texts)]
    assert read_rows(write_tape(tmp_path / "tape", rows)) == rows


def test_arrow_reads_a_tape_as_it_is(tmp_path: Path) -> None:
    """A hive dataset of a tape's directory holds the sealed rows, also while a journal exists."""
    tape = tmp_path / "tape"
    with open_writer(tape, BTC, "ETH-USD", policy=SealPolicy(rows=5)) as writer:
        for product in writer.products.values():
            product.append(to_batch(frames(17)))
            product.seal(tally(), 17)
        table = ds.dataset(tape, partitioning="hive").to_table()
    assert set(table.column("product").to_pylist()) == {BTC, "ETH-USD"}
    assert set(map(str, table.column("date").to_pylist())) == {"2026-08-09"}
    for name in (BTC, "ETH-USD"):
        part = table.filter(pc.equal(table.column("product"), name)).sort_by("seq")
        assert to_rows([part]) == frames(15)


def test_products_join(tmp_path: Path) -> None:
    """A product that is new to a tape begins at row 0 and leaves the others as they are."""
    tape = write_tape(tmp_path / "tape", frames(8))
    with open_writer(tape, "ETH-USD", BTC) as writer:
        assert {product: each.position.seq for product, each in writer.products.items()} == {
            "ETH-USD": 0,
            BTC: 8,
        }
    assert Tape.open(tape).manifest.products == (BTC, "ETH-USD")
    with open_writer(tape, "ETH-USD"):
        pass
    assert Tape.open(tape).manifest.products == (BTC, "ETH-USD")


def test_a_tape_of_another_feed_is_refused(tmp_path: Path) -> None:
    """Frames of two dialects are refused on one tape; the refused writer releases its lock."""
    tape = write_tape(tmp_path / "tape", frames(2))
    with pytest.raises(NotATapeError, match="exchange"):
        TapeWriter.open(tape, "advanced", [BTC], "test 0")
    with open_writer(tape):
        pass


def test_products_that_differ_in_case_alone_are_refused(tmp_path: Path) -> None:
    """They would share a directory on a disk that ignores case; nothing is created or changed for them."""
    with pytest.raises(TapeError, match="btc-usd and BTC-USD would share a directory"):
        open_writer(tmp_path / "new", BTC, "btc-usd")
    assert not (tmp_path / "new").exists()
    tape = write_tape(tmp_path / "tape", frames(2))
    with pytest.raises(TapeError, match="btc-usd and BTC-USD would share a directory"):
        open_writer(tape, "btc-usd", "ETH-USD")
    assert Tape.open(tape).manifest.products == (BTC,)
    assert [each.name for each in tape.glob("product=*")] == [f"product={BTC}"]
    with open_writer(tape):
        pass


def test_other_places_are_refused(tmp_path: Path) -> None:
    """A directory with other files and a file are refused as tapes, and not changed."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    for path in (tmp_path / "other", tmp_path / "other" / "file", tmp_path / "other" / "file" / "tape"):
        with pytest.raises(NotATapeError, match="other"):
            open_writer(path)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["file"]
    assert (tmp_path / "other" / "file").read_text() == "mine"


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """While a tape is open for writing a second writer is refused; afterwards it is not."""
    with open_writer(tmp_path / "tape"), pytest.raises(LockedTapeError, match="another recorder"):
        open_writer(tmp_path / "tape", "ETH-USD")
    with open_writer(tmp_path / "tape"):
        assert Tape.open(tmp_path / "tape").manifest.products == (BTC,)


def test_a_writer_of_another_process_is_refused(tmp_path: Path) -> None:
    """The lock holds between processes and ends with its holder."""
    held, release = FORK.Event(), FORK.Event()
    other = FORK.Process(target=hold_lock, args=(tmp_path / "tape", held, release))
    other.start()
    assert held.wait(60)
    with pytest.raises(LockedTapeError):
        open_writer(tmp_path / "tape")
    release.set()
    other.join(60)
    with open_writer(tmp_path / "tape"):
        pass


def test_times_of_1970_are_times(tmp_path: Path) -> None:
    """A tape whose last recv_time is the first instant of 1970 can be read like any other."""
    rows = [row._replace(recv_time=0) for row in frames(3)]
    tape = write_tape(tmp_path / "tape", rows)
    assert read_rows(tape) == rows


def test_the_last_times_are_times(tmp_path: Path) -> None:
    """A tape of the last instants that the columns hold can be written and read like any other."""
    rows = [row._replace(recv_time=2**63 - 4 + row.seq) for row in frames(3)]
    tape = write_tape(tmp_path / "tape", rows, policy=SealPolicy(rows=2))
    assert read_rows(tape) == rows
