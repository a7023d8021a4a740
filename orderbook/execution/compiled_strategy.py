"""Strategies over arrays of numbers: a function that the compiled exchange calls without Python.

`compiled` makes a strategy of the function. In the plain exchange, and so behind a live feed, the same
function is called as it is, on plain objects with the same words (`CompiledTrader.on_event`).
"""

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature, signature
from typing import Any, TypeAlias

import numpy.typing as npt

from orderbook.errors import OptionError
from orderbook.execution.market_view import MarketView
from orderbook.execution.params import Setting, State, plain_record, record_array
from orderbook.execution.plain_words import send_requests, show_market, shown_orders
from orderbook.execution.wakes import WakeRules, Wakes, Why
from orderbook.execution.words import (
    MOST_REQUESTS,
    MarketWords,
    RequestWords,
)

Function: TypeAlias = Callable[[Any, Any, Any, Any, Any], int]
"""(m, orders, params, state, out) to the number of requests that it has written to `out`."""


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
