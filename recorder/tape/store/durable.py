"""Durability and locks, also on systems and file systems that lack a call: the nearest one, said once.

macOS has no `fdatasync`, and its `fsync` stops at the drive's cache. Some network and FUSE file systems can
neither sync a directory nor lock a file.
"""

import errno
import fcntl
import logging
import os
from functools import cache
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

_NOT_SUPPORTED: Final = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK}
DISK_THREADS: Final = 8
"""Threads that wait for a disk beside one another: it makes several files durable in the time of one."""

_FULL_SYNC: Final[int | None] = getattr(fcntl, "F_FULLFSYNC", None)


def sync_content(fd: int, *, data_only: bool = False) -> None:
    """Make the content of an open file durable; `data_only` leaves out times, which saves a write."""
    if _FULL_SYNC is not None:
        try:
            fcntl.fcntl(fd, _FULL_SYNC)
        except OSError as error:
            if error.errno not in _NOT_SUPPORTED:  # else a drive that has no such command
                raise
        else:
            return
    sync = getattr(os, "fdatasync", os.fsync) if data_only else os.fsync
    sync(fd)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable, if the file system can."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
        _say_once("the file system cannot sync a directory: a power failure may lose the newest files", path)
    finally:
        os.close(fd)


def lock(fd: int, path: Path, *, wait: bool) -> None:
    """Lock an open file against other processes, if the file system can; closing it releases the lock.

    Raises:
        BlockingIOError: if another process holds the lock and `wait` is false.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
        _say_once("the file system has no locks: nothing keeps a second writer away from here", path.parent)


@cache
def _say_once(what: str, path: Path) -> None:
    log.warning("%s: %s", path, what)
