"""Reading the lines of a file that is plain, gzip or zstd, recognised by its first bytes."""

import errno
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import zstandard

_PACKED_BYTES: Final = 512
"""Packed bytes that are unpacked at a time: four of them can hold a block of 128 KiB."""


@contextmanager
def open_lines(path: Path) -> Iterator[io.BufferedIOBase]:
    """Open a file to read its decompressed lines; a capture is read twice, so a pipe is none.

    Raises:
        OSError, zlib.error, zstandard.ZstdError: if the file cannot be read or is damaged.
        EOFError: if it ends inside its packed content.
    """
    if not path.is_file() and path.exists() and not path.is_dir():
        raise OSError(errno.EINVAL, "no regular file; save it as one first")
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked
        elif magic == b"\x28\xb5\x2f\xfd":
            with io.BufferedReader(_ZstdFile(file), 1 << 20) as unpacked_lines:
                yield unpacked_lines
        else:
            yield file


class _ZstdFile(io.RawIOBase):
    """The content of zstd frames; unlike the reader of the library it raises if the file is truncated."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._packed = b""
        self._unpacked = memoryview(b"")
        self._is_inside = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._unpacked:
            self._packed = self._packed or self._file.read(_PACKED_BYTES)
            if not self._packed:
                if self._is_inside:
                    raise EOFError("it ends inside a zstd frame")
                return 0
            self._unpacked = memoryview(self._frame.decompress(self._packed))
            self._packed, self._is_inside = b"", not self._frame.eof
            if self._frame.eof:
                self._packed = self._frame.unused_data
                self._frame = zstandard.ZstdDecompressor().decompressobj()
        view = memoryview(buffer).cast("B")
        size = min(len(view), len(self._unpacked))
        view[:size], self._unpacked = self._unpacked[:size], self._unpacked[size:]
        return size
