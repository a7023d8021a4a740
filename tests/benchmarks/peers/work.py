"""What all runners share, with nothing but the standard library: they run in environments of their own.

A runner is a process that has imported all it needs and compiled what it must; then it does the work once
for each line on stdin and answers each with a line of JSON. The work: raw frames in, best bid and ask with
sizes after every message, the number of those whose spread is above `WIDE` of the ask.
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
"""1 bp, a fraction of the ask price."""


class Found(NamedTuple):
    """What one pass found: messages with a wide spread, and the last best prices and sizes."""

    messages: int
    wide: int
    bid_price: float | None = None
    bid_size: float | None = None
    ask_price: float | None = None
    ask_size: float | None = None


def resident_mb(what: str = "VmRSS") -> float:
    """Return the resident set of this process in MB; `VmHWM` for its largest so far."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts bytes
    (line,) = (line for line in status.read_text(encoding="ascii").splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024 / 1e6


def frames_of(path: str, messages: int = 0) -> list[bytes]:
    """Return the raw frames of a file, one a line: the snapshot and so many updates, all where 0."""
    frames = Path(path).read_bytes().splitlines()
    return frames[: messages + 1] if messages else frames


def timed(work: Callable[[], Found]) -> dict[str, Any]:
    """Do the work once; return processor seconds, what was found and the largest resident set so far."""
    started = time.process_time()
    found = work()
    seconds = time.process_time() - started
    return {"seconds": seconds, "peak_mb": resident_mb("VmHWM"), **found._asdict()}


def answer(work: Callable[[], Found]) -> None:
    """Say how large the process is before any work, then do it once a line until stdin ends."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak of the preparation
    _say({"before_mb": resident_mb()})
    for _ in sys.stdin:
        _say(timed(work))


def _say(document: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(document)}\n")
    sys.stdout.flush()
