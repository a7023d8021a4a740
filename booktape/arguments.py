"""The values that the Python API and the command line take, in every spelling, checked before any work.

Everything that is wrong with a value ends as an `OptionError` that names the argument.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from operator import index
from typing import TYPE_CHECKING, Any, Final, Protocol, SupportsIndex, TypeAlias, TypeVar, get_args

from orderbook.errors import BooktapeError, OptionError
from orderbook.thresholds import DEFAULT_THRESHOLD, ThresholdLike, parse_threshold, parse_thresholds
from orderbook.time_input import DurationLike, parse_duration
from recorder.settings import EngineName

if TYPE_CHECKING:
    from orderbook.engine import Engine
    from orderbook.strategy import StrategyFactory

T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., Any] | None")

ProductsLike: TypeAlias = str | Iterable[str]
"""A product id such as BTC-USD, or several."""
SizeLike: TypeAlias = int | str
"""Bytes: a number, or a text such as `256MiB`."""
SpeedLike: TypeAlias = float | str
"""A factor such as 10 for ten times faster than recorded, or `max`."""


class TableLike(Protocol):
    """A table that Arrow can read: of pyarrow, polars or pandas."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return its rows, as the Arrow PyCapsule interface has it."""


THRESHOLD: Final = f"{DEFAULT_THRESHOLD:.1%}"
"""The threshold of a signal by default."""

