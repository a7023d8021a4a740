"""What comes of the lanes of a product, whichever engine ran them."""

from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from orderbook.engine import Step
from orderbook.execution.account import Account
from orderbook.execution.breaks import Broken
from orderbook.execution.codes import QueueModel
from orderbook.execution.digest import ExecutionDigest
from orderbook.execution.market import Touch
from orderbook.execution.results import LaneRows
from orderbook.execution.totals import LaneTotals
from orderbook.tally import Tally
from orderbook.trades import TradeWatch
from replay.simulation.parts import LaneParts


class LaneResult(Protocol):
    """What comes of a lane, whichever engine ran it."""

    @property
    def rows(self) -> LaneRows: ...  # noqa: D102
    @property
    def account(self) -> Account: ...  # noqa: D102
    @property
    def digest(self) -> ExecutionDigest: ...  # noqa: D102
    @property
    def totals(self) -> LaneTotals: ...  # noqa: D102
    @property
    def broken(self) -> Broken: ...  # noqa: D102
    @property
    def resting(self) -> int: ...  # noqa: D102


class ShownMarket(Protocol):
    """What the tape showed, see `Market`."""

    @property
    def tick(self) -> int | None: ...  # noqa: D102
    @property
    def shown_tick(self) -> int | None: ...  # noqa: D102
    @property
    def shown_lot(self) -> int | None: ...  # noqa: D102
    @property
    def sizes_cut(self) -> int: ...  # noqa: D102
    @property
    def touch(self) -> Touch: ...  # noqa: D102
    @property
    def seq(self) -> int: ...  # noqa: D102


class Shown(Protocol):
    """A product as its lanes saw it, see `ProductLanes`."""

    watch: TradeWatch
    trades: int

    @property
    def market(self) -> ShownMarket: ...  # noqa: D102
    def prepare(self, rows: pa.RecordBatch) -> Step: ...  # noqa: D102
    def step(self, rows: pa.RecordBatch) -> Step: ...  # noqa: D102
    def finish(self) -> None: ...  # noqa: D102


@dataclass(slots=True)
class LaneRun:
    """A lane in a backtest, and its place in the results."""

    setting: int
    queue: QueueModel
    lane: LaneResult
    parts: LaneParts


@dataclass(slots=True)
class ProductRun:
    """What came of a product.

    Attributes:
        tally: counts and digest of its summaries.
        lanes: none if the product has no summary in the window.
        shown: the product as its lanes saw it.
    """

    product: str
    tally: Tally
    lanes: list[LaneRun]
    shown: Shown

    def digests(self) -> dict[str, str]:
        """Return the execution digests so far of the lanes of one setting, by queue model."""
        return {each.queue: each.lane.digest.hexdigest() for each in self.lanes}
