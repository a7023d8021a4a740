"""Writing files so that a name always stands for whole content."""

import os
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
"""Mode of every file that we make."""


def open_private(path: Path, flags: int) -> int:
    """Open a file with `os.open` flags, making it private where it is made."""
    return os.open(path, flags | os.O_CLOEXEC, PRIVATE)


def make_directory(path: Path) -> None:
    """Make a private directory and its parents, each name durable; one that is there stays as it is."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file(path: Path) -> None:
    """Make a file's content durable.

    Raises:
        FileNotFoundError: where there is none.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte; `os.write` may take fewer.

    Raises:
        OSError: as the operating system says; part of the data may be written then.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def replace_file(path: Path, data: bytes) -> None:
    """Give a file new content atomically and durably: aside, fsync, rename, fsync of the directory."""
    aside = path.with_name(f"{path.name}.tmp" if path.name.startswith("_") else f"_{path.name}.tmp")
    fd = open_private(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    aside.replace(path)
    sync_directory(path.parent)
