"""The settings of a replay."""

from dataclasses import dataclass
from typing import Final, Literal

from orderbook.document import Document
from orderbook.thresholds import DEFAULT_THRESHOLD
from orderbook.times import format_optional
from recorder.tape.row_batches import BATCH_ROWS
from replay.running.pacing import MAX_SPEED
from replay.running.window import WHOLE, Window


class SettingsDocument(Document, frozen=True):
    """The settings of a replay.

    Attributes:
        speed: 1 is the original timing, "max" as fast as possible.
        idle_limit_s: seconds to which a recorded silence is shortened; null keeps all.
        depth: best levels a side that were returned after every summary; null for none.
        from_, to: the window, ISO times; null for an open side.
    """

    products: tuple[str, ...]
    speed: float | Literal["max"]
    idle_limit_s: float | None
    precise: bool
    threshold: float
    from_: str | None
    to: str | None
    depth: int | None
    follow: bool
    processes: int


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """The part of a tape to replay, and how.

    Attributes:
        products: product ids; all of the tape if empty.
        speed: 1 is the original timing, 10 ten times faster, `MAX_SPEED` as fast as possible.
        idle_limit: seconds to which a recorded silence is shortened; None keeps all. Only if paced.
        threshold: a signal is a summary whose relative spread is above it; fraction of the best ask.
        window: the part of the tape to report.
        batch_rows: rows in a batch; no result depends on it.
        depth: best levels a side to return after every summary, four columns each; 0 for none.
        trades: whether to return the trades.
        precise: spin before each deadline instead of sleeping. Only if paced.
        follow: wait for rows that are still being recorded, until a signal or the end of the window.
        processes: number of processes that share the work; no result depends on it. Not with `idle_limit` or
            `follow`.
    """

    products: tuple[str, ...] = ()
    speed: float = MAX_SPEED
    idle_limit: float | None = None
    threshold: float = DEFAULT_THRESHOLD
    window: Window = WHOLE
    batch_rows: int = BATCH_ROWS
    depth: int = 0
    trades: bool = False
    precise: bool = False
    follow: bool = False
    processes: int = 1

    def document(self) -> SettingsDocument:
        """Return the JSON form."""
        return SettingsDocument.of(
            self,
            speed="max" if self.speed == MAX_SPEED else self.speed,
            idle_limit_s=self.idle_limit,
            from_=format_optional(self.window.start),
            to=format_optional(self.window.end),
            depth=self.depth or None,
        )


REPLAY: Final = ReplaySettings()
"""A whole tape, as fast as possible."""
