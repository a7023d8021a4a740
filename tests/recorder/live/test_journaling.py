"""The threads of the journal: what is received is written and synced, whatever comes after does."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recorder.live.backlog import Backlog
from recorder.live.journaling import Journaling
from recorder.live.queue import Received, ReceiveQueue
from recorder.settings import SealPolicy
from recorder.tape.errors import TapeError
from recorder.tape.writer import TapeWriter
from tests.endurance.faults import Call, intercepted
from tests.support.constants import BTC, ETH, START
from tests.support.rows import file_size_limit, journals, open_writer, read_rows, tally, to_rows


def frame(number: int, product: str = BTC) -> Received:
    """Return a numbered frame."""
    return Received(START + number, 0, "frame", f"{product} {number}")


class Threads:
    """The journal's threads of a tape, with what they reported."""

    def __init__(self, writer: TapeWriter, on_report: Callable[[], None] = lambda: None) -> None:
        self.reported: list[Exception] = []
        self._on_report = on_report
        self.queue = ReceiveQueue(writer.products)
        self.backlog = Backlog(writer.products, self.queue, self.report)
        self.journaling = Journaling(self.queue, writer, 0.001, self.report, self.backlog)

    def report(self, error: Exception) -> None:
        """Keep a failure."""
        self.reported.append(error)
        self._on_report()


def test_everything_reaches_the_journal(tmp_path: Path) -> None:
    """Rows of all products are written, although nothing takes them from the backlog."""
    with open_writer(tmp_path / "tape", BTC, ETH) as writer:
        threads = Threads(writer)
        with threads.journaling:
            for number in range(5_000):
                for product in (BTC, ETH):
                    assert threads.queue.put(product, frame(number, product))
            for product in (BTC, ETH):
                threads.queue.finish(product)
        assert not threads.reported
        for product in (BTC, ETH):
            rows = read_rows(tmp_path / "tape", product)
            assert [row.payload for row in rows] == [f"{product} {number}" for number in range(5_000)]
            taken = []
            while (batch := threads.backlog.take(product)) is not None:
                taken.append(batch)
            assert to_rows(taken) == rows
            assert threads.backlog.is_drained(product)


def test_what_is_queued_at_the_end_is_written(tmp_path: Path) -> None:
    """The threads end when asked to although the feed has not, and write what was received until then."""
    with open_writer(tmp_path / "tape") as writer:
        threads = Threads(writer)
        with threads.journaling:
            threads.queue.put(BTC, frame(0))
        assert [row.payload for row in read_rows(tmp_path / "tape")] == [f"{BTC} 0"]


def test_a_journal_that_cannot_be_written_ends_the_recording(tmp_path: Path) -> None:
    """A full disk is reported once, in the words of the tape; rows that are not on it are not processed."""
    with open_writer(tmp_path / "tape") as writer:
        threads = Threads(writer)
        with file_size_limit(1_000), threads.journaling:
            threads.queue.put(BTC, frame(0)._replace(payload="x" * 2_000))
            threads.queue.finish(BTC)
        (error,) = threads.reported
        assert isinstance(error, TapeError)
        assert "cannot write (File too large)" in str(error)
        assert threads.backlog.take(BTC) is None
        assert threads.backlog.is_drained(BTC)


def test_it_is_synced_while_nothing_is_processed(tmp_path: Path) -> None:
    """A journal becomes durable at the interval of --sync, although no row is taken from the backlog."""
    synced = threading.Event()

    def hook(_name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
        result = call(*arguments)
        synced.set()
        return result

    with open_writer(tmp_path / "tape", policy=SealPolicy(sync_s=0.01)) as writer:
        threads = Threads(writer)
        with intercepted(hook, ("fdatasync",)), threads.journaling:
            threads.queue.put(BTC, frame(0))
            assert synced.wait(60)


@pytest.mark.parametrize("victim", ["tape", "product", "journal"])
@pytest.mark.parametrize("is_moved", [True, False], ids=["moved", "removed"])
def test_a_tape_that_is_gone_ends_the_recording(tmp_path: Path, victim: str, is_moved: bool) -> None:
    """A tape that is moved or removed is noticed at the next sync; nothing is created in its place."""
    tape = tmp_path / "tape"
    reported = threading.Event()
    with open_writer(tape, policy=SealPolicy(sync_s=0.01)) as writer:
        threads = Threads(writer, reported.set)
        with threads.journaling:
            threads.queue.put(BTC, frame(0))
            (journal,) = wait_for(lambda: journals(tape))
            path = {"tape": tape, "product": tape / f"product={BTC}", "journal": journal}[victim]
            if is_moved:
                path.rename(tmp_path / "elsewhere")
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
            assert reported.wait(60)
        error = threads.reported[0]
        assert isinstance(error, TapeError)
        assert "was moved or removed" in str(error)
        with pytest.raises(FileNotFoundError):
            writer.products[BTC].seal_all(tally(), 1)
    assert not path.exists()


def wait_for(look: Callable[[], list[Path]]) -> list[Path]:
    """Return what a look finds, once it finds something."""
    while not (found := look()):
        time.sleep(0.001)
    return found


def test_a_thread_that_cannot_start_leaves_none_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system without threads for the journal leaves no thread that syncs a tape that is closed."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "journal":
            raise RuntimeError("can't start new thread")
        start(thread)

    with open_writer(tmp_path / "tape") as writer:
        threads = Threads(writer)
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"), threads.journaling:
            pass
        assert "journal-sync" not in [thread.name for thread in threading.enumerate()]
