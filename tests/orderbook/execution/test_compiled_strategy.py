"""Compiled strategies: the function in Python and its compiled code send the same; what is refused."""

import linecache
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from booktape.words import BID, CANCEL, MOST_REQUESTS, cancel, limit
from orderbook.errors import OptionError
from orderbook.execution.codes import Code
from orderbook.execution.compiled.functions import address_of
from orderbook.execution.compiled_strategy import CompiledStrategy, Function, compiled
from orderbook.execution.params import Setting
from orderbook.execution.settings import LaneSettings, ProductRules
from orderbook.execution.wakes import Wakes
from orderbook.strategy import StrategyError
from tests.support.compiled_strategies import nonsense
from tests.support.constants import BTC, SECOND
from tests.support.exchange_engines import Made, run_compiled, run_plain
from tests.support.execution_cases import Case, random_case

AT_TOP = Wakes(top=True)
CASE = random_case(1, "level2")


def lane_of(function: Function, **parts: Any) -> list[Made]:
    """Return one lane with the strategy that a function is."""
    strategy = compiled(AT_TOP, **parts)(function)
    return [(lambda: strategy(BTC), LaneSettings())]


def in_both(made: list[Made], case: Case = CASE) -> list[tuple[Any, ...]]:
    """Return what comes of lanes, the same in both exchanges."""
    found = run_plain(case, ProductRules(), made)
    assert run_compiled(case, ProductRules(), made, 10) == found
    return found


def test_nonsense_is_refused() -> None:
    """NaN, infinite, negative and huge prices and sizes are orders that both exchanges refuse."""
    rows: list[dict[str, Any]] = [
        {"t": SECOND, "row": "snapshot", "bids": [("99.99", "1")], "asks": [("100.01", "1")], "time": None},
        {"t": 2 * SECOND, "row": "other"},
        {"t": 3 * SECOND, "row": "other"},
    ]
    made = lane_of(nonsense, settings={"scale": Setting("float", 1)}, state={"calls": 0})
    ((_, orders, fills, *_),) = in_both(made, Case(rows, [], {}, []))
    assert len(orders) == 12
    assert {order[-2] for order in orders} == {Code.INCREMENT}
    assert fills == []


def allocates(m: Any, _orders: Any, _params: Any, state: Any, out: Any) -> int:
    """Make arrays and lists of its own, which takes a slower way of compiling."""
    recent = np.zeros(4)
    recent[state.calls % 4] = m.bid
    prices = [int(recent.max())]
    prices.append(m.ask)
    state.calls += 1
    return limit(out, 0, BID, prices[0], len(prices), 1) if m.bid > 0 else 0


def test_a_function_that_makes_arrays() -> None:
    """It is compiled as well, and sends what it sends in Python."""
    ((_, orders, *_),) = in_both(lane_of(allocates, state={"calls": 0}))
    assert {order[6] for order in orders} == {2}


def too_many(_m: Any, _orders: Any, _params: Any, _state: Any, _out: Any) -> int:
    """Claim to have sent 10,000 requests."""
    return 10_000


def too_few(_m: Any, _orders: Any, _params: Any, _state: Any, _out: Any) -> int:
    """Claim to have sent less than none."""
    return -1


def beyond_out(m: Any, _orders: Any, _params: Any, _state: Any, out: Any) -> int:
    """Write behind the room for requests."""
    for place in range(MOST_REQUESTS + 1):
        limit(out, place, BID, m.bid, 1)
    return 1


def raises(_m: Any, _orders: Any, _params: Any, state: Any, _out: Any) -> int:
    """Raise, when it is called the third time."""
    state.calls += 1
    if state.calls >= 3:
        raise ValueError("of the third")
    return 0


def raises_once(_m: Any, _orders: Any, _params: Any, state: Any, out: Any) -> int:
    """Raise, when it is called the third time, and not when it is called again."""
    state.calls += 1
    return int(out[1_000 if state.calls == 3 else 0].what)


