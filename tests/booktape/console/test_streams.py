"""Streams that never wait: in order and whole if somebody reads, dropped and counted if not."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from booktape.console.streams import DroppingStream


class Pipe:
    """A pipe whose writing end is a text stream."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.reading, writing = os.pipe()
        self.file = os.fdopen(writing, "w", encoding=encoding)

    def read_all(self) -> str:
        """Read to the end; the other side must be closed, or be closed meanwhile."""
        with os.fdopen(self.reading, encoding="utf-8") as file:
            return file.read()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Return a pipe."""
    made = Pipe()
    yield made
    made.file.close()


def test_what_is_read_is_whole(pipe: Pipe) -> None:
    """Everything arrives in order if somebody reads, although it is more than a pipe holds."""
    stream = DroppingStream(pipe.file)
    lines = [f"Zeile {number} ü\n" for number in range(50_000)]
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_all()))
    reader.start()
    for line in lines:
        assert stream.write(line) == len(line)
    stream.drain(60)
    pipe.file.close()
    reader.join()
    assert read == ["".join(lines)]
    assert stream.dropped_lines == 0


def test_what_nobody_reads_is_dropped_and_counted(pipe: Pipe) -> None:
    """Writing never waits; every line is either read, whole but for the last one, or counted."""
    stream = DroppingStream(pipe.file, max_bytes=100_000)
    lines = [f"line {number}\n" for number in range(100_000)]
    for line in lines:
        stream.write(line)
    assert 0 < stream.dropped_lines < len(lines)
    stream.drain(0.01)
    counted = stream.dropped_lines
    # What the thread still holds goes into the pipe as it is read; the process would have ended by now.
    held = os.read(pipe.reading, 2**20).decode()
    assert "".join(lines).startswith(held)
    assert len(lines) - counted - 1 <= held.count("\n") <= len(lines) - counted


def test_a_reader_that_is_gone_is_an_error(pipe: Pipe) -> None:
    """After the reader has closed the pipe a write raises, as it does without a thread."""
    stream = DroppingStream(pipe.file)
    os.close(pipe.reading)
    stream.write("lost\n")
    with pytest.raises(BrokenPipeError):
        stream.drain(60)
    with pytest.raises(BrokenPipeError):
        stream.write("more\n")


def test_a_full_disk_is_an_error() -> None:
    """What a device does not take is an error at the end, if no later write has found it."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        stream = DroppingStream(full)
        stream.write("lost\n")
        with pytest.raises(OSError, match="No space left"):
            stream.drain(60)


def test_text_that_the_encoding_lacks_is_an_error() -> None:
    """A character that the stream cannot encode is an error of the write, not of the thread."""
    with Pipe("ascii").file as file, pytest.raises(UnicodeEncodeError):
        DroppingStream(file).write("ü")


def test_its_thread_ends_with_it(pipe: Pipe) -> None:
    """Once it is ended and drained no thread is left; what is written even so is written."""
    stream = DroppingStream(pipe.file)
    others = {*threading.enumerate()}  # those of other tests too
    for text in ("before\n", "after\n"):
        stream.write(text)
        (writing,) = {*threading.enumerate()} - others
        stream.end()
        stream.drain(60)
        writing.join(60)
        assert not writing.is_alive()
    pipe.file.close()
    assert pipe.read_all() == "before\nafter\n"
