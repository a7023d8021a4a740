"""The settings of a lane and the rules of a product; all frozen, all exact."""

from dataclasses import dataclass, field
from typing import Final, Literal

from orderbook.execution.codes import QueueModel
from orderbook.execution.latency import FixedLatency, Latency
from orderbook.times import NS

MS: Final = NS // 1000


@dataclass(frozen=True, slots=True)
class ProductRules:
    """What the exchange allows for one product.

    Attributes:
        tick: smallest step of prices, in units of 1e-8; None infers it from the first snapshot.
        lot: smallest step of sizes, in units of 1e-8.
        min_funds: smallest value of an order, in money units of 1e-16.
        collar: how far a market order may walk beyond the best price, in millionths of that price.
        band: how far a limit may be beyond the best opposite price, in millionths of it; None does not check.
    """

    tick: int | None = None
    lot: int = 1
    min_funds: int = 0
    collar: int = 20_000  # Coinbase's max_slippage_percentage of BTC-USD, 2 %
    band: int | None = None


@dataclass(frozen=True, slots=True)
class Fees:
    """Rates in millionths of a fill's value; a negative rate is a rebate. The default is the first tier."""

    maker: int = 4_000
    taker: int = 6_000

    def __str__(self) -> str:
        return f"{self.maker / 100:g}/{self.taker / 100:g} bps"


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """Everything that decides what happens to the orders of a lane. Times are nanoseconds.

    Attributes:
        queue: the queue model that decides what fills; each order is followed under all three.
        fees: the rates.
        latency: from a request to its effect on the book.
        report: from an event at the exchange to its report to the strategy.
        seed: of random latencies; lanes with the same seed draw alike.
        impact: `taken`: what we took of a level stays taken. `none`: it is forgotten at once.
        on_break: `end`: an interruption ends resting orders. `keep`: they stand at the back of the next book.
        cash: money at the start, in units of 1e-16; None does not limit orders by funds.
        base: position at the start, in units of 1e-8; None if there is none and orders have no such limit.
        equity_every: the grid of equity samples.
        markouts: horizons after a fill at which the mid is compared.
    """

    queue: QueueModel = "share"
    fees: Fees = field(default_factory=Fees)
    latency: Latency = field(default_factory=lambda: FixedLatency(100 * MS))
    report: int = 0
    seed: int = 0
    impact: Literal["taken", "none"] = "taken"
    on_break: Literal["end", "keep"] = "end"
    cash: int | None = None
    base: int | None = None
    equity_every: int = NS
    markouts: tuple[int, ...] = (NS, 5 * NS, 30 * NS)
