"""The entry point of the compiled exchange; its code is kept beside that of the compiled engine."""

from collections.abc import Callable
from typing import Final, NamedTuple

from numba import types

from orderbook.compiled import blocks, jit, near, numbers, words
from orderbook.compiled import layout as book_layout
from orderbook.compiled import market as engine_market
from orderbook.compiled.loading import KernelStore, compiled
from orderbook.execution import market_rows
from orderbook.execution import words as strategy_words
from orderbook.execution.compiled import (
    account,
    addresses,
    breaks,
    called,
    digest,
    events,
    exchange,
    gate,
    kernel,
    lane,
    latency,
    later_mids,
    layout,
    market,
    markouts,
    places,
    pool,
    reports,
    requests,
    room,
    rows,
    samples,
    sizes,
    stirring,
    strategies,
    taking,
    wide,
    woken,
)


class Kernel(NamedTuple):
    """The entry point.

    Attributes:
        run: `kernel.run`; it takes the address of a `memory.Memory`.
        address: where it is, for the engine, see `orderbook.compiled.jit.call`.
    """

    run: Callable[[int, int], int]
    address: int


_SOURCES: Final = (
    *(jit, book_layout, words, numbers, blocks, near, engine_market, market_rows),
    strategy_words,
    *(layout, addresses, wide, pool, sizes, places, taking, events, gate, exchange, latency, requests),
    *(account, digest, markouts, later_mids, samples, breaks, rows, reports, room),
    *(called, woken, strategies, stirring, lane, market, kernel),
)
_ENTRY: Final = types.int64(types.int64, types.int64)
_loaded: Final[list[Kernel]] = []  # at most one: this process's


def load(store: KernelStore | None, compiling: Callable[[], None]) -> Kernel:
    """Return the entry point, ready to run, see `orderbook.compiled.loading.load`."""
    if not _loaded:
        (run,) = compiled([(kernel.run, _ENTRY)], _SOURCES, store, compiling)
        _loaded.append(Kernel(run, jit.address_of(run, _ENTRY)))
    return _loaded[0]


def kernel_entry() -> Kernel:
    """Return the entry point; if `load` was not called before, it is compiled and not kept."""
    return load(None, lambda: None)
