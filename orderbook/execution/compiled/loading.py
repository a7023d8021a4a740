"""The entry point of the compiled exchange; its code is kept beside that of the compiled engine."""

from collections.abc import Callable
from typing import Final, TypeAlias

from numba import types

from orderbook.compiled import blocks, jit, levels, near, numbers, words
from orderbook.compiled import layout as book_layout
from orderbook.compiled.loading import KernelStore, compiled
from orderbook.execution import market_rows
from orderbook.execution import words as strategy_words
from orderbook.execution.compiled import (
    account,
    breaks,
    called,
    digest,
    events,
    exchange,
    gate,
    kernel,
    lane,
    latency,
    layout,
    market,
    places,
    pool,
    reports,
    requests,
    room,
    rows,
    samples,
    sizes,
    strategies,
    taking,
    wide,
)

Run: TypeAlias = Callable[[int], int]
"""`kernel.run`; it takes the address of `memory.Memory`."""

_SOURCES: Final = (
    *(jit, book_layout, words, numbers, blocks, near, levels, market_rows),
    strategy_words,
    *(layout, wide, pool, sizes, places, taking, events, gate, exchange, latency, requests),
    *(account, digest, samples, breaks, rows, reports, room),
    *(called, strategies, lane, market, kernel),
)
_ENTRY: Final = types.int64(types.int64)
_loaded: Final[list[Run]] = []  # at most one: this process's


def load(store: KernelStore | None, compiling: Callable[[], None]) -> Run:
    """Return the entry point, ready to run, see `orderbook.compiled.loading.load`."""
    if not _loaded:
        _loaded.extend(compiled([(kernel.run, _ENTRY)], _SOURCES, store, compiling))
    return _loaded[0]


def kernel_entry() -> Run:
    """Return the entry point; if `load` was not called before, it is compiled and not kept."""
    return load(None, lambda: None)
