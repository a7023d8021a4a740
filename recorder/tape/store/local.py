"""The local file system: reading, listing and locks; the counterpart of `remote`. Writing is in `writing`.

Only regular files are opened, so that no FIFO is waited for, and nothing is written through a symbolic link.
Functions raise OSError as the system does: a missing file is a FileNotFoundError.
"""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Final, cast

from pyarrow import NativeFile
from pyarrow.fs import LocalFileSystem

from recorder.tape.store.durable import lock

PathLike = str | os.PathLike[str]

_ARROW_FILES: Final = LocalFileSystem()

_MODE: Final = 0o666  # of every file that is created, less the umask: no secret is kept on a tape
_LOCK_MODE: Final = 0o600  # who can open a lock file can keep a recorder from starting
_BUFFER_BYTES: Final = 1 << 20


def open_arrow(path: Path) -> NativeFile:
    """Open a file for Arrow to read; the path need not be UTF-8: Arrow takes bytes as they are."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return _ARROW_FILES.open_input_file(os.fsencode(path))


def read_file(path: Path) -> bytes:
    """Return the content of a file."""
    with open_file(path) as file:
        return file.read()


def read_files(paths: Sequence[Path]) -> list[bytes]:
    """Return the contents of files."""
    return [read_file(path) for path in paths]


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading from any byte on; it may grow meanwhile, and stays readable when removed."""
    return os.fdopen(open_regular(path, os.O_RDONLY), "rb", buffering=_BUFFER_BYTES)


def open_regular(path: Path, flags: int, mode: int = _MODE) -> int:
    """Open a file with `os.open` flags; `mode` is that of a file that is created, less the umask.

    Raises:
        OSError: if it is a FIFO, a device or a directory; if it is not only read, a symbolic link too.
    """
    if flags & (os.O_WRONLY | os.O_RDWR):
        flags |= os.O_NOFOLLOW
    try:
        fd = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, mode)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link that is not followed, a FIFO without a reader
            raise OSError(error.errno, "not a regular file", str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return fd


def file_size(file: Path | BinaryIO) -> int:
    """Return the size in bytes of a file, or of an open one."""
    return (file.stat() if isinstance(file, Path) else os.fstat(file.fileno())).st_size


def has_size(path: Path, size: int) -> bool:
    """Tell whether a file is there and has this size."""
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def file_version(path: Path) -> tuple[int, int, int] | None:
    """Return a value that changes whenever a file does; None if it is missing."""
    try:
        return _version(path.stat())
    except FileNotFoundError:
        return None


def versions_in(directory: Path) -> dict[str, tuple[int, int, int]]:
    """Return the `file_version` of each file in a directory, by name; none if there is no such directory."""
    found = {}
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # renamed or removed meanwhile
                found[entry.name] = _version(entry.stat())
    return found


def _version(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with open_file(path) as file:
        return hashlib.file_digest(cast("FileIO", file), "sha256").hexdigest()


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def leads_to(path: Path, fd: int) -> bool:
    """Tell whether a path leads to a file that is open: not if it was moved, removed or mounted over."""
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except OSError:
        return False


def exists(path: Path) -> bool:
    """Tell whether there is a file or directory of this name."""
    return path.exists()


def list_files(directory: Path) -> list[Path]:
    """Return the files in a directory, in no order."""
    return list(directory.iterdir())


def names_in(directory: Path) -> list[str]:
    """Return the names in a directory, in order; empty if there is no such directory."""
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208  names alone, which cost a tenth of paths
    except (FileNotFoundError, NotADirectoryError):
        return []


def file_sizes(directory: Path, prefix: str) -> dict[str, int]:
    """Return the sizes of the files in those folders of a directory whose names begin with a prefix.

    By their paths in the directory; empty if it does not exist. A file that is removed meanwhile is left out.
    """
    found = {}
    for folder in names_in(directory):
        if folder.startswith(prefix):
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(directory / folder) as files:
                for file in files:
                    with suppress(FileNotFoundError):
                        found[f"{folder}/{file.name}"] = file.stat().st_size
    return found


def find_files(directory: Path, pattern: str) -> list[Path]:
    """Return the files below a directory that match a glob pattern, in order; empty if it cannot be read."""
    return sorted(directory.glob(pattern))


def ahead() -> "NothingAhead":
    """Return what fetches the files that are opened next: nothing, the operating system reads ahead."""
    return NothingAhead()


class NothingAhead(AbstractContextManager["NothingAhead"]):
    """What `remote.Ahead` is for files."""

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def want(self, files: Iterable[tuple[Path, int]]) -> None:
        """Do nothing."""


def free_bytes(directory: Path) -> int:
    """Return how many bytes can still be written."""
    return shutil.disk_usage(directory).free


def acquire_lock(path: Path, *, wait: bool) -> FileIO:
    """Lock a file, created if missing, against other processes; closing what is returned releases the lock.

    Raises:
        BlockingIOError: if another process holds the lock and `wait` is false.
    """
    file = FileIO(open_regular(path, os.O_RDWR | os.O_CREAT, _LOCK_MODE))
    try:
        lock(file.fileno(), path, wait=wait)
    except BaseException:
        file.close()
        raise
    return file
