"""The directory in which a RUN is written until it is complete, and the leftovers of killed replays.

An unfinished directory has a lock file that its writer keeps locked. The operating system releases the lock
when the writer ends, so a directory whose file can be locked has no writer. (A process id would not do: ids
are reused, and mean nothing on another machine.) If the file is missing or the file system has no locks,
nothing is known and nothing is removed.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from secrets import token_hex
from typing import Final

from recorder.tape.store.local import open_regular

_LOCK_FILE: Final = "_unfinished"
_RANDOM: Final = "?" * 8  # the suffix of `aside`


@contextmanager
def unfinished_directory(run: Path) -> Iterator[Path]:
    """Yield a new directory beside RUN; remove it with its contents unless the block renames it.

    The block calls `release` just before it renames the directory.

    Raises:
        OSError: if it cannot be made.
    """
    remove_leftovers(run)
    while (fd := _lock(directory := _new_directory(run))) is None:
        pass  # another replay removed it as a leftover before it was locked
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(fd)


def release(directory: Path) -> None:
    """Remove the lock file of an unfinished directory."""
    (directory / _LOCK_FILE).unlink()


def remove_leftovers(run: Path) -> None:
    """Remove the directories of killed replays to this RUN, never one that is still being written."""
    for directory in run.absolute().parent.glob(f"_{escape(run.name)}.{_RANDOM}"):
        with suppress(OSError):  # in use, removed meanwhile, or not ours
            _remove_unused(directory)


def remove_asides(directory: Path) -> None:
    """Remove the files of streams that a process did not complete before it died."""
    for path in directory.glob(f"*/*/_*.{_RANDOM}"):
        path.unlink()


def aside(path: Path) -> Path:
    """Return a new name beside a path, under which it is written until it is whole.

    What is made there has the mode that the umask leaves it, unlike what `tempfile` makes.
    """
    return path.absolute().with_name(f"_{path.name}.{token_hex(4)}")


def _new_directory(run: Path) -> Path:
    directory = aside(run)
    directory.mkdir()
    return directory


def _lock(directory: Path) -> int | None:
    """Lock a new directory; return None if another replay has removed it as a leftover meanwhile."""
    try:
        fd = open_regular(directory / _LOCK_FILE, os.O_RDWR | os.O_CREAT)
    except OSError:  # a full disk: without the file nobody would remove the directory later
        directory.rmdir()
        raise
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError:
        return fd  # no locks here: nobody can take it for a leftover
    if os.fstat(fd).st_nlink:
        return fd
    os.close(fd)
    return None


def _remove_unused(directory: Path) -> None:
    fd = os.open(directory / _LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in directory.iterdir():  # the lock file last: a kill in here must leave it
            if path.name != _LOCK_FILE:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        release(directory)
        directory.rmdir()
    finally:
        os.close(fd)
