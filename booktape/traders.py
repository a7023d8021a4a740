"""Which strategy trades, and its settings: what `backtest`, `record` and `live` take alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import prod
from random import Random
from typing import TYPE_CHECKING, Any, Final, cast

from booktape import arguments
from orderbook.errors import OptionError

if TYPE_CHECKING:
    from orderbook.execution.sweeps import Space
    from replay.simulation.settings import TraderFactory


WORKED: Final = "booktape.strategies:QuoteWhenWide"
"""The strategy of a backtest that names none."""

WORKED_SWEEP: Final[Mapping[str, tuple[str, ...]]] = {"threshold": ("0bps", "1bps", "2bps", "5bps")}
"""Settings that a backtest compares if it names neither a strategy nor settings."""

_MOST_COMBINATIONS: Final = 10**18


def trader_factory(strategy: TraderFactory | str | None) -> tuple[TraderFactory, str]:
    """Return what makes a strategy from a product and its settings, and its name."""
    from orderbook.strategy import NamedFactory, name_of

    made = arguments.strategy_of(WORKED if strategy is None else strategy)  # type: ignore[arg-type]
    assert made is not None  # noqa: S101  there is always a name
    # A trader is made from settings too; `on_event` tells it from a strategy of rows.
    factory = cast("TraderFactory", made.factory if isinstance(made, NamedFactory) else made)
    return factory, name_of(made)


def combined_settings(
    settings: Mapping[str, Any] | Iterable[str],
    sweep: Mapping[str, Iterable[Any]] | Iterable[str],
    *,
    is_worked: bool,
    drawn: int | None = None,
    seed: int = 0,
) -> tuple[Mapping[str, Any], ...]:
    """Return combinations of settings; those of the worked strategy if nothing is said about it.

    Args:
        settings: one value a name.
        sweep: several values a name.
        is_worked: whether the strategy is the worked one, not named by the user.
        drawn: draw so many combinations at random; None for all.
        seed: of the draw.

    Raises:
        OptionError: if a text cannot be read, a name is there twice, or the combinations are too many.
    """
    from orderbook.execution.sweeps import combinations, parse_sweep

    fixed = settings_by_name(settings)
    swept = {
        name: (values,) if isinstance(values, str) or not isinstance(values, Iterable) else tuple(values)
        for name, values in _by_name(sweep, "sweep", "size=0.01,0.02", parse_sweep).items()
    }
    if is_worked and not fixed and not swept:
        swept = dict(WORKED_SWEEP)
    for name, several in swept.items():
        if not several or name in fixed:
            reason = f"{name} is set and swept" if several else f"{name} has no value"
            raise OptionError(f"{reason}: give it values in one place", option="sweep", value=name)
    return combinations(fixed, swept, _numbers(prod(map(len, swept.values())), drawn, seed))


def settings_by_name(settings: Mapping[str, Any] | Iterable[str]) -> dict[str, Any]:
    """Return settings by name.

    Raises:
        OptionError: if a text cannot be read, or a name is there twice.
    """
    from orderbook.execution.sweeps import parse_setting

    return _by_name(settings, "settings", "size=0.01", parse_setting)


def spaces_by_name(sweep: Mapping[str, Iterable[Any] | str] | Iterable[str]) -> dict[str, Space]:
    """Return what settings are searched in, by name.

    Raises:
        OptionError: as `settings_by_name`, or if a range cannot be used.
    """
    from orderbook.execution.sweeps import parse_space

    if isinstance(sweep, Mapping):
        texts = [f"{name}={values}" for name, values in sweep.items() if isinstance(values, str)]
        given = {name: values for name, values in sweep.items() if not isinstance(values, str)}
        with arguments.naming("sweep", given, "a list of values, or a range such as '1bps..50bps'"):
            lists = {name: tuple(dict.fromkeys(values)) for name, values in given.items()}
        read = _by_name(texts, "sweep", "threshold=1bps..50bps", parse_space)
        return {name: lists[name] if name in lists else read[name] for name in sweep}
    return _by_name(sweep, "sweep", "threshold=1bps..50bps", parse_space)


def _numbers(count: int, drawn: int | None, seed: int) -> Sequence[int]:
    """Return which of so many combinations are run, before any is made: all, or some drawn at random."""
    from replay.simulation.settings import MOST_LANES

    if count > _MOST_COMBINATIONS:
        reason = f"these are more than {_MOST_COMBINATIONS:,} combinations: sweep fewer values"
        raise OptionError(reason, option="sweep", value=count)
    wanted = count if drawn is None else min(count, arguments.whole_number(drawn, "random", 1))
    if wanted > MOST_LANES:
        reason = f"{wanted:,} combinations are more than {MOST_LANES:,}: draw some of them at random"
        raise OptionError(reason, option="sweep" if drawn is None else "random", value=wanted)
    if wanted == count:
        return range(count)
    return sorted(Random(seed).sample(range(count), wanted))  # noqa: S311  no secret: the same draw again


def _by_name(
    given: Mapping[str, Any] | Iterable[str],
    option: str,
    example: str,
    read: Callable[[str], tuple[str, Any]],
) -> dict[str, Any]:
    """Return values by name; each text is one."""
    if isinstance(given, Mapping):
        return dict(given)
    named: dict[str, Any] = {}
    for text in arguments.texts_of(given, option, example):
        with arguments.naming(option, text, repr(example)):
            name, value = read(text)
            if name in named:
                raise OptionError(f"{name} is there twice")
            named[name] = value
    return named


def check_settings(
    make: TraderFactory, values: Mapping[str, Any], name: str | None, swept: Collection[str] = ()
) -> None:
    """Refuse settings that the strategy does not have, before the tape is read; some of them are swept."""
    try:
        known = inspect.signature(make)
    except (TypeError, ValueError):
        return  # a callable that does not say what it takes
    try:
        known.bind("BTC-USD", **values)
    except TypeError as error:
        names = ", ".join(list(known.parameters)[1:]) or "none"
        option = "sweep" if any(each not in known.parameters for each in swept) else "settings"
        raise OptionError(f"{name}: {error}; its settings are {names}", option=option) from None
