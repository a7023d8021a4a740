"""The entry point of the compiled exchange; its code is kept beside that of the compiled engine."""

from collections.abc import Callable
from ctypes import CFUNCTYPE, c_int64
from typing import Final, NamedTuple

from orderbook.compiled.loading import BASE, KernelStore, addresses_of, checked


class Kernel(NamedTuple):
    """The entry point.

    Attributes:
        run: `kernel.run`; it takes the address of a `memory.Memory`.
        address: where it is, for the engine, see `orderbook.compiled.jit.call`.
    """

    run: Callable[[int, int], int]
    address: int


SOURCES: Final = (
    *BASE,
    *(f"compiled/{name}.py" for name in ("scan", "numbers", "blocks", "near", "market")),
    *(f"execution/{name}.py" for name in ("market_rows", "words")),
    "execution/compiled/kernel.py",
    *(f"execution/compiled/{name}.py" for name in ("layout", "addresses", "wide", "pool", "sizes", "places")),
    *(f"execution/compiled/{name}.py" for name in ("taking", "events", "gate")),
    *("execution/compiled/exchange.py", "execution/compiled/resting.py"),
    *(f"execution/compiled/{name}.py" for name in ("latency", "requests", "account", "digest", "samples")),
    *(f"execution/compiled/{name}.py" for name in ("markouts", "stirring")),
    *(f"execution/compiled/{name}.py" for name in ("later_mids", "breaks", "rows", "reports", "room")),
    *(f"execution/compiled/{name}.py" for name in ("called", "woken", "strategies", "lane", "market")),
)
_ENTRY: Final = "orderbook.execution.compiled.kernel:RUN"
_loaded: Final[list[Kernel]] = []  # at most one: this process's


def load(store: KernelStore | None, compiling: Callable[[], None]) -> Kernel:
    """Return the entry point, ready to run, see `orderbook.compiled.loading.load`."""
    if not _loaded:
        [address] = addresses_of([_ENTRY], SOURCES, store, compiling)
        run = CFUNCTYPE(c_int64, c_int64, c_int64)(address)
        _loaded.append(Kernel(lambda *arguments: checked(run(*arguments)), address))
    return _loaded[0]


def kernel_entry() -> Kernel:
    """Return the entry point; if `load` was not called before, it is compiled and not kept."""
    return load(None, lambda: None)
