"""A compiled strategy beside its twin in Python: whether both ask for the same, and where they part first."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Final

from orderbook.display import plural
from orderbook.errors import first_line
from orderbook.execution.compiled_strategy import CompiledTrader
from orderbook.execution.market_view import MarketView
from orderbook.execution.numbers import units_to_decimal
from orderbook.execution.orders import AmendRequest, CancelRequest, Order, Request
from orderbook.execution.own_side import Desk
from orderbook.execution.trader import Trader
from orderbook.strategy import StrategyError
from orderbook.times import format_time
from recorder.runtime.loading import load_engine
from recorder.runtime.strategies import load_function
from recorder.tape.reader import Tape
from replay.simulation.passes import run_product
from replay.simulation.settings import BacktestSettings, TraderFactory

_MOST_WAITING: Final = 1_000
"""Moments at which one has asked for something and the other not, after which they have surely parted."""


_RAISES: Final = "raises "


@dataclass(frozen=True, slots=True)
class Parting:
    """The first moment at which a compiled strategy and its twin ask for different things.

    Attributes:
        product: product id.
        row: seq of the last row of the tape.
        time: of the moment, ns since 1970.
        compiled, twin: what each asked for, in words; empty if it asked for nothing.
    """

    product: str
    row: int
    time: int
    compiled: tuple[str, ...]
    twin: tuple[str, ...]

    def __str__(self) -> str:
        asked = (", ".join(each) or "nothing" for each in (self.compiled, self.twin))
        place = f"{self.product}, row {self.row:,}, {format_time(self.time)}"
        return "{}: compiled asks for {}; its twin for {}".format(place, *asked)


@dataclass(frozen=True, slots=True)
class StrategyCheck:
    """What came of running a compiled strategy beside its twin.

    Attributes:
        strategy: its name.
        wakes: how often the compiled one was woken.
        requests: how much both asked for alike.
        parting: where they part first; None if they do not.
    """

    strategy: str
    wakes: int
    requests: int
    parting: Parting | None

    @property
    def is_equal(self) -> bool:
        """Whether both asked for the same to the end."""
        return self.parting is None

    def __str__(self) -> str:
        if self.parting is not None:
            return f"{self.strategy} and its twin part: {self.parting}"
        alike = f"{plural(self.requests, 'request')} in {plural(self.wakes, 'wake')}"
        return f"{self.strategy} and its twin are equal: {alike}"


def check_strategy(tape: Tape, settings: BacktestSettings, twin: TraderFactory | None) -> StrategyCheck:
    """Run a compiled strategy and its twin over a tape, product by product, until they part.

    Both run in the plain exchange, a lane each; then the compiled exchange must give the orders of the first.

    Args:
        tape: the tape.
        settings: one setting of the compiled strategy, one queue model.
        twin: makes the twin; None for the strategy itself in Python.

    Raises:
        EngineError: if nothing can be compiled here.
        StrategyError: if the strategy has no compiled form, or cannot be made; if both raise alike; if the
            exchanges differ.
    """
    engine = load_engine("compiled", executes=True)
    (values,) = settings.settings
    wakes = requests = 0
    parting = None
    for product in tape.select(settings.products):
        pair = _Pair(product)
        make = _Maker(settings.make, twin or settings.make, pair)
        both = tuple({**values, "of_twin": of_twin} for of_twin in (False, True))
        run = run_product(tape, product, replace(settings, make=make, settings=both), None, pair.has_parted)
        pair.finish()
        wakes, requests, parting = wakes + pair.wakes, requests + pair.requests, pair.parting
        if parting is not None:
            break
        compiled = run_product(tape, product, settings, None, lambda: False, engine=engine)
        if run.lanes and run.lanes[0].lane.digest.hexdigest() != compiled.lanes[0].lane.digest.hexdigest():
            reason = (
                "the compiled exchange gives other orders than the plain one, which is a fault of booktape"
            )
            raise StrategyError(f"strategy {settings.name}, {product}: {reason}")
    return StrategyCheck(settings.name or "strategy", wakes, requests, parting)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a strategy asked for at a moment."""

    time: int
    row: int
    requests: tuple[str, ...]

    @property
    def raised(self) -> str | None:
        """What it raised, None if it did not."""
        return self.requests[-1] if self.requests[-1].startswith(_RAISES) else None

    @property
    def without_error(self) -> tuple[object, ...]:
        """What is compared: compiled code does not always tell what it raises."""
        requests = (*self.requests[:-1], _RAISES) if self.raised else self.requests
        return self.time, self.row, requests


