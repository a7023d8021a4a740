"""The files of a tape wherever it is: each function asks `local` or `remote`, by the kind of the path.

What only a local tape has, journals and all that is written, is in `local` and `writing` alone. Whoever
writes locks first, and `acquire_lock` refuses a tape in a store.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO, FileIO
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, Self

import pyarrow.parquet as pq
from pyarrow import NativeFile

from recorder.tape.store import local, remote
from recorder.tape.store.fetching import AHEAD
from recorder.tape.store.local import PathLike, free_bytes, leads_to, sha256_of
from recorder.tape.store.paths import RemotePath
from recorder.tape.store.writing import (
    AppendedFile,
    aside_path,
    create_empty,
    make_directory,
    remove_directory,
    remove_file,
    rename_file,
    replace_end,
    replace_file,
    sync_file,
)

__all__ = [
    "AHEAD",
    "AppendedFile",
    "ParquetFile",
    "PathLike",
    "acquire_lock",
    "ahead",
    "aside_path",
    "create_empty",
    "exists",
    "file_size",
    "file_sizes",
    "file_version",
    "find_files",
    "free_bytes",
    "has_size",
    "is_remote",
    "leads_to",
    "list_files",
    "make_directory",
    "names_in",
    "open_arrow",
    "open_file",
    "read_file",
    "read_files",
    "remove_directory",
    "remove_file",
    "rename_file",
    "replace_end",
    "replace_file",
    "sha256",
    "sha256_of",
    "sync_file",
    "versions_in",
]


class _Ahead(Protocol):
    """Fetches the files that will be opened next; use `with`."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def want(self, files: Any, /) -> None:
        """Say which files are opened next, with their sizes."""


class _Files(Protocol):
    """What can be asked of the files of a tape; a missing one is a FileNotFoundError."""

    def open_arrow(self, path: Any, /) -> NativeFile: ...
    def read_file(self, path: Any, /) -> bytes: ...
    def read_files(self, paths: Any, /) -> list[bytes]: ...
    def open_file(self, path: Any, /) -> BinaryIO: ...
    def file_size(self, path: Any, /) -> int: ...
    def has_size(self, path: Any, size: int, /) -> bool: ...
    def file_version(self, path: Any, /) -> object: ...
    def versions_in(self, directory: Any, /) -> Mapping[str, object]: ...
    def sha256(self, path: Any, /) -> str: ...
    def exists(self, path: Any, /) -> bool: ...
    def names_in(self, directory: Any, /) -> list[str]: ...
    def file_sizes(self, directory: Any, prefix: str, /) -> dict[str, int]: ...
    def list_files(self, directory: Any, /) -> list[Path]: ...
    def find_files(self, directory: Any, pattern: str, /) -> list[Path]: ...
    def ahead(self) -> _Ahead: ...
    def acquire_lock(self, path: Any, /, *, wait: bool) -> FileIO: ...


_LOCAL: Final[_Files] = local
_REMOTE: Final[_Files] = remote


def is_remote(path: Path) -> bool:
    """Tell whether a path is in an object store."""
    return isinstance(path, RemotePath)


def absolute(path: Path) -> Path:
    """Return a path that is the same from any directory."""
    return path if is_remote(path) else path.absolute()


def _at(path: object) -> _Files:
    return _REMOTE if isinstance(path, RemotePath | BytesIO) else _LOCAL


class ParquetFile(pq.ParquetFile):  # type: ignore[misc]  # pyarrow has no types
    """A Parquet file of a tape or a RUN.

    Args:
        path: the file, or the open one, which is then ours.
        options: as of `pyarrow.parquet.ParquetFile`.
    """

    def __init__(self, path: Path | NativeFile, **options: Any) -> None:
        super().__init__(open_arrow(path) if isinstance(path, Path) else path, **options)

    def close(self, force: bool = True) -> None:
        """Close the file, which is ours."""
        super().close(force)


def open_arrow(path: Path) -> NativeFile:
    """Open a file for Arrow to read."""
    return _at(path).open_arrow(path)


def read_file(path: Path) -> bytes:
    """Return the content of a file."""
    return _at(path).read_file(path)


def read_files(paths: Sequence[Path]) -> list[bytes]:
    """Return the contents of files of one tape; those of a store are fetched beside one another."""
    return _at(paths[0]).read_files(paths) if paths else []


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading from any byte on; a local one may grow meanwhile."""
    return _at(path).open_file(path)


def file_size(file: Path | BinaryIO) -> int:
    """Return the size in bytes of a file, or of an open one."""
    return _at(file).file_size(file)


def has_size(path: Path, size: int) -> bool:
    """Tell whether a file is there and has this size."""
    return _at(path).has_size(path, size)


def file_version(path: Path) -> object:
    """Return a value that changes whenever a file does; None if it is missing."""
    return _at(path).file_version(path)


def versions_in(directory: Path) -> Mapping[str, object]:
    """Return the names of the files in a directory, each with its `file_version`; empty if it is missing."""
    return _at(directory).versions_in(directory)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    return _at(path).sha256(path)


def exists(path: Path) -> bool:
    """Tell whether there is a file or directory of this name."""
    return _at(path).exists(path)


def names_in(directory: Path) -> list[str]:
    """Return the names in a directory, in order; empty if there is no such directory."""
    return _at(directory).names_in(directory)


def file_sizes(directory: Path, prefix: str) -> dict[str, int]:
    """Return the sizes of the files in those folders of a directory whose names begin with a prefix.

    By their paths in the directory. In a store that is a listing: a request for each thousand files.
    """
    return _at(directory).file_sizes(directory, prefix)


def list_files(directory: Path) -> list[Path]:
    """Return the files in a directory, in no order."""
    return _at(directory).list_files(directory)


def find_files(directory: Path, pattern: str) -> list[Path]:
    """Return the files in a directory that match a pattern, in order; empty if it cannot be read."""
    return _at(directory).find_files(directory, pattern)


def ahead(directory: Path) -> _Ahead:
    """Return what fetches the files below a directory that will be opened next; use `with`."""
    return _at(directory).ahead()


def acquire_lock(path: Path, *, wait: bool) -> FileIO:
    """Lock a file against other processes, to write; closing what is returned releases the lock.

    Raises:
        BlockingIOError: if another process holds the lock and `wait` is false.
        StoreError: if the tape is in a store.
    """
    return _at(path).acquire_lock(path, wait=wait)
