"""Strategies over arrays of numbers: a function that the compiled exchange calls without Python.

`compiled` makes a strategy of the function. In the plain exchange, and so behind a live feed, the same
function is called as it is, on plain objects with the same words (`CompiledTrader.on_event`).
"""

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature, signature
from typing import Any, Final, TypeAlias

import numpy.typing as npt

from orderbook.errors import OptionError
from orderbook.execution.market_view import MarketView
from orderbook.execution.numbers import LARGEST_ORDER, MONEY_UNITS, NOT_ON_GRID, size_units
from orderbook.execution.orders import Kind
from orderbook.execution.own_orders import OwnOrder
from orderbook.execution.own_side import OwnSide
from orderbook.execution.params import Setting, State, plain_record, record_array
from orderbook.execution.wakes import WakeRules, Wakes, Why
from orderbook.execution.words import (
    AMEND,
    AMENDING,
    CANCEL,
    CANCELLING,
    LIMIT,
    MARKET,
    MOST_REQUESTS,
    RESTING,
    SAME,
    SENT,
    WAKE,
    MarketWords,
    OrderWords,
    RequestWords,
)
from orderbook.venues.base import Side

Function: TypeAlias = Callable[[Any, Any, Any, Any, Any], int]
"""(m, orders, params, state, out) to the number of requests that it has written to `out`."""

SIDES: Final[tuple[Side, Side]] = ("bid", "ask")
_STATES: Final = {"sent": SENT, "resting": RESTING, "amending": AMENDING, "cancelling": CANCELLING}
_LARGEST_TIME: Final = 2**62


class CompiledStrategy:
    """A function as a strategy: called with a product and settings, it returns the strategy of a lane.

    Args:
        function: see `Function`.
        wakes: what wakes it.
        settings: its settings, by name.
        state: what it keeps between calls, by name, with the values at the start.
        idle_below: see `compiled`.

    Attributes:
        function, wakes, idle_below: as given.
    """

    def __init__(
        self,
        function: Function,
        wakes: Wakes,
        settings: Mapping[str, Setting],
        state: State,
        idle_below: str | None = None,
    ) -> None:
        self.function = function
        self.wakes = wakes
        self.idle_below = idle_below
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self.__signature__ = Signature(
            [
                Parameter("product", Parameter.POSITIONAL_OR_KEYWORD),
                *(
                    Parameter(name, Parameter.KEYWORD_ONLY, default=each.default)
                    for name, each in settings.items()
                ),
            ]
        )
        self._settings = dict(settings)
        self._state = dict(state)
        self.params_of({})
        record_array(state)

    def __call__(self, product: str, **settings: Any) -> "CompiledTrader":
        """Return the strategy of one lane.

        Raises:
            OptionError: if a setting is not of its kind.
        """
        self.__signature__.bind(product, **settings)
        return CompiledTrader(self, self.params_of(settings), record_array(self._state))

    def __reduce__(self) -> str:
        return self.__qualname__

    def params_of(self, settings: Mapping[str, Any]) -> npt.NDArray[Any]:
        """Return settings as the function reads them: an array of one record.

        Raises:
            OptionError: if one is not of its kind.
        """
        return record_array(
            {name: each.type(each.number(name, settings.get(name))) for name, each in self._settings.items()}
        )


def compiled(
    wakes: Wakes,
    settings: Mapping[str, Setting] | None = None,
    state: State | None = None,
    idle_below: str | None = None,
) -> Callable[[Function], CompiledStrategy]:
    """Make a strategy of a function that the compiled exchange calls without Python.

    The function is called with the market, its open orders, its settings, what it keeps between calls, and
    room for its requests; it returns the number of requests that it has written. Prices and sizes are whole
    units of 1e-8. `booktape.words` names everything. It must be Python that numba compiles; functions of the
    same kind that it calls are compiled with it.

    Args:
        wakes: what wakes it.
        settings: its settings, by name; `params` has an attribute for each.
        state: what it keeps, by name, with the values at the start: ints, floats, and lists of either;
            `state` has an attribute for each.
        idle_below: the setting of a relative spread. While the spread is not above it and no own order is
            open, a change at the top of the book does not call the function, so that many settings cost
            little; it must be one that would ask for nothing then, and keep nothing of it.

    Raises:
        OptionError: if a setting or a value of the state cannot be used.
    """
    WakeRules(wakes)
    kinds = {name: each.kind for name, each in (settings or {}).items()}
    if idle_below is not None and kinds.get(idle_below) != "threshold":
        reason = f'{idle_below!r} is no setting of a threshold: name one, such as "threshold"'
        raise OptionError(reason, option="idle_below")

    def decorate(function: Function) -> CompiledStrategy:
        taken = len(signature(function).parameters)
        if taken != 5:
            reason = f"{function.__name__} takes {taken} arguments: write (m, orders, params, state, out)"
            raise OptionError(reason, option="function")
        return CompiledStrategy(function, wakes, settings or {}, state or {}, idle_below)

    return decorate


