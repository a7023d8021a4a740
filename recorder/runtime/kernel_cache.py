"""Where the compiled engine's code is kept on this machine.

The code is run as it is read, so it is read only from a directory, and as a file, that nobody can have
written but this user or root, and only if its checksum fits its name and content. Whatever is wrong, missing
or cannot be written only means that the engine is compiled again.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_DIRECTORY: Final = "booktape"
_MAGIC: Final = b"booktape kernel 1\n"
_DIGEST_BYTES: Final = 32
_ROOT: Final = 0


def cache_directories() -> Iterator[Path]:
    """Yield the directories that may hold the code, the first choice first.

    They are `booktape` under $NUMBA_CACHE_DIR, $CACHE_DIRECTORY, $STATE_DIRECTORY/.cache (systemd sets these
    two for a service), $XDG_CACHE_HOME and ~/.cache, as far as these are set, absolute and not missing.
    """
    for base, below in (
        ("$NUMBA_CACHE_DIR", ""),
        ("$CACHE_DIRECTORY", ""),
        ("$STATE_DIRECTORY", ".cache"),
        ("$XDG_CACHE_HOME", ""),
        ("~", ".cache"),
    ):
        path = Path(os.path.expanduser(os.path.expandvars(base)).partition(":")[0])  # noqa: PTH111  never raises
        if path.is_absolute() and path.is_dir():
            yield path / below / _DIRECTORY


class KernelCache:
    """Keeps code in the first of some directories that can hold it; reads it from any of them.

    Args:
        only: the directory to use; None for all of `cache_directories`.
    """

    def __init__(self, only: Path | None = None) -> None:
        self._only = only

    def read(self, name: str) -> bytes | None:
        """Return the code of this name; None if there is none that can be trusted."""
        for path in self._directories():
            with suppress(OSError), _opened(path) as directory:
                code = _read(directory, name)
                if code is not None:
                    return code
        return None

    def write(self, name: str, code: bytes) -> None:
        """Keep code, if any directory can hold it."""
        for path in self._directories():
            with suppress(OSError), _made(path) as directory:
                _write(directory, name, code)
                return

    def directory(self) -> Path | None:
        """Return the directory that can hold code, made if it is missing; None if there is none."""
        for path in self._directories():
            with suppress(OSError), _made(path):
                if os.access(path, os.W_OK):
                    return path
        return None

    def _directories(self) -> Iterator[Path]:
        yield from cache_directories() if self._only is None else (self._only,)


@contextmanager
def _made(path: Path) -> Iterator[int]:
    path.parent.mkdir(exist_ok=True)
    path.mkdir(mode=0o755, exist_ok=True)  # never writable by a group, whatever the umask
    with _opened(path) as directory:
        yield directory


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _refuse_others(directory)
        yield directory
    finally:
        os.close(directory)


def _refuse_others(fd: int) -> None:
    """Raise PermissionError unless only this user or root can change an open file or directory."""
    status = os.fstat(fd)
    if status.st_uid not in {os.geteuid(), _ROOT} or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError


def _read(directory: int, name: str) -> bytes | None:
    # Without O_NONBLOCK the opening of a FIFO would wait for ever.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(name, flags, dir_fd=directory), "rb") as file:  # noqa: PTH123  of a descriptor
        _refuse_others(file.fileno())
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return None
        content = file.read()
    code = content[len(_MAGIC) + _DIGEST_BYTES :]
    return code if content == _header(name, code) + code else None


def _write(directory: int, name: str, code: bytes) -> None:
    aside = f".{name}.{os.getpid()}"
    with suppress(FileNotFoundError):
        os.unlink(aside, dir_fd=directory)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(aside, flags, 0o644, dir_fd=directory), "wb") as file:  # noqa: PTH123  of a descriptor
            os.fchmod(file.fileno(), 0o644)
            file.write(_header(name, code) + code)
        os.rename(aside, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        with suppress(OSError):
            os.unlink(aside, dir_fd=directory)
        raise


def _header(name: str, code: bytes) -> bytes:
    return _MAGIC + hashlib.sha256(name.encode() + b"\0" + code).digest()
