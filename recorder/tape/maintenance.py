"""One at a time: jobs that rewrite what a tape holds already, beside its recorder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from recorder.tape.errors import LockedTapeError
from recorder.tape.files import open_private

_LOCK: Final = "_maintenance.lock"


@contextmanager
def maintenance(tape: Path) -> Iterator[None]:
    """Hold the right to compact or index a tape; recording and reading go on.

    Raises:
        LockedTapeError: where another process holds it.
        OSError: where the tape cannot be written.
    """
    lock = open_private(tape / _LOCK, os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedTapeError(f"{tape}: another compaction or indexing of this tape is running") from None
        yield
    finally:
        os.close(lock)
