"""A compiled strategy behind the compiled exchange: its memory, and why it failed."""

from typing import Any, Final

import numpy as np

from orderbook.errors import first_line
from orderbook.execution.compiled.functions import RAISED, address_of
from orderbook.execution.compiled.memory import Memory
from orderbook.execution.compiled_strategy import CompiledTrader, fault_of_count, fault_of_requests
from orderbook.execution.params import plain_record
from orderbook.execution.words import (
    MOST_REQUESTS,
    REQUEST_WORDS,
    MarketWords,
    OrderWords,
    RequestWords,
)

_UNTOLD: Final = "it raised an exception; with the plain engine (--engine plain) the message says which"
"""Said if the function does not raise again, as what it keeps has changed."""


class Callee:
    """The strategy of one lane, called by its address; all that the kernel writes to is kept alive here.

    Args:
        trader: the strategy.
        lane: the record of `layout.LANE`, into which the addresses go.
        name: what errors call it.
    """

    def __init__(self, trader: CompiledTrader, lane: Any, name: str) -> None:
        self.name = name
        self._trader = trader
        self._out = np.zeros(MOST_REQUESTS, REQUEST_WORDS)
        lane["function"] = address_of(trader.strategy)
        for word, array in (("params", trader.params), ("state", trader.state), ("out", self._out)):
            lane[word] = array.ctypes.data

    def fault(self, memory: Memory, number: int) -> str:
        """Return what was wrong with the last call; if it raised, what the function raises in Python."""
        asked = int(memory.market["answer"])
        if asked == RAISED:
            return self._raised(memory, number)
        requests = [RequestWords(*each) for each in self._out[: max(asked, 0)].tolist()]
        sent = int(memory.lanes["sent"][number])
        return fault_of_count(asked) or fault_of_requests(requests, sent) or _UNTOLD

    def _raised(self, memory: Memory, number: int) -> str:
        trader, open_orders = self._trader, memory.table("own_at")[: int(memory.lanes["own"][number])]
        try:
            trader.strategy.function(
                MarketWords(*memory.table("shown_at")[0].tolist()),
                [OrderWords(*each) for each in open_orders.tolist()],
                plain_record(trader.params),
                plain_record(trader.state),
                [RequestWords() for _ in range(MOST_REQUESTS)],
            )
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  of a user
            return first_line(error)
        return _UNTOLD