def divides(m: Any, _orders: Any, _params: Any, state: Any, _out: Any) -> int:
    """Divide by zero."""
    return int(m.bid // state.calls)


def no_such_order(_m: Any, _orders: Any, _params: Any, _state: Any, out: Any) -> int:
    """Cancel an order that it never sent."""
    return cancel(out, 0, 7)


def no_such_request(m: Any, _orders: Any, _params: Any, _state: Any, out: Any) -> int:
    """Write one request, and return two."""
    out[0].what, out[0].side = CANCEL, BID
    limit(out, 0, BID, m.bid, 1)
    return 2


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (too_many, r"row \d+: (ValueError: )?it returned 10,000 requests: .* 0 to 128"),
        (too_few, r"row \d+: (ValueError: )?it returned -1 requests"),
        (beyond_out, r"row \d+: IndexError"),
        (raises, r"row \d+: ValueError: of the third"),
        (raises_once, r"row \d+: (IndexError|.*--engine plain)"),
        (divides, r"row \d+: ZeroDivisionError"),
        (no_such_order, r"row \d+: .*request 0 of 1: there is no order 7: the last one is 0"),
        (no_such_request, r"row \d+: .*request 1 of 2: what is 0: write LIMIT, MARKET, AMEND"),
    ],
)
@pytest.mark.parametrize("runs", [run_plain, run_compiled])
def test_a_function_that_does_what_it_must_not(
    function: Function, reason: str, runs: Callable[..., Any]
) -> None:
    """It is stopped with the row and the reason, and what it did went nowhere else, in both exchanges."""
    made = lane_of(function, state={"calls": 0})
    cut = (10,) if runs is run_compiled else ()
    with pytest.raises(StrategyError, match=reason):
        runs(CASE, ProductRules(), made, *cut)


def test_one_that_answers_itself_for_ever_is_stopped() -> None:
    """A strategy that wakes itself again at the same moment does not hang."""
    with pytest.raises(
        StrategyError, match=r"strategy, BTC-USD, row \d+: it answers its own events for ever"
    ):
        run_compiled(CASE, ProductRules(), lane_of(wakes_itself), 10)


def wakes_itself(m: Any, _orders: Any, _params: Any, _state: Any, out: Any) -> int:
    """Wake at this very moment."""
    out[0].what, out[0].time = 5, m.now
    return 1


SOURCES = {
    "return m.nowhere": r"line 2: there is no word 'nowhere'",
    "return 'one'": r"line \d: it returns .*: return the number of requests",
    "pass": r"line \d: it returns none: return the number of requests",
    "return 0.5": r"line \d: it returns float64: return the number of requests",
    "x = object()\n    return 0": r"line 2: .*object",
    "return undefined(m)": r"line \d: .*undefined",
}


@pytest.mark.parametrize("body", SOURCES)
def test_a_function_that_cannot_be_compiled(body: str) -> None:
    """One line names the strategy, the file, the line and the reason."""
    source = f"def function(m, orders, params, state, out):\n    {body}\n"
    linecache.cache["mine.py"] = (len(source), None, source.splitlines(keepends=True), "mine.py")
    found: dict[str, Any] = {}
    exec(compile(source, "mine.py", "exec"), found)  # noqa: S102  a function with a file and lines
    strategy = compiled(AT_TOP)(found["function"])
    with pytest.raises(StrategyError) as caught:
        address_of(strategy)
    del linecache.cache["mine.py"]
    assert "\n" not in str(caught.value)
    caught.match(rf"strategy function, .*mine.py, {SOURCES[body]}")


class Store(dict[str, bytes]):
    """A store of code in memory."""

    def read(self, name: str) -> bytes | None:
        """Return the code of this name."""
        return self.get(name)

    def write(self, name: str, code: bytes) -> None:
        """Keep code."""
        self[name] = code


def doubled(value: int) -> int:
    """Return twice a value; `calls_another` calls it."""
    return 2 * value


