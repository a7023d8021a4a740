"""`check`: a compiled strategy and its twin are equal, or it is told where they part first."""

from typing import Any

import pytest

import booktape as bt
from booktape.examples.compiled_market_making import market_maker
from booktape.examples.market_making import MarketMaker
from booktape.words import BID, limit
from tests.support.constants import BTC, ETH

WORKED = "booktape.strategies:QuoteWhenWide"


def checked(strategy: Any, twin: Any = None, **given: Any) -> Any:
    """Return the check of a strategy on a part of the sample."""
    return bt.check(strategy, "sample:", twin=twin, **({"products": ETH, "end": "+20s"} | given))


@pytest.mark.parametrize(
    ("strategy", "twin", "settings"),
    [
        (market_maker, None, {}),
        (market_maker, MarketMaker, {"half_spread": "1bps", "skew": "0.5"}),
        (WORKED, None, {"threshold": "0bps"}),
    ],
)
def test_equal(strategy: Any, twin: Any, settings: dict[str, Any]) -> None:
    """The function in Python, a class, and the worked strategy ask for what compiled code asks for."""
    found = checked(strategy, twin, settings=settings, execution=bt.Execution(latency="uniform:1ms:90ms"))
    assert found.is_equal, found
    assert found.wakes > found.requests > 10


class CancelsOnce(MarketMaker):
    """The market maker, but at one moment it also cancels everything."""

    def __init__(self, product: str, **settings: Any) -> None:
        super().__init__(product, **settings)
        self.woken = 0

    def on_event(self, m: bt.MarketView) -> None:
        """Cancel at the 20th moment."""
        self.woken += 1
        if self.woken == 20:
            WHEN.append((m.now, m.seq))
            m.cancel_all()
        super().on_event(m)


WHEN: list[tuple[int, int]] = []


def test_the_first_difference_is_told() -> None:
    """Row, time, and what each asked for."""
    WHEN.clear()
    found = checked(market_maker, CancelsOnce)
    assert not found.is_equal
    assert (found.parting.time, found.parting.row) == WHEN[0]
    assert found.parting.twin[:2] == ("cancel 1", "cancel 2")
    assert "cancel 1" not in found.parting.compiled
    assert f"row {found.parting.row:,}" in str(found)


@bt.compiled(wakes=bt.Wakes(top=True), state={"product": 0})
def overflows(m: Any, _orders: Any, _params: Any, state: Any, out: Any) -> int:
    """Multiply a price by a size, which 64 bits do not hold."""
    state.product = m.bid * m.bid_size
    return limit(out, 0, BID, m.bid, 1) if state.product % 2 == 1 else 0


@bt.compiled(wakes=bt.Wakes(top=True))
def raises(_m: Any, _orders: Any, _params: Any, _state: Any, out: Any) -> int:
    """Read behind the room for requests."""
    return int(out[1_000].what)


@bt.compiled(
    bt.Wakes(top=True), {"threshold": bt.Setting("threshold", "1%")}, {"woken": 0}, idle_below="threshold"
)
def counts(m: Any, _orders: Any, _params: Any, state: Any, out: Any) -> int:
    """Send an order at the tenth change of the top, wide or not."""
    state.woken += 1
    return limit(out, 0, BID, m.bid, 1) if state.woken == 10 else 0


def test_one_that_is_not_idle_is_found() -> None:
    """A function that does something below the spread where it says it is idle is not called there."""
    found = checked(counts)
    assert found.parting.compiled == ()
    assert len(found.parting.twin) == 1


def test_an_overflow_is_found() -> None:
    """Compiled code loses digits without a word; its twin in Python says what to write instead."""
    found = checked(overflows, products=BTC)
    assert "OverflowError" in found.parting.twin[-1]
    assert "use floats" in found.parting.twin[-1]


def test_what_cannot_be_checked() -> None:
    """One that raises as its twin does, one that is not compiled, several queue models, a wrong setting."""
    with pytest.raises(
        bt.StrategyError, match=r"ETH-USD, row \d+: it raises IndexError.*, and so does its twin"
    ):
        checked(raises)
    with pytest.raises(bt.StrategyError, match="it is not a compiled strategy"):
        checked(MarketMaker)
    with pytest.raises(bt.OptionError, match="name one queue model"):
        checked(market_maker, execution=bt.Execution(queue="back,front"))
    with pytest.raises(bt.OptionError, match="its settings are"):
        checked(market_maker, settings={"sise": 1})
