"""What the C library does with freed memory.

A recorder of months must not grow with the peaks of its seals, and a worker of a cluster must not return what
it needs again at once.
"""

import atexit
import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3  # of glibc's malloc.h
_M_ARENA_MAX: Final = -8
_LARGE_BYTES: Final = 128 * 1024
_LARGEST_BYTES: Final = 32 * 2**20  # that glibc can be told to take from its heap
_TRIM_VARIABLE: Final = "MALLOC_TRIM_THRESHOLD_"


def use_one_heap() -> None:
    """Allocate all memory from one heap of the C library, for a process that only records.

    Arrow's own pool keeps some MiB of pages after every seal and cannot be made to return all of them. glibc
    keeps them too: it has a heap per thread and, once a large block was freed, allocates large blocks among
    small ones. Here large blocks are mapped separately, so that they are returned when they are freed.

    Call it before pyarrow is imported: Arrow reads its variable once, and `pyarrow.set_memory_pool` does not
    affect its Parquet code.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc; other C libraries ignore the parameters
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_ARENA_MAX, 1)


def return_freed_memory() -> None:
    """Return the free memory of Arrow's pool and the C library to the operating system. Milliseconds.

    Every seal frees the journal's rows and Parquet's buffers, but small blocks that remain between them keep
    the pages around, so that the resident size would grow although nothing leaks.
    """
    import pyarrow as pa  # noqa: PLC0415  `use_one_heap` is called before

    pa.default_memory_pool().release_unused()
    _trim()


def _trim() -> None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # in glibc, not in musl and macOS
    if trim is not None:
        trim(0)


def collect_rarely() -> None:
    """Look for cycles less often, and not at the end: what imports make is kept, and what runs makes few.

    By default Python looks each time there are 700 objects more, which takes a twentieth of a second until a
    command runs, and as long again when it ends.
    """
    gc.set_threshold(10_000, 10, 10)
    atexit.register(gc.freeze)


def keep_freed_memory() -> None:
    """Keep what is freed for what is allocated next, in a process that ends with its work.

    Else glibc returns some large arrays and gets the next page by page: a pass has twice the page faults.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 8 * _LARGEST_BYTES)


@contextmanager
def keeping_freed_memory() -> Iterator[None]:
    """Keep what is freed in the block for what is allocated next, and return it at the end.

    Dask starts its workers with a variable by which glibc returns every large array when it is freed, and
    gets the next one page by page: a fifth of the processor time of a pass. Without it nothing is done here.
    """
    mallopt, threshold = getattr(ctypes.CDLL(None), "mallopt", None), os.environ.get(_TRIM_VARIABLE, "")
    if mallopt is None or not threshold.isdigit():
        yield
        return
    keep_freed_memory()
    try:
        yield
    finally:
        mallopt(_M_TRIM_THRESHOLD, int(threshold))
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        _trim()
