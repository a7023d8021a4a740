"""Strategies that trade, to run as they are and to copy from."""

from collections.abc import Sequence
from typing import Any, Final

from booktape.arguments import naming
from booktape.words import ASK, BID, MarketWords, OrderWords, RequestWords, cancel_side, quote
from orderbook.errors import OptionError
from orderbook.execution.compiled_strategy import CompiledTrader, compiled
from orderbook.execution.market_view import MarketView
from orderbook.execution.numbers import NumberLike, order_units, units_to_decimal
from orderbook.execution.params import Setting
from orderbook.execution.wakes import Wakes
from orderbook.thresholds import ThresholdLike, parse_threshold
from orderbook.venues.base import Side


class QuoteWhenWide:
    """Quote on both sides while the spread is wide: the spread filter as a trading rule.

    While the relative spread is above the threshold, it keeps one post-only order a side, some ticks inside
    the best bid and ask. A narrow spread, or a position at its limit, cancels them.

    Args:
        product: the product.
        threshold: the relative spread above which it quotes.
        size: of an order.
        inside: ticks inside the best bid and ask; 0 joins them, as does a spread that has no room.
        limit: largest position, long or short.

    Raises:
        OptionError: if a setting cannot be used.
    """

    wakes: Final = Wakes(top=True, fills=True)

    def __init__(
        self,
        product: str,  # noqa: ARG002  part of every strategy
        threshold: ThresholdLike = "10bps",
        size: NumberLike = "0.01",
        inside: int = 1,
        limit: NumberLike = "0.05",
    ) -> None:
        self.threshold = parse_threshold(threshold)
        with naming("size", size, "a size such as 0.01"):
            self.size = units_to_decimal(order_units(size))
        with naming("limit", limit, "a size such as 0.05"):
            self.limit = units_to_decimal(order_units(limit))
        if not isinstance(inside, int) or inside < 0:
            raise OptionError(f"{inside!r} is not a whole number of ticks, such as 1", option="inside")
        if not 0 < self.size <= self.limit:
            raise OptionError(f"{size} is not above 0 and at most the limit {limit}", option="size")
        self.inside = inside

    @property
    def compiled(self) -> CompiledTrader | None:
        """The strategy as the compiled engine runs it; None of one that was derived from it."""
        if type(self) is not QuoteWhenWide or "on_event" in vars(self):
            return None
        return _quote_when_wide(
            "", threshold=self.threshold, size=self.size, limit=self.limit, inside=min(self.inside, 2**62)
        )

    def on_event(self, m: MarketView) -> None:
        """Quote, move the quotes or cancel them."""
        is_wide = m.relative_spread > self.threshold and not m.is_crossed
        if not (is_wide or m.orders):
            return
        self._quote(m, "bid", wanted=is_wide and m.position + self.size <= self.limit)
        self._quote(m, "ask", wanted=is_wide and m.position - self.size >= -self.limit)

    def _quote(self, m: MarketView, side: Side, *, wanted: bool) -> None:
        if not wanted or m.bid is None or m.ask is None:
            m.cancel_all(side)
            return
        has_room = m.ask - m.bid >= (2 * self.inside + 1) * m.tick
        step = self.inside * m.tick if has_room else 0 * m.tick
        m.quote(side, m.bid + step if side == "bid" else m.ask - step, self.size)


@compiled(
    QuoteWhenWide.wakes,
    settings={
        "threshold": Setting("threshold", "10bps"),
        "size": Setting("amount", "0.01"),
        "inside": Setting("int", 1),
        "limit": Setting("amount", "0.05"),
    },
    idle_below="threshold",
)
def _quote_when_wide(
    m: MarketWords,
    orders: Sequence[OrderWords],
    params: Any,
    state: Any,  # noqa: ARG001  part of every strategy
    out: Sequence[RequestWords],
) -> int:
    """Do what `QuoteWhenWide.on_event` does."""
    is_wide = m.relative_spread > params.threshold and m.bid <= m.ask
    if not is_wide and len(orders) == 0:
        return 0
    # Checked without a product first: `inside` may be any number.
    has_room = params.inside <= m.spread // m.tick and m.spread >= (2 * params.inside + 1) * m.tick
    step = params.inside * m.tick if has_room else 0
    count = 0
    if is_wide and m.position + params.size <= params.limit:
        count = quote(out, count, orders, BID, m.bid + step, params.size)
    else:
        count = cancel_side(out, count, orders, BID)
    if is_wide and m.position - params.size >= -params.limit:
        return quote(out, count, orders, ASK, m.ask - step, params.size)
    return cancel_side(out, count, orders, ASK)
