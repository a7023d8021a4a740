"""What an order meets as it arrives: the reasons to refuse it, in their order, and what it would take."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from orderbook.execution.codes import OTHER_SIDE, SIGN, Code
from orderbook.execution.market import Market
from orderbook.execution.numbers import MILLION, fee_of
from orderbook.execution.orders import Kind, Order
from orderbook.execution.settings import Fees, ProductRules
from orderbook.execution.taking import Taken, market_limit
from orderbook.venues.base import Side

MOST_OPEN = 64
"""Orders of a lane that rest at one time."""


class Proposal(NamedTuple):
    """A new order, or what an amend makes of one."""

    side: Side
    kind: Kind
    post_only: bool
    price: int
    size: int


class Funds(Protocol):
    """What a lane owns; None of what is without limit."""

    @property
    def free_cash(self) -> int | None: ...  # noqa: D102

    @property
    def free_base(self) -> int | None: ...  # noqa: D102


class Verdict(NamedTuple):
    """Why an order is refused, None if it is not, and how far it takes."""

    refusal: Code | None
    limit: int


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides on orders as they arrive."""

    market: Market
    rules: ProductRules
    fees: Fees
    taken: Taken
    funds: Funds

    def judge(self, order: Proposal, others: list[Order]) -> Verdict:
        """Return whether an order is refused, and how far it takes; `others` are the lane's resting ones."""
        best = self.market.best(OTHER_SIDE[order.side])
        limit = order.price
        if order.kind == "market" and best is not None:
            limit = market_limit(order.side, best, self.rules.collar)
        refusal = self._early_refusal(order, best) or self._late_refusal(order, limit, others)
        return Verdict(refusal, limit)

    def _early_refusal(self, order: Proposal, best: int | None) -> Code | None:
        """Return why an order is refused whatever it takes; `best` is the best opposite price."""
        if not self.market.is_known or (order.kind != "limit" and best is None):
            return Code.NO_BOOK
        if not self._is_on_grid(order):
            return Code.INCREMENT
        price = (best or 0) if order.kind == "market" else order.price
        if price * order.size < self.rules.min_funds:
            return Code.MIN_FUNDS
        return Code.BAND if self._is_out_of_band(order, best) else None

    def _late_refusal(self, order: Proposal, limit: int, others: list[Order]) -> Code | None:
        """Return why an order is refused for what it would take, or for the orders that rest already."""
        takes = self.taken.walk(order.side, limit, order.size)
        reasons = {
            # As if the walk came that far: whether it does is known only once it is done.
            Code.SELF_TRADE: any(each.side != order.side and each.reaches(limit) for each in others),
            Code.POST_ONLY: order.post_only and bool(takes),
            Code.CROSSED: self.market.is_crossed and bool(takes),
            Code.FUNDS: not self._has_funds(order, takes, others),
            Code.TOO_MANY: len(others) >= MOST_OPEN,
        }
        return next((code for code, holds in reasons.items() if holds), None)

    def _is_on_grid(self, order: Proposal) -> bool:
        is_price = order.kind == "market" or (order.price > 0 and order.price % (self.market.tick or 1) == 0)
        return is_price and order.size > 0 and order.size % self.rules.lot == 0

    def _is_out_of_band(self, order: Proposal, best: int | None) -> bool:
        """Tell whether a limit is further beyond the opposite best than the band allows."""
        if self.rules.band is None or best is None or order.kind == "market":
            return False
        return SIGN[order.side] * (order.price - best) * MILLION > best * self.rules.band

    def _has_funds(self, order: Proposal, takes: list[tuple[int, int]], others: list[Order]) -> bool:
        """Tell whether cash or base suffices, with what the resting orders hold taken off."""
        held = [other for other in others if other.side == order.side]
        if order.side == "ask":
            free = self.funds.free_base
            return free is None or free - sum(other.left for other in held) >= order.size
        if self.funds.free_cash is None:
            return True
        free = self.funds.free_cash - sum(self._cost(other.price * other.left) for other in held)
        value = sum(price * size for price, size in takes)
        return free >= self._cost(value if order.kind == "market" else order.price * order.size)

    def _cost(self, value: int) -> int:
        """Return what a purchase costs at most, with the higher of both fees."""
        return value + fee_of(value, max(self.fees.maker, self.fees.taker, 0))
