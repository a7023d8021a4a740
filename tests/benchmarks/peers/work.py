"""Functions of all runners, by the standard library alone, as each runner has its own environment.

A runner is a process that does its imports and compilation first. Then it does the work once for each line on
stdin and prints a line of JSON as the answer. The work: from raw frames, compute best bid and ask with sizes
after every message, and count the messages whose spread is above `WIDE` of the ask.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

WIDE: Final = 0.0001
"""1 bp, as a fraction of the ask price."""


# The rule of `QuoteWhenWide` as all makers of the market run it.
SIZE: Final = "0.01"
LIMIT_SIZE: Final = "0.05"
INSIDE: Final = 1
LATENCY_NS: Final = 100_000_000


def thresholds(settings: int) -> list[float]:
    """Return the thresholds of so many settings: 1 bp, then up to 10 bps."""
    return [0.0001 + 0.0009 * place / max(1, settings - 1) for place in range(settings)]


class Made(NamedTuple):
    """Result of a backtest: number of messages, and of orders and fills of all settings."""

    messages: int
    orders: int
    fills: int


class Found(NamedTuple):
    """Result of the work: numbers of messages and of wide spreads, and the last best prices and sizes."""

    messages: int
    wide: int
    bid_price: float | None = None
    bid_size: float | None = None
    ask_price: float | None = None
    ask_size: float | None = None


def resident_mb(field: str = "VmRSS") -> float:
    """Return the resident set of this process in MB; field `VmHWM` is its largest so far."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts bytes
    (line,) = (line for line in status.read_text(encoding="ascii").splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024 / 1e6


def frames_of(path: str, messages: int = 0) -> list[bytes]:
    """Return the raw frames of a file, one in a line: the snapshot and `messages` updates, or all if 0."""
    frames = Path(path).read_bytes().splitlines()
    return frames[: messages + 1] if messages else frames


def timed(work: Callable[[], Found | Made]) -> dict[str, Any]:
    """Do the work once; return its processor seconds, its result and the largest resident set so far."""
    started = time.process_time()
    found = work()
    seconds = time.process_time() - started
    return {"seconds": seconds, "peak_mb": resident_mb("VmHWM"), **found._asdict()}


def answer(work: Callable[[], Found | Made]) -> None:
    """Print the resident set before the work, then do the work once for each line of stdin."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(
            "5", encoding="ascii"
        )  # reset the peak after the preparation
    _print({"before_mb": resident_mb()})
    for _ in sys.stdin:
        _print(timed(work))


def _print(document: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(document)}\n")
    sys.stdout.flush()
