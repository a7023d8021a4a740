"""Our orders, and the requests that make and change them."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from orderbook.execution.codes import QUEUE_MODELS, SIGN, Code, QueueModel
from orderbook.execution.queue import Ahead, QueuePlace
from orderbook.venues.base import Side

Kind = Literal["limit", "ioc", "market"]


def limit_kind(*, post_only: bool, ioc: bool) -> Kind:
    """Return the kind of a limit order.

    Raises:
        ValueError: if it shall never take and never rest.
    """
    if post_only and ioc:
        raise ValueError("post_only and ioc exclude each other: such an order could neither take nor rest")
    return "ioc" if ioc else "limit"


class RestingSince(NamedTuple):
    """When an order came to rest as it does, what was left of it then, and what was ahead of it."""

    time: int
    size: int
    back: int
    share: int


@dataclass(slots=True, eq=False)
class Order:
    """One order of a lane, from its request on. Times are recv_time in ns, sizes and prices units of 1e-8.

    Attributes:
        number: from 1 a lane.
        name: its name in a table of orders.
        price: the limit; 0 of a market order, and of one that no exchange could have.
        size: what is filled and what is left; an amend changes it.
        model: the queue model that decides what fills.
        filled: how much is filled under each queue model.
        place: its place in the queue; None if it does not rest, or rests while no book is known.
        rank: the running number of its acceptance at this price: earlier ones come first.
        ahead_at_rest: what was ahead when it first came to rest.
        late_book_time: book time (E) when it was cancelled: trades until then may still come.
        resting_since: how its row of `resting.RestingRows` began; None if none is under way.
    """

    number: int
    name: str | None
    side: Side
    kind: Kind
    post_only: bool
    price: int
    size: int
    model: QueueModel
    sent: int
    filled: dict[QueueModel, int] = field(default_factory=lambda: dict.fromkeys(QUEUE_MODELS, 0))
    place: QueuePlace | None = None
    rank: int = 0
    arrived: int | None = None
    rested: int | None = None
    ahead_at_rest: int | None = None
    ended: int | None = None
    end: Code | None = None
    amends: int = 0
    late_book_time: int | None = None
    resting_since: RestingSince | None = None

    @property
    def done(self) -> int:
        """What is filled under the lane's model."""
        return self.filled[self.model]

    @property
    def left(self) -> int:
        """What is not filled."""
        return self.size - self.done

    @property
    def is_filled_everywhere(self) -> bool:
        """Whether nothing is left under any model."""
        return min(self.filled.values()) >= self.size

    def fill(self, reaching: Ahead) -> int:
        """Fill the order by what reaches it under each model; return the fill under the lane's."""
        before = self.done
        for model, size in zip(QUEUE_MODELS, reaching, strict=True):
            # An amend may have left less than a model has filled already.
            self.filled[model] += max(0, min(size, self.size - self.filled[model]))
        return self.done - before

    def reaches(self, price: int) -> bool:
        """Tell whether a price of the other side is at or beyond the limit, so that both would trade."""
        return SIGN[self.side] * (self.price - price) >= 0


def by_priority(order: Order) -> tuple[int, int]:
    """Sort orders of a side: best price first, then by acceptance."""
    return -SIGN[order.side] * order.price, order.rank


class NewRequest(NamedTuple):
    """Send a new order."""

    order: Order


class CancelRequest(NamedTuple):
    """Cancel an order."""

    number: int


class AmendRequest(NamedTuple):
    """Change the price of an order and what is left of it; None leaves it as it is."""

    number: int
    price: int | None
    left: int | None


Request: TypeAlias = NewRequest | CancelRequest | AmendRequest
