"""Fetching objects before they are read: a round trip to a store takes longer than decoding what it brings.

An object is fetched in blocks, a small one whole. While one is read, the next are on their way, but never
more than `AHEAD_BYTES` in this process.
"""

import io
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any, Final, Self

import pyarrow as pa

from recorder.tape.errors import StoreError
from recorder.tape.store.objects import ask
from recorder.tape.store.paths import RemotePath

BLOCK_BYTES: Final = 8 * 2**20
"""Bytes of a request; an object that is not larger is fetched whole."""
AHEAD_BYTES: Final = 96 * 2**20
"""Bytes that are on their way or waiting to be read in this process, at most."""
AHEAD: Final = 4
"""Small objects, or blocks of a large one, that are on their way beside the one that is read."""
_THREADS: Final = 16

_Block = tuple[memoryview, int]
"""The bytes of a block, and the size of its object."""


@cache
def threads() -> ThreadPoolExecutor:
    """Return the threads that wait for stores."""
    return ThreadPoolExecutor(_THREADS, "store")


def fetch(path: RemotePath, start: int = 0) -> _Block:
    """Fetch a block of an object that is not empty.

    Raises:
        FileNotFoundError: if there is no such object.
        StoreError: if the store does not give it.
    """

    def block(obstore: Any, client: Any) -> _Block:
        found = obstore.get(client, path.key, options={"range": (start, start + BLOCK_BYTES)})
        return memoryview(found.bytes()), found.meta["size"]

    data, size = ask(path, block)
    if len(data) != min(size - start, BLOCK_BYTES):
        raise StoreError(f"{path}: the store gave {len(data)} bytes of {size}", path)
    return data, size


class _Budget:
    """The bytes that may still be fetched ahead."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Reserve bytes, unless fewer are left."""
        with self._lock:
            if self._left < size:
                return False
            self._left -= size
            return True

    def give_back(self, size: int) -> None:
        """Return bytes that were reserved."""
        with self._lock:
            self._left += size


_BUDGET: Final = _Budget(AHEAD_BYTES)


class _Begun:
    """A block that is on its way; its bytes count until it is taken or dropped."""

    __slots__ = ("_bytes", "_future")

    def __init__(self, future: "Future[_Block]", size: int) -> None:
        self._future, self._bytes = future, size

    @classmethod
    def begin(cls, path: RemotePath, start: int, size: int) -> "_Begun | None":
        """Begin to fetch the block of an object of a size; None if too much is on its way already."""
        reserved = min(size - start, BLOCK_BYTES)
        return cls(threads().submit(fetch, path, start), reserved) if _BUDGET.take(reserved) else None

    def take(self) -> _Block:
        """Wait for the block and return it."""
        try:
            return self._future.result()
        finally:
            _BUDGET.give_back(self._bytes)

    def drop(self) -> None:
        """Do without the block."""
        self._future.cancel()
        _BUDGET.give_back(self._bytes)


_FIRST_BLOCKS: Final[dict[RemotePath, _Begun]] = {}
"""The first blocks of the objects that will be opened next."""


class Ahead:
    """Keeps the objects that a reader will open next on their way; use `with`."""

    def __init__(self) -> None:
        self._wanted: set[RemotePath] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.want(())

    def want(self, files: Sequence[tuple[RemotePath, int]]) -> None:
        """Begin to fetch the objects that are next, with their sizes, and drop those that no longer are."""
        for path in self._wanted - {path for path, _ in files}:
            if begun := _FIRST_BLOCKS.pop(path, None):
                begun.drop()
        for path, size in files:
            if path not in self._wanted and path not in _FIRST_BLOCKS and size > 0:
                begun = _Begun.begin(path, 0, size)
                if begun is None:
                    break
                _FIRST_BLOCKS[path] = begun
                self._wanted.add(path)
        self._wanted &= {path for path, _ in files}


def open_object(path: RemotePath) -> pa.NativeFile:
    """Open an object for Arrow to read, from what `Ahead` has fetched if it is that far.

    Raises:
        FileNotFoundError: if there is no such object.
        StoreError: if the store does not give it.
    """
    begun = _FIRST_BLOCKS.pop(path, None)
    data, size = fetch(path) if begun is None else begun.take()
    return pa.BufferReader(data) if len(data) == size else pa.PythonFile(_Blocks(path, size, data), mode="r")


class _Blocks(io.RawIOBase):
    """A large object; while a block is read, those after it are on their way if reading goes straight on."""

    def __init__(self, path: RemotePath, size: int, first: memoryview) -> None:
        super().__init__()
        self._path, self._size, self._place = path, size, 0
        self._held = {0: first}
        self._begun: dict[int, _Begun] = {}
        self._last = -1

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that any byte can be read next."""
        return True

    def tell(self) -> int:
        """Return the next byte to read."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Choose the next byte to read."""
        self._place = offset + (0, self._place, self._size)[whence]
        return self._place

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        end = self._size if size < 0 else min(self._size, self._place + size)
        parts = []
        while self._place < end:
            number = self._place // BLOCK_BYTES
            start = number * BLOCK_BYTES
            part = self._block(number)[self._place - start : end - start]
            parts.append(part)
            self._place += len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Drop what is on its way."""
        for begun in self._begun.values():
            begun.drop()
        self._begun.clear()
        self._held.clear()
        super().close()

    def _block(self, number: int) -> memoryview:
        last = self._size // BLOCK_BYTES  # the footer is read first, and the row groups refer to it
        for passed in [each for each in self._begun if each < number]:
            self._begun.pop(passed).drop()
        if number not in self._held:
            begun = self._begun.pop(number, None)
            data, _ = fetch(self._path, number * BLOCK_BYTES) if begun is None else begun.take()
            kept = {number - 1, last}
            self._held = {each: held for each, held in self._held.items() if each in kept}
            self._held[number] = data
        if number in {self._last, self._last + 1}:
            for each in range(number + 1, min(number + AHEAD, last) + 1):
                if each not in self._held and each not in self._begun and each * BLOCK_BYTES < self._size:
                    begun = _Begun.begin(self._path, each * BLOCK_BYTES, self._size)
                    if begun is None:
                        break
                    self._begun[each] = begun
        self._last = number
        return self._held[number]