class _Pair:
    """Compares what both ask for, as they do it."""

    def __init__(self, product: str) -> None:
        self.wakes = self.requests = 0
        self.parting: Parting | None = None
        self._product = product
        self._waiting: tuple[deque[_Asked], deque[_Asked]] = (deque(), deque())

    def add(self, of_twin: bool, asked: _Asked) -> None:
        """Take what one asked for."""
        self._waiting[of_twin].append(asked)
        compiled, twin = self._waiting
        while compiled and twin and self.parting is None:
            self._compare(compiled.popleft(), twin.popleft())
        if len(self._waiting[of_twin]) > _MOST_WAITING:
            self.finish()

    def has_parted(self) -> bool:
        """Tell whether they have parted."""
        return self.parting is not None

    def finish(self) -> None:
        """Compare what only one has asked for."""
        for compiled, twin in zip_longest(*self._waiting):
            self._compare(compiled, twin)

    def _compare(self, compiled: _Asked | None, twin: _Asked | None) -> None:
        if self.parting is not None:
            return
        if compiled and twin and compiled.without_error == twin.without_error:
            if twin.raised:
                raise StrategyError(
                    f"{self._product}, row {twin.row}: it {twin.raised}, and so does its twin"
                )
            self.requests += len(compiled.requests)
            return
        first = min((each for each in (compiled, twin) if each), key=lambda each: (each.time, each.row))
        at = [
            each.requests if each and (each.time, each.row) == (first.time, first.row) else ()
            for each in (compiled, twin)
        ]
        self.parting = Parting(self._product, first.row, first.time, *at)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes both strategies, each watched."""

    compiled: TraderFactory
    twin: TraderFactory
    pair: _Pair

    def __call__(self, product: str, *, of_twin: bool, **values: Any) -> "_Watched":
        """Return one of them."""
        if of_twin:
            other = self.twin(product, **values)
            if isinstance(other, CompiledTrader):
                other.idle_below = None  # so it is told if the function does something where it shall be idle
            return _Watched(other, self.pair, of_twin=True)
        called = getattr(self.compiled(product, **values), "compiled", None)
        if not isinstance(called, CompiledTrader):
            raise StrategyError("it is not a compiled strategy: decorate a function with booktape.compiled")
        from orderbook.execution.compiled.callee import Caller  # noqa: PLC0415  numba is heavy, and may be absent

        load_function(called.strategy)
        return _Watched(Caller(called), self.pair, of_twin=False)


class _Watched:
    """A strategy of which each request is noted."""

    def __init__(self, trader: Trader, pair: _Pair, *, of_twin: bool) -> None:
        self.wakes = trader.wakes
        self._trader = trader
        self._pair = pair
        self._of_twin = of_twin
        self._desk: _Desk | None = None
        self._has_raised = False

    def on_event(self, m: MarketView) -> None:
        """Wake it, and note what it asks for; one that has raised is not woken again."""
        if self._has_raised:
            return
        if self._desk is None:
            self._desk = m.own.desk = _Desk(m.own.desk)
        self._pair.wakes += not self._of_twin
        asked = self._desk.asked
        try:
            self._trader.on_event(m)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  of a user
            self._has_raised = True
            asked.append(f"{_RAISES}{first_line(error)}")
        if asked:
            self._pair.add(self._of_twin, _Asked(m.now, m.seq, tuple(asked)))
            asked.clear()


class _Desk:
    """Notes requests in words, and hands them on."""

    def __init__(self, desk: Desk) -> None:
        self.asked: list[str] = []
        self._desk = desk
        self.log: Callable[[dict[str, Any]], None] = desk.log
        self.ahead_of: Callable[[Order], int | None] = desk.ahead_of

    def send(self, request: Request) -> None:
        """Note a request."""
        self.asked.append(_words(request))
        self._desk.send(request)

    def wake_at(self, time: int) -> None:
        """Note a wake."""
        self.asked.append(f"wake at {time}")
        self._desk.wake_at(time)


def _words(request: Request) -> str:
    """Return a request in words."""
    if isinstance(request, CancelRequest):
        return f"cancel {request.number}"
    if isinstance(request, AmendRequest):
        price, left = (
            "as it is" if units is None else f"{units_to_decimal(units).normalize():f}"
            for units in (request.price, request.left)
        )
        return f"amend {request.number} to price {price}, left {left}"
    order = request.order
    price, size = (f"{units_to_decimal(units).normalize():f}" for units in (order.price, order.size))
    kind = f"post-only {order.kind}" if order.post_only else order.kind
    return f"{kind} {order.side} {size}" + ("" if order.kind == "market" else f" at {price}")
