"""A strategy that trades at each threshold that is compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from booktape.backtesting import backtest_settings
from booktape.execution import Execution, require_execution
from booktape.latencies import one_latency
from booktape.traders import check_settings, settings_by_name, trader_factory
from orderbook.errors import OptionError

if TYPE_CHECKING:
    from recorder.tape.reader import Tape as StoredTape
    from replay.comparing.metrics import By
    from replay.running.window import Window
    from replay.simulation.settings import BacktestSettings, TraderFactory


def trades_by_threshold(
    stored: Sequence[StoredTape],
    thresholds: Sequence[float],
    *,
    strategy: TraderFactory | str | None,
    settings: Mapping[str, Any] | Iterable[str],
    execution: Execution,
    products: tuple[str, ...],
    window: Window,
    by: By | None,
) -> BacktestSettings | None:
    """Return a backtest with a setting for each threshold, under all queue models; None without a strategy.

    Raises:
        OptionError: if the strategy has no setting `threshold`, or another argument cannot be used.
    """
    from orderbook.execution.codes import QUEUE_MODELS
    from replay.comparing.profits import THRESHOLD, threshold_texts

    require_execution(execution)
    if strategy is None:
        changed = [each.name for each in fields(execution) if getattr(execution, each.name) != each.default]
        for option in ("settings", *changed) if settings else changed:
            raise OptionError("only with a strategy that trades", option=option)
        return None
    make, name = trader_factory(strategy)
    fixed = settings_by_name(settings)
    if THRESHOLD in fixed:
        reason = "the thresholds are those that are compared: set other settings"
        raise OptionError(reason, option="settings", value=fixed[THRESHOLD])
    try:
        check_settings(make, {THRESHOLD: "1bps"}, name)
    except OptionError as error:
        raise OptionError(f"no threshold to trade by: {error.reason}", option="strategy") from None
    one_latency(execution.latency, "a comparison")
    found = backtest_settings(
        stored,
        strategy,
        fixed,
        {THRESHOLD: threshold_texts(thresholds)},
        products=products or None,
        execution=replace(execution, queue=QUEUE_MODELS),
        markouts="1s",
        by=by,
    )
    return replace(found, window=window)
