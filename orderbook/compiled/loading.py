"""The compiled entry points, kept on disk by numba.

They lie beside the file of the kernel, or in the user's cache where that is not writable.

Whether they are still right numba tells by the file that holds an entry, and by the variables that the entry
closes over. So each closes over the fingerprint of all sources that go into it.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

import numba
from numba import types
from numba.core import event

from orderbook.compiled import (
    advanced,
    blocks,
    exchange,
    frames,
    jit,
    kernel,
    levels,
    near,
    numbers,
    scan,
    summaries,
    times,
    updates,
    words,
)

SOURCES: Final = (
    jit,
    words,
    scan,
    numbers,
    times,
    blocks,
    near,
    levels,
    frames,
    exchange,
    updates,
    advanced,
    summaries,
    kernel,
)


class Kernels(NamedTuple):
    """What Python calls; see `kernel`."""

    run_rows: Callable[..., int]
    apply_events: Callable[..., bool]
    write_summary: Callable[..., bool]


def _words(dimensions: int = 1, *, of: Any = types.int64, readonly: bool = False) -> Any:
    return types.Array(of, dimensions, "C", readonly=readonly)


_BYTES: Final = _words(of=types.uint8, readonly=True)
_OFFSETS: Final = _words(of=types.int32, readonly=True)
_BOOK: Final = (_words(), _words(), _words(), _words())
_SUMMARIES: Final = (_words(2), _words(2, of=types.float64), _words(4, of=types.float64))
_ROWS: Final = (_BYTES, _OFFSETS, _BYTES, _OFFSETS, _OFFSETS, _BYTES, types.boolean)

_RUN_ROWS: Final = types.int64(*_ROWS, *_BOOK, _words(), _words(), *_SUMMARIES)
_APPLY_EVENTS: Final = types.boolean(*_BOOK, _words(), _words())
_WRITE_SUMMARY: Final = types.boolean(*_BOOK, *_SUMMARIES, types.int64, types.int64)


@cache
def kernels() -> Kernels:
    """Return the entry points, from disk where they are kept; compiling takes some seconds."""
    mark = jit.fingerprint(SOURCES)
    return Kernels(
        _entry(_RUN_ROWS, kernel.rows_entry(mark)),
        _entry(_APPLY_EVENTS, kernel.apply_entry(mark)),
        _entry(_WRITE_SUMMARY, kernel.summary_entry(mark)),
    )


def _entry(signature: Any, function: Callable[..., Any]) -> Any:
    return numba.njit(signature, cache=True, **jit.OPTIONS)(function)


def load(compiling: Callable[[], None]) -> None:
    """Make the entry points ready.

    Args:
        compiling: called once before anything is compiled; not at all where all is kept on disk.
    """

    class _Listener(event.Listener):
        told = False

        def on_start(self, event: Any) -> None:  # noqa: ARG002  numba's interface
            if not self.told:
                self.told = True
                compiling()

        def on_end(self, event: Any) -> None:
            pass

    with event.install_listener("numba:compile", _Listener()):
        kernels()
