"""Handing memory back that is free: a process that runs for months keeps the peaks of its seals otherwise."""

import ctypes
from typing import Final

import pyarrow as pa

_M_MMAP_THRESHOLD: Final = -3  # of glibc's malloc.h
_M_ARENA_MAX: Final = -8
_LARGE_BYTES: Final = 128 * 1024


def use_one_heap() -> None:
    """Let all memory come from one heap of the C library, for a process that does nothing but record.

    Arrow's own pool keeps pages of every peak, a few a seal, and cannot be asked for all of them. glibc
    would keep them too: it has a heap a thread, and once a large block was freed it takes such blocks from
    among the small ones. Large blocks are mapped by themselves here, and go back as they are freed.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it; what others make of it does no harm
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_ARENA_MAX, 1)


def return_freed_memory() -> None:
    """Return what Arrow's pool and the C library hold for later to the operating system. Milliseconds.

    The journal's rows and Parquet's buffers come and go with every seal; what stays between them keeps the
    pages around it, so that the resident size creeps up although nothing is lost.
    """
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl and macOS have not
    if trim is not None:
        trim(0)