class CompiledTrader:
    """The strategy of one lane.

    Attributes:
        strategy: what it was made by.
        params, state: its settings and what it keeps, arrays of one record, as compiled code reads them.
        wakes: what wakes it.
        idle_below: the spread below which it is idle, see `compiled`; None if it never is.
    """

    def __init__(self, strategy: CompiledStrategy, params: npt.NDArray[Any], state: npt.NDArray[Any]) -> None:
        self.strategy = strategy
        self.params = params
        self.state = state
        self.wakes = strategy.wakes
        idle_below = strategy.idle_below
        self.idle_below: float | None = None if idle_below is None else float(params[0][idle_below])
        self._plain: tuple[Any, Any, MarketWords, list[RequestWords]] | None = None

    @property
    def compiled(self) -> "CompiledTrader":
        """What the compiled exchange runs in its place."""
        return self

    def on_event(self, m: MarketView) -> None:
        """Call the function in Python, and send what it asks for."""
        orders = shown_orders(m)
        if not orders and self.is_idle(m):
            return
        if self._plain is None:  # not made for compiled code: it takes longer than a thousand calls of that
            out = [RequestWords() for _ in range(MOST_REQUESTS)]
            self._plain = plain_record(self.params), plain_record(self.state), MarketWords(), out
        params, state, market, out = self._plain
        show_market(m, market)
        send_requests(m, self.strategy.function(market, orders, params, state, out), out)

    def is_idle(self, m: MarketView) -> bool:
        """Tell whether nothing wakes the strategy if it has no open order, see `compiled`."""
        idle_below = self.idle_below
        return idle_below is not None and m.why == Why.TOP and m.relative_spread <= idle_below


def show_market(m: MarketView, words: MarketWords) -> None:
    """Write what a strategy sees at this moment."""
    shown, own = m.shown, m.own
    bid, bid_size, ask, ask_size = (word or 0 for word in shown.top)
    words.now, words.seq, words.why, words.is_known = m.now, shown.seq, int(m.why), int(shown.is_known)
    words.bid, words.bid_size, words.ask, words.ask_size = bid, bid_size, ask, ask_size
    words.spread = ask - bid if bid and ask else 0
    words.relative_spread = m.relative_spread
    words.tick, words.lot, words.position = shown.tick or 1, m.lot_units, own.position
    words.cash, words.cash_fraction = divmod(own.cash, MONEY_UNITS)
    words.fees, words.fees_fraction = divmod(own.fees, MONEY_UNITS)
    words.trades, words.traded_bid, words.traded_ask, words.last_price = len(m.trades), 0, 0, 0
    last = -1
    for trade in m.trades:
        if trade.maker_side == "bid":
            words.traded_bid += size_units(trade.size)
        else:
            words.traded_ask += size_units(trade.size)
        if trade.trade_id >= last:
            last, words.last_price = trade.trade_id, trade.price


def shown_orders(m: MarketView) -> list[OrderWords]:
    """Return the open orders that a strategy sees, oldest first."""
    return [_shown(each) for each in m.own.orders]


def _shown(order: OwnOrder) -> OrderWords:
    ahead = order.ahead_units
    return OrderWords(
        order.number,
        SIDES.index(order.side),
        order.price_units,
        order.left_units,
        _STATES[order.state],
        -1 if ahead is None else ahead,
        order.wanted.price,
        order.wanted.left,
    )


def send_requests(m: MarketView, count: Any, out: Sequence[RequestWords]) -> None:
    """Send the first requests of `out`, and clear them.

    Raises:
        ValueError: if one of them makes no sense; then none is sent.
    """
    fault = fault_of_count(count) or fault_of_requests(out[:count], m.own.sent)
    if fault:
        raise ValueError(fault)
    for request in out[:count]:
        _send(m, m.own, request)
        request.__init__()  # type: ignore[misc]  # the words of a request are 0 unless they are written


def fault_of_count(count: Any) -> str | None:
    """Return what is wrong with the number of requests that the function returned, None if nothing is."""
    try:
        count = count.__index__()
    except AttributeError:
        return f"it returned a {type(count).__name__}: return the number of requests"
    if not 0 <= count <= MOST_REQUESTS:
        return f"it returned {count:,} requests: at one moment it can send 0 to {MOST_REQUESTS}"
    return None


def fault_of_requests(requests: Sequence[RequestWords], sent: int) -> str | None:
    """Return what is wrong with requests, None if nothing is; `sent` orders were sent before."""
    for place, request in enumerate(requests):
        what, number = _word(request.what), _word(request.number)
        fault = None
        if what in {LIMIT, MARKET}:
            sent += 1
            if _word(request.side) not in {0, 1}:
                fault = f"side is {request.side}: write BID or ASK"
            elif _word(request.post_only) and _word(request.ioc):
                fault = "post_only and ioc exclude each other"
        elif what in {AMEND, CANCEL}:
            if not 0 < number <= sent:
                fault = f"there is no order {request.number}: the last one is {sent}"
        elif what != WAKE:
            fault = f"what is {request.what}: write LIMIT, MARKET, AMEND, CANCEL or WAKE"
        if fault:
            return f"request {place} of {len(requests)}: {fault}"
    return None


def _send(m: MarketView, own: OwnSide, request: RequestWords) -> None:
    what, price, size = _word(request.what), _word(request.price), _word(request.size)
    if what == WAKE:
        m.wake_at(max(-_LARGEST_TIME, min(_word(request.time), _LARGEST_TIME)))
    elif what == CANCEL:
        own.cancel(_word(request.number))
    elif what == AMEND:
        own.amend(
            _word(request.number),
            None if price == SAME else _on_grid(price),
            None if size == SAME else _on_grid(size),
        )
    else:
        kind: Kind = "market" if what == MARKET else "ioc" if _word(request.ioc) else "limit"
        own.send(
            SIDES[_word(request.side)],
            kind,
            0 if what == MARKET else _on_grid(price),
            _on_grid(size),
            post_only=bool(_word(request.post_only)),
        )


def _word(value: Any) -> int:
    """Return what a function has written as a whole number: 0 of one that is none, as of NaN."""
    try:
        return int(value)
    except (OverflowError, ValueError):
        return 0


def _on_grid(units: int) -> int:
    """Return a price or size, `NOT_ON_GRID` if no order can have it."""
    return units if 0 < units <= LARGEST_ORDER else NOT_ON_GRID