_BYTES: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(B|KiB|MiB|GiB)?")
_UNITS: Final = {None: 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_LONGEST_S: Final = 1e9
_MOST_SHOWN: Final = 200  # characters of a value in an error
_MOST: Final = 2**31 - 1  # of what has no limit of its own


def _shown(value: object) -> str:
    """Return a value for an error: on one line, and cut if it is long."""
    text = " ".join(repr(value).split("\n"))
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


@contextmanager
def naming(option: str, value: object, example: str) -> Iterator[None]:
    """Turn everything that a wrong value raises inside the block into an error that names the option."""
    try:
        yield
    except OptionError as error:
        error.option, error.value = error.option or option, value
        raise
    except BooktapeError:
        raise
    except (TypeError, ValueError, OverflowError, AttributeError):
        reason = f"{_shown(value)} cannot be used: write {example}"
        raise OptionError(reason, option=option, value=value) from None


def products_of(value: ProductsLike | None, option: str = "products") -> tuple[str, ...]:
    """Return product ids, each once; none for None, which is all products of a tape."""
    return () if value is None else tuple(dict.fromkeys(texts_of(value, option, "BTC-USD")))


def text_of(value: str, option: str, example: str) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise OptionError(f"{_shown(value)} is not a text such as {example!r}", option=option, value=value)
    return value


def host_of(value: str, option: str) -> str:
    """Return the address or name of a machine; an empty one would be all addresses of this one."""
    host = text_of(value, option, "127.0.0.1")
    if not host or host.strip() != host:
        reason = f"{_shown(value)} is no address: write 127.0.0.1, or 0.0.0.0 for all of this machine"
        raise OptionError(reason, option=option, value=value)
    return host


def texts_of(value: str | Iterable[str], option: str, example: str) -> tuple[str, ...]:
    """Return one text or several."""
    with naming(option, value, f"{example!r}, or several in a list"):
        texts = (value,) if isinstance(value, str) else tuple(value)
        return tuple(text_of(text, option, example) for text in texts)


def threshold(value: ThresholdLike, option: str = "threshold") -> float:
    """Return a threshold as a fraction of the ask price."""
    with naming(option, value, "'10bps', '0.1%' or 0.001"):
        return parse_threshold(value)


def thresholds_of(value: ThresholdLike | Iterable[ThresholdLike], option: str) -> tuple[float, ...]:
    """Return thresholds and sweeps as fractions of the ask price, ascending and each once."""
    with naming(option, value, "'10bps', '1bps:20bps:1bps', or several in a list"):
        return parse_thresholds(value)


def seconds(value: DurationLike, option: str) -> float:
    """Return a duration in seconds, a millisecond at least."""
    with naming(option, value, "'250ms', '90s', '5m', '1h' or '2d'"):
        duration = parse_duration(value)
        if not 0.001 <= duration < _LONGEST_S:
            raise OptionError(f"{_shown(value)} is not a duration from 1ms to 10000d")
        return duration


def optional_seconds(value: DurationLike | None, option: str) -> float | None:
    """Return a duration in seconds, or None for None."""
    return None if value is None else seconds(value, option)


def size(value: SizeLike, option: str) -> int:
    """Return a number of bytes above 0."""
    match = _BYTES.fullmatch(str(value))
    found = int(Fraction(match[1]) * _UNITS[match[2]]) if match else 0
    if not found:
        raise OptionError(
            f"{_shown(value)} is not a size: write 256MiB or a number of bytes", option=option, value=value
        )
    return found


def format_size(size: int) -> str:
    """Return bytes in the largest unit of which they are a whole number.

    >>> format_size(256 * 2**20), format_size(1000)
    ('256MiB', '1000B')
    """
    unit, length = next(each for each in reversed(_UNITS.items()) if size % each[1] == 0)
    return f"{size // length}{unit}"


def speed_of(value: SpeedLike, option: str = "speed") -> float:
    """Return how many times faster than recorded; infinite for `max`."""
    from replay.running.pacing import parse_speed

    with naming(option, value, "10 or 'max'"):
        return parse_speed(value)


def whole_number(value: SupportsIndex, option: str, low: int, high: int = _MOST) -> int:
    """Return a whole number of Python or numpy within limits, both included."""
    number = None
    if not isinstance(value, bool):
        with suppress(TypeError):
            number = index(value)
    if number is None or not low <= number <= high:
        is_low = number is None or number < low
        limits = f"of {low} or more" if is_low and high >= _MOST else f"from {low} to {high}"
        raise OptionError(f"{_shown(value)} is not a whole number {limits}", option=option, value=value)
    return number


def cluster_workers(value: int) -> int:
    """Return the number of workers of a cluster of bytewax."""
    return whole_number(value, "workers", 1, 1024)


def flag(value: bool, option: str) -> bool:
    """Return a boolean."""
    if not isinstance(value, bool):
        raise OptionError(f"{_shown(value)} is neither True nor False", option=option, value=value)
    return value


def choice(value: T, option: str, choices: Sequence[T]) -> T:
    """Return a value that is one of several."""
    try:
        is_known = value in choices
    except ValueError:  # an array is equal to nothing
        is_known = False
    if not is_known:
        known = ", ".join(str(each) for each in choices if each is not None)
        raise OptionError(f"{_shown(value)} is not one of {known}", option=option, value=value)
    return value


def engine_of(value: Engine | EngineName) -> Engine | EngineName:
    """Return the name of an engine, or an engine."""
    if not isinstance(value, str) and hasattr(value, "step"):
        return value
    return choice(value, "engine", get_args(EngineName))


def strategy_of(value: StrategyFactory | str | None) -> StrategyFactory | None:
    """Return what makes a strategy for each product: a callable, or `module:factory`."""
    if isinstance(value, str):
        from recorder.runtime.strategies import StrategyNameError, load_strategy

        try:
            return load_strategy(value)
        except StrategyNameError as error:
            raise OptionError(str(error), option="strategy", value=value) from None
    return optional_function(value, "strategy")


def optional_function(value: F, option: str) -> F:
    """Return a function, or None for None."""
    return value if value is None else function_of(value, option)


def function_of(value: F, option: str) -> F:
    """Return a function."""
    if not callable(value):
        reason = f"{_shown(value)} is not a function: pass one by its name, without parentheses"
        raise OptionError(reason, option=option, value=value)
    return value
