"""The words of simulated execution: sides, queue models, and what can happen to an order.

A code is also a number of the execution digest, so none may change.
"""

from enum import IntEnum
from typing import Final, Literal

from orderbook.venues.base import Side

QueueModel = Literal["back", "share", "front"]
"""Who is taken to cancel: those behind us, everybody alike, those ahead of us."""

QUEUE_MODELS: Final[tuple[QueueModel, ...]] = ("back", "share", "front")

FilledBy = Literal["take", "trade", "through", "cross", "late"]
"""What filled an order: it took; a trade at its price; one beyond it; the other side; a late trade."""

OTHER_SIDE: Final[dict[Side, Side]] = {"bid": "ask", "ask": "bid"}

SIGN: Final[dict[Side, int]] = {"bid": 1, "ask": -1}
"""A price times the sign of its side is greater if it is better for those who look for a counterparty."""

SIDE_NUMBER: Final[dict[Side, int]] = {"bid": 1, "ask": 2}
"""A side in the execution digest."""


class Code(IntEnum):
    """An event of the exchange; the name in lower case is its word in reports and in RUN/orders."""

    RESTING = 1
    FILL = 2
    AMENDED = 3
    TOO_LATE = 4
    # How an order ends:
    FILLED = 10
    CANCELLED = 11
    EXPIRED = 12
    INTERRUPTED = 13
    END = 14
    UNSENT = 15
    # Why a new order is refused, in the order in which it is checked:
    NO_BOOK = 20
    INCREMENT = 21
    MIN_FUNDS = 22
    BAND = 23
    SELF_TRADE = 24
    POST_ONLY = 25
    CROSSED = 26
    FUNDS = 27
    TOO_MANY = 28
    # Why an amend is refused: the same reasons.
    AMEND_NO_BOOK = 40
    AMEND_INCREMENT = 41
    AMEND_MIN_FUNDS = 42
    AMEND_BAND = 43
    AMEND_SELF_TRADE = 44
    AMEND_POST_ONLY = 45
    AMEND_CROSSED = 46
    AMEND_FUNDS = 47

    @property
    def word(self) -> str:
        """The word of reports and tables."""
        return self.name.lower()

    @property
    def ends_order(self) -> bool:
        """Whether the order is over."""
        return FIRST_END <= self <= LAST_END

    @property
    def is_refusal(self) -> bool:
        """Whether a new order was refused."""
        return Code.NO_BOOK <= self <= LAST_END

    @property
    def refuses_amend(self) -> bool:
        """Whether an amend was refused."""
        return self >= Code.AMEND_NO_BOOK

    def of_amend(self) -> "Code":
        """Return the code by which an amend is refused for this reason."""
        return Code(self + Code.AMEND_NO_BOOK - Code.NO_BOOK)


FIRST_END: Final = Code.FILLED
LAST_END: Final = Code.TOO_MANY
"""The codes between these two, both included, end an order."""

CODES: Final = {code.value: code for code in Code}
"""Codes by their number; to look one up in the enum takes longer than all else about an order."""
