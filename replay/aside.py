"""Where a RUN directory is written until it is whole, and what killed replays left there.

A directory aside holds a file that its writer keeps locked. The operating system drops the lock with the
writer, so one that can be locked is nobody's: process ids come again, and mean nothing on another machine.
Where the file is missing, or the file system has no locks, nothing is known and nothing removed.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Final

from recorder.tape.files import open_private

_IN_USE: Final = "_unfinished"
_RANDOM: Final = "?" * 8  # what mkdtemp appends


@contextmanager
def directory_aside(run: Path) -> Iterator[Path]:
    """Yield a new directory beside RUN, and remove it with all that it holds unless it has got another name.

    Call `release` on it just before it gets one.

    Raises:
        OSError: where none can be made.
    """
    remove_leftovers(run)
    while (fd := _lock(aside := _new_directory(run))) is None:
        pass  # a replay that cleans up was faster
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        os.close(fd)


def release(aside: Path) -> None:
    """Remove what marks a directory as unfinished."""
    (aside / _IN_USE).unlink()


def remove_leftovers(run: Path) -> None:
    """Remove what replays to this RUN left that were killed; never one that is still being written."""
    for aside in run.absolute().parent.glob(f"_{escape(run.name)}.{_RANDOM}"):
        with suppress(OSError):  # it is not ours, or not there any more: then it stays as it is
            _remove_unused(aside)


def _new_directory(run: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"_{run.name}.", dir=run.absolute().parent))


def _lock(aside: Path) -> int | None:
    """Mark a new directory as being written; None where it was taken for a leftover meanwhile."""
    try:
        fd = open_private(aside / _IN_USE, os.O_RDWR | os.O_CREAT)
    except OSError:  # a full disk: nobody could tell later whose it is
        aside.rmdir()
        raise
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError:
        return fd  # no locks here: nobody else can take it for a leftover either
    if os.fstat(fd).st_nlink:
        return fd
    os.close(fd)
    return None


def _remove_unused(aside: Path) -> None:
    fd = os.open(aside / _IN_USE, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in aside.iterdir():  # the mark last, or what is left by a kill in here would stay
            if path.name != _IN_USE:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        release(aside)
        aside.rmdir()
    finally:
        os.close(fd)
