"""A compiled strategy behind the compiled exchange: its memory, and why it failed."""

from ctypes import CFUNCTYPE, c_int64
from dataclasses import astuple
from typing import Any, Final

import numpy as np

from orderbook.errors import first_line
from orderbook.execution.compiled.functions import RAISED, address_of
from orderbook.execution.compiled.memory import Memory
from orderbook.execution.compiled_strategy import CompiledTrader
from orderbook.execution.market_view import MarketView
from orderbook.execution.params import plain_record
from orderbook.execution.plain_words import (
    fault_of_count,
    fault_of_requests,
    send_requests,
    show_market,
    shown_orders,
)
from orderbook.execution.words import (
    MARKET_WORDS,
    MOST_REQUESTS,
    ORDER_WORDS,
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


class Caller:
    """A strategy whose compiled function is called in the plain exchange, as a twin of it in Python is.

    Args:
        trader: the strategy.
    """

    def __init__(self, trader: CompiledTrader) -> None:
        self.wakes = trader.wakes
        self._trader = trader
        self._call = CFUNCTYPE(c_int64, *[c_int64] * 6)(address_of(trader.strategy))
        self._market = np.zeros(1, MARKET_WORDS)
        self._out = np.zeros(MOST_REQUESTS, REQUEST_WORDS)

    def on_event(self, m: MarketView) -> None:
        """Call the compiled function, and send what it asks for.

        Raises:
            ValueError: if it raises, or asks for what makes no sense.
        """
        market, orders = MarketWords(), shown_orders(m)
        if not orders and self._trader.is_idle(m):
            return
        show_market(m, market)
        self._market[0] = astuple(market)
        own = np.array([astuple(each) for each in orders], ORDER_WORDS)
        arrays = (self._market, own), (self._trader.params, self._trader.state, self._out)
        before, after = ([array.ctypes.data for array in part] for part in arrays)
        asked = self._call(*before, len(own), *after)
        if asked == RAISED:
            raise ValueError(_UNTOLD)
        count = min(max(asked, 0), MOST_REQUESTS)
        send_requests(m, asked, [RequestWords(*each) for each in self._out[:count].tolist()])
        self._out[:count] = 0
