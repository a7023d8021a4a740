"""The money of a lane, exact: cash, position, fees, and profit by average cost.

Money is in units of 1e-16 of the quote currency, positions in units of 1e-8. What is marked at the mid is
kept twice over, so that the half is exact. At every moment

    2 * realised + unrealised_twice - 2 * fees == equity_twice - 2 * start
"""

from orderbook.execution.codes import SIGN
from orderbook.venues.base import Side


class Account:
    """Cash and position of one lane.

    Args:
        cash: at the start, None if it does not limit orders.
        base: position at the start, None if there is none and it does not limit orders.

    Attributes:
        cash, position: what the lane owns.
        fees: sum of the fees, rebates taken off.
        realised: profit of what was bought and sold again, without fees.
        cost: what the position cost, negative of a short one.
        turnover: sum of the values of all fills.
        first_cost: value of the position of the start, None until it is known.
    """

    def __init__(self, cash: int | None = None, base: int | None = None) -> None:
        self._limits_cash, self._limits_base = cash is not None, base is not None
        self.cash = cash or 0
        self.position = base or 0
        self.fees = self.realised = self.cost = self.turnover = 0
        self._first_cash = self.cash
        self.first_cost: int | None = None if self.position else 0

    @property
    def start(self) -> int:
        """Equity at the start: cash, and a first position at the first mid (down to a unit)."""
        return self._first_cash + (self.first_cost or 0)

    @property
    def free_cash(self) -> int | None:
        """What a purchase can cost, None without limit."""
        return self.cash if self._limits_cash else None

    @property
    def free_base(self) -> int | None:
        """What can be sold, None without limit."""
        return self.position if self._limits_base else None

    @property
    def is_valued(self) -> bool:
        """Whether a position of the start has its value."""
        return self.first_cost is not None

    def value_start(self, mid_twice: int) -> None:
        """Value a position of the start at the first mid, or the first price, that is known."""
        if self.first_cost is None:
            self.cost = self.first_cost = self.position * mid_twice // 2

    def fill(self, side: Side, price: int, size: int, fee: int) -> None:
        """Book a fill."""
        self.value_start(2 * price)
        value = price * size
        self.turnover += value
        self.fees += fee
        self.cash -= SIGN[side] * value + fee
        held = abs(self.position)
        is_against = self.position * SIGN[side] < 0
        closed = min(size, held) if is_against else 0
        if closed:
            part = abs(self.cost) * closed // held
            # A long position proceeds with its price and costs `part`; a short one the other way round.
            self.realised += SIGN[side] * (part - price * closed)
            self.cost += SIGN[side] * part
        self.cost += SIGN[side] * price * (size - closed)
        self.position += SIGN[side] * size

    def equity_twice(self, mid_twice: int | None) -> int | None:
        """Return twice the equity at a mid, None if there is no mid."""
        return None if mid_twice is None else 2 * self.cash + self.position * mid_twice

    def unrealised_twice(self, mid_twice: int | None) -> int | None:
        """Return twice the profit of the position at a mid, without fees; None if there is no mid."""
        return None if mid_twice is None else self.position * mid_twice - 2 * self.cost

    def equity_exit(self, bid: int | None, ask: int | None) -> int | None:
        """Return the equity at the price one would hit, size and fee left out; None if a side is empty."""
        if bid is None or ask is None:
            return None
        return self.cash + self.position * (bid if self.position > 0 else ask)
