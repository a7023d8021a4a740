"""Durable and atomic writes to the local file system.

A name never refers to half a file: content is written under another name, synced, and then renamed.
Functions raise OSError as the system does.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from pyarrow import NativeFile
from pyarrow.fs import LocalFileSystem

from recorder.tape.store.durable import sync_content, sync_directory
from recorder.tape.store.local import leads_to, open_regular

_ARROW_FILES: Final = LocalFileSystem()


def arrow_sink(path: Path) -> NativeFile:
    """Return a file for Arrow to write, empty; the path need not be UTF-8."""
    return _ARROW_FILES.open_output_stream(os.fsencode(path))


def make_directory(path: Path) -> None:
    """Create a directory and its missing parents; their names are durable on return."""
    if path.is_dir():
        return
    make_directory(path.parent)
    try:
        path.mkdir(exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None
    sync_directory(path.parent)


def sync_file(path: Path) -> None:
    """Make the content of a file durable."""
    fd = open_regular(path, os.O_RDONLY)
    try:
        sync_content(fd)
    finally:
        os.close(fd)


def aside_path(path: Path) -> Path:
    """Return the name under which a file is written before it gets its own; other tools skip it.

    >>> aside_path(Path("_tape.json")).name, aside_path(Path("0.parquet")).name
    ('_tape.json.tmp', '_0.parquet.tmp')
    """
    return path.with_name(f"{path.name}.tmp" if path.name.startswith("_") else f"_{path.name}.tmp")


def create_empty(path: Path) -> None:
    """Create an empty file for Arrow to write, in place of one of this name."""
    os.close(_open_new(path))


def _open_new(path: Path, flags: int = 0) -> int:
    """Create a file in place of one of this name, whatever that is, and open it for writing."""
    path.unlink(missing_ok=True)
    return open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | flags)


def replace_file(path: Path, data: bytes) -> None:
    """Replace the content of a file atomically and durably, or create it."""
    aside = aside_path(path)
    fd = _open_new(aside)
    try:
        _write_all(fd, data)
        sync_content(fd)
    finally:
        os.close(fd)
    rename_file(aside, path)


def rename_file(path: Path, target: Path) -> None:
    """Give a file another name in its directory, atomically and durably, in place of a file of that name."""
    path.replace(target)
    sync_directory(target.parent)


def remove_file(path: Path) -> None:
    """Remove a file if it exists; durable once its directory is synced."""
    path.unlink(missing_ok=True)


def remove_directory(path: Path) -> None:
    """Remove a directory if it is empty."""
    with suppress(OSError):
        path.rmdir()


def replace_end(path: Path, offset: int, data: bytes = b"") -> None:
    """Replace all bytes of a file from an offset on, durably; create the file if it is missing.

    If the data cannot be written, the file ends at the offset.
    """
    fd = open_regular(path, os.O_WRONLY | os.O_CREAT)
    try:
        os.ftruncate(fd, offset)
        os.lseek(fd, offset, os.SEEK_SET)
        _write_or_cut(fd, data, offset)
        sync_content(fd)
    finally:
        os.close(fd)
    sync_directory(path.parent)


class AppendedFile:
    """A new file that grows by whole pieces, each with one write.

    Attributes:
        size: its bytes.
    """

    def __init__(self, path: Path) -> None:
        """Create the file; its name is durable with its first bytes, so that nobody waits for it here.

        Raises:
            FileExistsError: if it exists.
        """
        self.size = 0
        self._path = path
        self._synced = 0
        self._fd = open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)

    @property
    def is_in_place(self) -> bool:
        """Whether its path still leads to it."""
        return leads_to(self._path, self._fd)

    def append(self, data: bytes) -> None:
        """Hand data to the operating system; if that fails, the file is cut back to what it was."""
        _write_or_cut(self._fd, data, self.size)
        self.size += len(data)

    def sync(self) -> None:
        """Make everything appended durable; costs nothing if it is already."""
        size = self.size  # another thread may append meanwhile
        if self._synced < size:
            sync_content(self._fd, data_only=True)
            if not self._synced:
                sync_directory(self._path.parent)
            self._synced = size

    def close(self) -> None:
        """Make everything durable and close the file."""
        try:
            self.sync()
        finally:
            os.close(self._fd)


def _write_or_cut(fd: int, data: bytes, size: int) -> None:
    """Write every byte; if that fails, cut the file to its size before."""
    try:
        _write_all(fd, data)
    except OSError:
        os.ftruncate(fd, size)
        raise


def _write_all(fd: int, data: bytes) -> None:
    """Write every byte; a single `os.write` may write fewer. If it fails, some may have been written."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
