"""Handing memory back that is free: a process that runs for months keeps the peaks of its seals otherwise."""

import ctypes

import pyarrow as pa


def use_one_heap() -> None:
    """Let Arrow take its memory from the C library, for a process that does nothing but record.

    Arrow's own pool keeps pages of every peak, a few a seal, and has no way to be asked for all of them.
    """
    pa.set_memory_pool(pa.system_memory_pool())


def return_freed_memory() -> None:
    """Return what Arrow's pool and the C library hold for later to the operating system. Milliseconds.

    The journal's rows and Parquet's buffers come and go with every seal; what stays between them keeps the
    pages around it, so that the resident size creeps up although nothing is lost.
    """
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl and macOS have not
    if trim is not None:
        trim(0)