def strategy_with(text: str, helper: Callable[[int], int]) -> CompiledStrategy:
    """Return a strategy whose source is a text that calls a helper."""
    names: dict[str, Any] = {"helper": helper, "LEVEL": 3}
    exec(f"def function(m, orders, params, state, out):\n    return {text}", names)  # noqa: S102  as a user's
    return compiled(AT_TOP)(names["function"])


def test_code_is_kept_by_what_it_is_made_of() -> None:
    """The same source is compiled once; another one, another helper or another constant is compiled anew."""
    store = Store()
    address = address_of(strategy_with("0 * helper(LEVEL)", doubled), store)
    assert len(store) == 1
    assert address_of(strategy_with("0 * helper(LEVEL)", doubled), store) == address
    assert len(store) == 1
    others = [
        strategy_with("1 * helper(LEVEL) - 6", doubled),
        strategy_with("0 * helper(LEVEL)", lambda value: value + 1),
        strategy_with("0 * helper(LEVEL)", doubled),
    ]
    others[2].function.__globals__["LEVEL"] = 4
    for number, other in enumerate(others, 2):
        assert address_of(other, store) != address
        assert len(store) == number


def settings_seen(**given: Any) -> list[float]:
    """Return the settings of a strategy as its function sees them."""
    known = {
        "price": Setting("amount", "1.5"),
        "edge": Setting("threshold", "1%"),
        "hold": Setting("duration", "2s"),
        "levels": Setting("int", 3),
        "weight": Setting("float", 0.5),
    }
    strategy = compiled(AT_TOP, settings=known)(too_few)
    return list(strategy(BTC, **given).params[0].item())


def test_settings_in_every_spelling() -> None:
    """Prices and sizes are exact units, thresholds fractions, times nanoseconds."""
    assert settings_seen() == [150_000_000, 0.01, 2_000_000_000, 3, 0.5]
    spelled = settings_seen(price="65000.00000001", edge="10bps", hold="250ms", levels="-2", weight="1e-3")
    assert spelled == [6_500_000_000_001, 0.001, 250_000_000, -2, 0.001]
    assert settings_seen(price=0.1, edge=0.02, hold=1.5, levels=7.0, weight=2) == [
        *(10_000_000, 0.02, 1_500_000_000, 7, 2.0)
    ]
    assert settings_seen(price=0)[0] == 0


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"price": "0.123456789"}, "price is '0.123456789': write a price or a size with at most 8 decimals"),
        ({"price": -1}, "price is '-1': write a price or a size"),
        ({"price": "cheap"}, "price is 'cheap': write"),
        ({"price": float("nan")}, "price is 'nan': write"),
        ({"edge": "10"}, "edge is '10': .*10bps"),
        ({"hold": "250"}, "hold is '250': .*'250' has no unit: write 250ms or 250s"),
        ({"levels": 1.5}, "levels is '1.5': write a whole number"),
        ({"levels": 2**63}, "levels is .*: write a whole number"),
        ({"weight": "inf"}, "weight is 'inf': write a number"),
        ({"weight": True}, "weight is 'True': write a number"),
    ],
)
def test_settings_that_make_no_sense(given: dict[str, Any], reason: str) -> None:
    """A value that is not of the setting's kind is refused in one line with what to write."""
    with pytest.raises(OptionError, match=reason):
        settings_seen(**given)


def test_what_cannot_be_decorated() -> None:
    """Other arguments, a kind that there is not and a state that no array holds are refused."""
    with pytest.raises(OptionError, match=r"two takes 2 arguments: write \(m, orders, params, state, out\)"):
        compiled(AT_TOP)(two)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="'size' is no kind of settings: write amount"):
        Setting("size", 1)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="name is 'text': give an int, a float, or a flat list"):
        compiled(AT_TOP, state={"name": "text"})(too_few)  # type: ignore[dict-item]
    with pytest.raises(OptionError, match="'size' is no setting of a threshold: name one"):
        compiled(AT_TOP, {"size": Setting("amount", 1)}, idle_below="size")


def two(_m: Any, _orders: Any) -> int:
    """Take too little."""
    return 0
