"""`check`: a compiled strategy beside its twin in Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from booktape.arguments import ProductsLike
from booktape.backtesting import backtest_settings
from booktape.execution import PAPER, Execution
from booktape.latencies import one_latency
from booktape.paths import PathLike, tape_path
from booktape.traders import check_settings, trader_factory
from orderbook.errors import OptionError
from orderbook.time_input import TimeLike

if TYPE_CHECKING:
    from replay.simulation.settings import TraderFactory
    from replay.simulation.twins import StrategyCheck


def check(
    strategy: TraderFactory | str,
    tape: PathLike,
    *,
    twin: TraderFactory | str | None = None,
    settings: Mapping[str, Any] | Iterable[str] = (),
    products: ProductsLike | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    execution: Execution = PAPER,
) -> StrategyCheck:
    """Run a compiled strategy beside a twin in Python, and say where they part first.

    Args:
        strategy: a compiled strategy, or `module:name` of one.
        tape: the tape to run both on.
        twin: makes the twin from the same product and settings: a class of your own; None for the function of
            the strategy in Python, of `booktape.strategies:QuoteWhenWide` its class.
        settings: settings of both, by name, or texts such as `size=0.01`.
        products: product ids; None for all of the tape.
        start: first time to trade, inclusive; rows before it build the book.
        end: last time to trade, exclusive.
        execution: how orders are simulated; one queue model.

    Raises:
        OptionError: if an argument cannot be used.
        TapeError: if the tape cannot be read or has no such product.
        StrategyError: if the strategy is not compiled or cannot be made, or both raise alike.
        EngineError: if nothing can be compiled here.
    """
    from recorder.tape.reader import Tape as StoredTape
    from replay.simulation.twins import check_strategy

    if strategy is None:  # of which a backtest takes the worked one, with several settings
        raise OptionError("name a compiled strategy", option="strategy")
    stored = StoredTape.open(tape_path(tape))
    found = backtest_settings(
        [stored],
        strategy,
        settings,
        products=products,
        start=start,
        end=end,
        execution=execution,
        markouts="1s",
    )
    one_latency(execution.latency, "a check")
    if len(found.queues) > 1:
        raise OptionError("name one queue model", option="queue", value=execution.queue)
    other = None
    if twin is not None:
        other, name = trader_factory(twin)
        check_settings(other, found.settings[0], name)
    return check_strategy(stored, found, other)
