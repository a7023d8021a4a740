"""How a recording stands: what the panel, the log and the metrics all show."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from orderbook.engine import RowSpan, Step
from orderbook.schema import ANOMALY_KINDS


@dataclass(frozen=True, slots=True)
class ProductStatus:
    """One product of a recording; prices as floats, None where they are not known.

    Attributes:
        rows, frames: recorded in this run.
        connections: opened in this run.
        bid, ask: best prices; in an interruption none are known.
        relative_spread: fraction of the ask price.
        anomalies: how many of each kind, in this run.
        last_frame: when the last frame went through, seconds on the monotonic clock.
    """

    rows: int = 0
    frames: int = 0
    connections: int = 0
    bid: float | None = None
    ask: float | None = None
    relative_spread: float | None = None
    anomalies: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ANOMALY_KINDS, 0))
    last_frame: float | None = None


class RecorderStatus:
    """Keeps the status of all products up to date. The dataflow writes it, any thread may read it."""

    def __init__(self, products: Iterable[str], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._products = {product: ProductStatus() for product in products}
        self._connection: dict[str, int] = {}

    def take(self, product: str, step: Step) -> None:
        """Take up one step of a product. O(anomalies)."""
        span = step.span
        if not span.rows:
            return
        old = self._products[product]
        anomalies = old.anomalies
        if step.anomalies.num_rows:
            anomalies = dict(anomalies)
            for kind in step.anomalies.column("kind").to_pylist():
                anomalies[kind] += 1
        new = replace(
            old,
            rows=old.rows + span.rows,
            frames=old.frames + span.frames,
            connections=old.connections + self._opened(product, span),
            anomalies=anomalies,
            last_frame=self._monotonic() if span.frames else old.last_frame,
        )
        if step.summaries.num_rows:
            names = ("bid_price", "ask_price", "relative_spread")
            bid, ask, relative = (step.summaries.column(name)[-1].as_py() for name in names)
            new = replace(new, bid=bid, ask=ask, relative_spread=relative)
        if span.is_interrupted:
            new = replace(new, bid=None, ask=None, relative_spread=None)
        with self._lock:
            self._products[product] = new

    def _opened(self, product: str, span: RowSpan) -> int:
        """Return how many connections a span adds to those seen; they count up by one."""
        if span.first_connection is None or span.last_connection is None:
            return 0
        before = self._connection.get(product, span.first_connection - 1)
        self._connection[product] = span.last_connection
        return span.last_connection - before

    def products(self) -> dict[str, ProductStatus]:
        """Return all products as they stand now."""
        with self._lock:
            return dict(self._products)

    def seconds_since_frame(self, status: ProductStatus) -> float | None:
        """Return how long ago a product's last frame went through."""
        return None if status.last_frame is None else self._monotonic() - status.last_frame

    def now(self) -> float:
        """Return the monotonic clock that the status goes by, in seconds."""
        return self._monotonic()
