"""Handing memory back that is free: a process that runs for months keeps the peaks of its seals otherwise."""

import ctypes
import os
from typing import Final

_M_MMAP_THRESHOLD: Final = -3  # of glibc's malloc.h
_M_ARENA_MAX: Final = -8
_LARGE_BYTES: Final = 128 * 1024


def use_one_heap() -> None:
    """Let all memory come from one heap of the C library, for a process that does nothing but record.

    Arrow's own pool keeps pages of every peak, a few MiB that come and go with the seals, and cannot be asked
    for all of them. glibc would keep them too: it has a heap a thread, and once a large block was freed it
    takes such blocks from among the small ones. Large blocks are mapped by themselves here, and go back as
    they are freed.

    Call it before pyarrow is imported: Arrow looks at its variable once, and `pyarrow.set_memory_pool` does
    not reach its Parquet code.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it; what others make of it does no harm
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_ARENA_MAX, 1)


def return_freed_memory() -> None:
    """Return what Arrow's pool and the C library hold for later to the operating system. Milliseconds.

    The journal's rows and Parquet's buffers come and go with every seal; what stays between them keeps the
    pages around it, so that the resident size creeps up although nothing is lost.
    """
    import pyarrow as pa  # noqa: PLC0415  `use_one_heap` comes before it

    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl and macOS have not
    if trim is not None:
        trim(0)
