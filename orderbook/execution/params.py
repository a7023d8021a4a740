"""The settings of a compiled strategy: as they are typed, and as the numbers that compiled code reads."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, make_dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from orderbook.decimals import is_plain
from orderbook.errors import BooktapeError, OptionError
from orderbook.execution.numbers import NumberLike, order_units
from orderbook.thresholds import parse_threshold
from orderbook.time_input import parse_duration, require_unit
from orderbook.times import NS

Kind = Literal["amount", "threshold", "duration", "int", "float"]

_LARGEST: Final = 2**63
_NUMBER_KINDS: Final[Mapping[type, Any]] = {int: np.int64, float: np.float64}


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of a compiled strategy.

    Attributes:
        kind: `amount`: a price or a size, in units of 1e-8 in the function; `threshold`: a fraction, such as
            `10bps`; `duration`: in nanoseconds in the function, such as `250ms`; `int` and `float`.
        default: its value if none is given.

    >>> Setting("amount", "0.01").number("size"), Setting("duration", "2s").number("hold")
    (1000000, 2000000000)
    """

    kind: Kind
    default: NumberLike

    def __post_init__(self) -> None:
        if self.kind not in _READERS:
            raise OptionError(f"{self.kind!r} is no kind of settings: write {', '.join(_READERS)}")

    @property
    def type(self) -> type:
        """What it is in the function: int or float."""
        return float if self.kind in {"threshold", "float"} else int

    def number(self, name: str, value: Any = None) -> int | float:
        """Return a value, the default if it is None, as the function sees it.

        Raises:
            OptionError: if the value is not of this kind.
        """
        value = self.default if value is None else value
        read, example = _READERS[self.kind]
        try:
            is_number = is_plain(value) if isinstance(value, str) else not isinstance(value, bool)
            number: int | float = read(value) if is_number else math.nan
        except BooktapeError as error:
            raise OptionError(f"{name} is {str(value)[:40]!r}: {error}", option="settings") from None
        except (TypeError, ValueError, ArithmeticError):
            number = math.nan
        if not (math.isfinite(number) and -_LARGEST <= number < _LARGEST):
            raise OptionError(f"{name} is {str(value)[:40]!r}: write {example}", option="settings")
        return number


def _amount(value: Any) -> int:
    units = order_units(value)
    if not units and Decimal(str(value)) != 0:
        raise ValueError
    return units


def _duration(value: Any) -> int:
    if isinstance(value, str):
        require_unit(value)
    return round(Fraction(parse_duration(value)) * NS)


def _int(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    return int(value)


def _float(value: Any) -> float:
    try:
        return float(value if isinstance(value, str | float | int) else Decimal(value))
    except InvalidOperation:
        raise ValueError from None


_READERS: Final[Mapping[str, tuple[Callable[[Any], Any], str]]] = {
    "amount": (_amount, "a price or a size with at most 8 decimals, such as 0.01"),
    "threshold": (lambda value: float(parse_threshold(value)), "a fraction, such as 10bps"),
    "duration": (_duration, "a duration, such as 250ms"),
    "int": (_int, "a whole number, such as 2"),
    "float": (_float, "a number, such as 0.5"),
}

State = Mapping[str, int | float | Sequence[int] | Sequence[float]]
"""What a compiled strategy keeps between its calls, by name, with the values at its start."""


def record_array(values: State) -> npt.NDArray[Any]:
    """Return an array of one record with these words: int64 of an int, float64 of a float, arrays of several.

    Raises:
        OptionError: if a value is neither, or a name is no identifier.
    """
    kinds: list[Any] = []
    for name, value in values.items():
        several = () if isinstance(value, int | float) else np.shape(value)
        word: Any = value if not several else np.asarray(value).flat[0].item()
        if not str(name).isidentifier() or len(several) > 1 or type(word) not in _NUMBER_KINDS:
            reason = f"{name} is {str(value)[:40]!r}: give an int, a float, or a flat list of either"
            raise OptionError(reason, option="state")
        kinds.append((name, _NUMBER_KINDS[type(word)], several))
    record = np.zeros(1, np.dtype(kinds, align=True) if kinds else np.dtype([("nothing", np.int64)]))
    for name, value in values.items():
        record[name][0] = value
    return record


def plain_record(array: npt.NDArray[Any]) -> Any:
    """Return the record of an array as an object with the same attributes, for the function in plain Python.

    What is set is converted as compiled code converts it: an int stays an int. But one beyond 64 bits raises
    OverflowError, where compiled code loses digits.
    """
    names = array.dtype.names or ()
    kinds: dict[str, Callable[[Any], Any]] = {
        name: float if array.dtype[name] == np.float64 else _word
        for name in names
        if not array.dtype[name].shape
    }

    def set_word(self: Any, name: str, value: Any) -> None:
        object.__setattr__(self, name, kinds[name](value) if name in kinds else value)

    made = make_dataclass("Record", names, slots=True, namespace={"__setattr__": set_word})
    return made(*(array[name][0].copy() if name not in kinds else array[name][0].item() for name in names))


def _word(value: Any) -> int:
    number = int(value)
    if not -_LARGEST <= number < _LARGEST:
        raise OverflowError(f"{number:,} is beyond 64 bits: use floats, as float(price) * size")
    return number
