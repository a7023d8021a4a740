"""Output that never waits: what a terminal or a pipe does not take in time is dropped and counted.

`record` and `live` print while they receive. A terminal in copy mode, a pipe that nobody reads or a `less` at
its top blocks whoever writes to it; here that is a thread of its own. Of characters that a stream cannot take
plain ones are printed: `+-` for a plus-minus sign, `#` for a bar.
"""

import codecs
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TextIO

MAX_BYTES: Final = 8 * 2**20
"""Bytes that wait for a stream; more is dropped. A burst after a long seal is smaller."""

PATIENCE_S: Final = 0.5
"""Seconds that the end of the process waits for a stream that takes nothing."""


_WRITE_BYTES: Final = 4096  # a pipe takes as many whole or not at all, so that what it took is known

_PLAIN: Final = {"\u00b1": "+-", "\u25b4": "^", "\u25be": "v", "\u2588": "#", "\u258c": "#"}
"""Plain replacements of the characters that we print; any other character is escaped."""
_HANDLER: Final = "booktape.plain"


class DroppingStream:
    """A text stream that writes to the descriptor of another one, on a thread of its own.

    Args:
        stream: the other one.
        max_bytes: how much may wait.
        name: what errors call it.

    Attributes:
        original: the other one.
        dropped_lines: number of lines that were dropped.
    """

    def __init__(self, stream: TextIO, max_bytes: int = MAX_BYTES, name: str = "output") -> None:
        stream.flush()
        self._name = name
        self.original = stream
        self.encoding, self.errors = stream.encoding, stream.errors
        self.dropped_lines = 0
        self._fd = stream.fileno()
        self._max_bytes = max_bytes
        self._pieces: deque[bytes] = deque()
        self._writing = memoryview(b"")  # what the thread has taken of them and not written yet
        self._waiting = 0  # bytes of both
        self._error: OSError | None = None
        self._is_over = False
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._fd

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self.original.isatty()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Hand text to the thread, or drop it if too much waits.

        Raises:
            OSError: if an earlier write failed, for example because the reader has closed the pipe.
        """
        data = text.encode(self.encoding, self.errors or "strict")
        with self._change:
            self._raise_failure()
            if self._waiting + len(data) > self._max_bytes:
                self.dropped_lines += max(text.count("\n"), 1)
                return len(text)
            self._pieces.append(data)
            self._waiting += len(data)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="output", daemon=True)
                self._thread.start()
            self._change.notify_all()
        return len(text)

    def flush(self) -> None:
        """Do nothing: the thread writes as soon as it can."""

    def drain(self, patience_s: float = PATIENCE_S) -> None:
        """Wait until everything is written, as long as the stream takes something; drop the rest.

        Raises:
            OSError: if a write failed.
        """
        with self._change:
            left = self._waiting
            while left and self._error is None:
                self._change.wait(patience_s)
                if self._waiting == left:
                    left_over = (bytes(self._writing), *self._pieces)
                    self.dropped_lines += max(sum(piece.count(b"\n") for piece in left_over), 1)
                    self._pieces.clear()
                    self._waiting = 0
                left = self._waiting
            self._raise_failure()

    def end(self) -> None:
        """End the thread once what waits is written; more that is written starts another one."""
        with self._change:
            self._is_over = True
            self._change.notify_all()

    def _raise_failure(self) -> None:
        if self._error is not None:
            raise OSError(self._error.errno, self._error.strerror, self._name)  # the subclass of this errno

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._pieces or self._is_over)
                if not self._pieces:
                    self._thread = None
                    return
                self._writing = memoryview(b"".join(self._pieces))
                self._pieces.clear()
            while self._writing:
                try:
                    written = os.write(self._fd, self._writing[:_WRITE_BYTES])
                except OSError as error:
                    with self._change:
                        self._error = error
                        self._change.notify_all()
                    return
                with self._change:
                    self._writing = self._writing[written:]
                    self._waiting -= written
                    self._change.notify_all()


def drop_when_blocked() -> None:
    """Let both streams of this process drop what they cannot write in time, until `finish`."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            stream.fileno()
        except (AttributeError, OSError):
            continue  # not a stream of the system, as in a test or a notebook: it cannot block
        setattr(sys, name, DroppingStream(stream, name=name))


def name_errors(stream: TextIO, name: str) -> None:
    """Let the errors of a stream name it, as those of a file do."""

    def named(method: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            try:
                return method(*arguments)
            except OSError as error:
                raise OSError(error.errno, error.strerror, name) from None  # the subclass of this errno

        return call

    for method in ("write", "flush"):
        setattr(stream, method, named(getattr(stream, method)))


def finish_output() -> None:
    """Write out what was printed; an error of the output is raised here.

    Raises:
        OSError: if it cannot be written.
    """
    stream = sys.stdout
    if isinstance(stream, DroppingStream):
        stream.drain()
        if stream.dropped_lines:
            sys.stderr.write(f"{stream.dropped_lines:,} lines were not printed: nobody read them in time\n")
    stream.flush()


def finish() -> None:
    """Write out what was said, and give the process its own streams back."""
    stream = sys.stderr
    if isinstance(stream, DroppingStream):
        if stream.dropped_lines:
            stream.write(f"{stream.dropped_lines:,} lines were not shown here\n")
        with suppress(OSError):  # nobody is left to tell
            stream.drain()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, DroppingStream):
            stream.end()
            setattr(sys, name, stream.original)


def plain_for(encoding: str, text: str) -> str:
    """Return a text that an encoding can hold.

    >>> plain_for("ascii", "3 \u00b1 1 \u25b4"), len(plain_for("utf-8", "3 \u00b1 1"))
    ('3 +- 1 ^', 5)
    """
    return text if text.isascii() else text.encode(encoding, _HANDLER).decode(encoding)


def never_fail(stream: TextIO) -> None:
    """Let a stream print every text, whatever its encoding."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors=_HANDLER)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    plain = (_PLAIN.get(each) or each.encode("ascii", "backslashreplace").decode() for each in found)
    return "".join(plain), error.end


codecs.register_error(_HANDLER, _replace)
