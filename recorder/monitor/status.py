"""The status of rows as they come, of a feed or a tape, which the panel, the log and the metrics show."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from orderbook.engine import Step
from orderbook.tally import Tally
from recorder.live.client import FeedReader
from recorder.runtime.strategy_thread import LiveStrategy, Standing
from recorder.shipping.shipper import Shipper
from recorder.tape.writer import TapeWriter

OWN_PRODUCTS: Final = 10
"""Products that are shown one by one; a line of hundreds is read by nobody."""


@dataclass(frozen=True, slots=True)
class ProductStatus:
    """The status of one product in this run.

    Attributes:
        rows, frames, connections: numbers recorded.
        anomalies: number of each kind.
        last_frame, last_book: time of the last frame, and of the last change of the book, in seconds on the
            monotonic clock.
        bid, ask: best prices; None if unknown, as during an interruption.
        relative_spread: fraction of the ask price; None if unknown.
        signals: number of summaries above the threshold.
        has_book: whether a book is known; one side of it may be empty.
    """

    rows: int
    frames: int
    connections: int
    anomalies: dict[str, int]
    last_frame: float | None
    last_book: float | None
    bid: float | None
    ask: float | None
    relative_spread: float | None
    signals: int = 0
    has_book: bool = False


_UNKNOWN = (None, None, None)


class RowStatus:
    """The status of all products. The dataflow updates it, any thread may read it.

    Args:
        tallies: counts of each product, which whoever runs the rows keeps up to date.
        monotonic: returns the time in seconds.
    """

    def __init__(self, tallies: Mapping[str, Tally], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._tallies = tallies
        self._last_frames: dict[str, float] = {}
        self._last_books: dict[str, float] = {}
        self._quotes: dict[str, tuple[float | None, float | None, float | None]] = {}
        self.now = monotonic
        self._began = monotonic()

    @property
    def threshold(self) -> float:
        """The relative spread above which a summary is a signal."""
        return next(iter(self._tallies.values())).threshold

    def update(self, product: str, step: Step) -> None:
        """Update time and prices of a product by a step."""
        if step.span.frames:
            self._last_frames[product] = self.now()
        if step.summaries.num_rows:
            self._last_books[product] = self.now()
        if step.span.is_interrupted:
            self._quotes.pop(product, None)
        elif step.summaries.num_rows:
            names = ("bid_price", "ask_price", "relative_spread")
            bid, ask, relative = (step.summaries.column(name)[-1].as_py() for name in names)
            self._quotes[product] = bid, ask, relative

    def products(self) -> dict[str, ProductStatus]:
        """Return the status of each product now."""
        return {
            product: ProductStatus(
                tally.rows,
                tally.frames,
                tally.connections,
                dict(tally.anomalies),
                self._last_frames.get(product),
                self._last_books.get(product),
                *self._quotes.get(product, _UNKNOWN),
                tally.signals,
                product in self._quotes,
            )
            for product, tally in self._tallies.items()
        }

    def silence(self) -> float:
        """Return the seconds since the last frame of any product; before the first, since the beginning."""
        return self.now() - max(self._last_frames.copy().values(), default=self._began)

    def seconds_since(self, time: float | None) -> float | None:
        """Return the seconds since `last_frame` or `last_book`; None before the first."""
        return None if time is None else self.now() - time


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedView:
    """The parts of a running live feed, to be read from any thread and never changed."""

    status: RowStatus
    reader: FeedReader
    strategy: LiveStrategy | None = None

    @property
    def trades_on_paper(self) -> bool:
        """Whether there is a strategy that trades."""
        return self.strategy is not None and self.strategy.reads_rows

    def standing(self, product: str) -> Standing | None:
        """Return how a strategy that trades stands on a product; None before it begins or once it failed."""
        return None if self.strategy is None else self.strategy.standing(product)

    def trouble(self) -> str | None:
        """Return why it is not healthy: no product had a frame for as long as replaces a connection."""
        silence, stale_after = self.status.silence(), self.reader.stale_after
        if silence <= stale_after:
            return None
        return f"no product has had a frame for {silence:.0f} s (--stale-after is {stale_after:g} s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingView(FeedView):
    """Those of a running recording."""

    writer: TapeWriter
    shipper: Shipper | None = None


Observer = Callable[[RecordingView], AbstractContextManager[object]]
"""Observes a recording while its block runs: a panel, log lines, metrics."""

FeedObserver = Callable[[FeedView], AbstractContextManager[object]]
"""Observes a live feed that is not recorded."""
