"""Settings of a strategy and their sweeps as people write them: one value, several, or a range to search."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

from orderbook.errors import OptionError

_NUMBER: Final = r"([+-]?[0-9]{1,12}(?:\.[0-9]{1,12})?)([a-z%]*)"
_STEPS: Final = re.compile(rf"{_NUMBER}:{_NUMBER}:{_NUMBER}", re.IGNORECASE)
_ENDS: Final = re.compile(r"([^:,]+):([^:,]+)")
_CONTINUOUS: Final = re.compile(rf"{_NUMBER}\.\.{_NUMBER}", re.IGNORECASE)
_MEANT: Final = re.compile(r"[^./][^/]*\.\..*")
"""Matches what a user meant as a range to search, right or wrong, but no path such as `../file`."""
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_MOST_VALUES: Final = 10_000
_FINEST: Final = 8
"""Decimals that a price or a size may have."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers of one unit in equal steps.

    Attributes:
        low, high: the first and the last; `high - low` is a multiple of `step`.
        step: above 0.
        unit: what is written behind each, such as `bps`.
    """

    low: Decimal
    high: Decimal
    step: Decimal
    unit: str

    def __len__(self) -> int:
        return int((self.high - self.low) / self.step) + 1

    def __getitem__(self, place: int) -> Any:
        """Return the number at a place as a value of a setting."""
        if not 0 <= place < len(self):
            raise IndexError(place)
        return _value(self.text(place))

    def text(self, place: int) -> str:
        """Return the number at a place, from 0, as people write it."""
        return f"{(self.low + self.step * place).normalize():f}{self.unit}"

    def texts(self) -> list[str]:
        """Return all of them as people write them."""
        return [self.text(place) for place in range(len(self))]


Space: TypeAlias = Numbers | tuple[Any, ...]
"""What a search chooses a setting from: numbers in steps, or values without an order."""


def parse_setting(text: str) -> tuple[str, Any]:
    """Return the name and value of `name=value`; a whole number is an int, anything else text.

    Raises:
        OptionError: if it is not of this form.

    >>> parse_setting("size=0.01"), parse_setting("inside=2")
    (('size', '0.01'), ('inside', 2))
    """
    name, equals, value = text.partition("=")
    if not equals or not _KEY.fullmatch(name) or not value:
        raise OptionError(f"{text!r} is not name=value, such as size=0.01")
    return name, _value(value)


def parse_sweep(text: str) -> tuple[str, tuple[Any, ...]]:
    """Return the name and the values of `name=a,b,c` or `name=LOW:HIGH:STEP`, each once.

    A colon always means a range: with a typo in it, it would be a text that no strategy means.

    Raises:
        OptionError: if it is not of this form, or has no value or too many.

    >>> parse_sweep("threshold=1bps,5bps"), parse_sweep("threshold=1bps:2bps:0.5bps")
    (('threshold', ('1bps', '5bps')), ('threshold', ('1bps', '1.5bps', '2bps')))
    """
    name, values = _named(text)
    if _MEANT.fullmatch(values):
        raise OptionError(f"{text!r} is a range to search: add --search N, or write LOW:HIGH:STEP")
    found = [each for part in values.split(",") for each in _range(part)]
    return name, tuple(dict.fromkeys(map(_value, found)))


def parse_space(text: str) -> tuple[str, Space]:
    """Return the name and the space of a sweep to search, which may also be `name=LOW..HIGH`.

    Raises:
        OptionError: as `parse_sweep`.

    >>> parse_space("threshold=1bps..50bps")[1].step, parse_space("inside=0..3")[1].texts()
    (Decimal('0.001'), ['0', '1', '2', '3'])
    """
    name, values = _named(text)
    if ends := _ENDS.fullmatch(values):
        low, high = ends.groups()
        raise OptionError(
            f"{values!r} has no step: write {low}..{high} for anything between, or LOW:HIGH:STEP"
        )
    return name, space_of(values) or parse_sweep(text)[1]


def space_of(values: str) -> Numbers | None:
    """Return the numbers of `LOW:HIGH:STEP` or `LOW..HIGH`; None if it is neither.

    A continuous range of whole numbers without a unit has those alone. Any other has steps of a power of ten,
    10,000 of them at least if 8 decimals suffice: so each value is a short text, which `--set` takes again.

    Raises:
        OptionError: if it is a range that cannot be used.
    """
    if _MEANT.fullmatch(values) is None:
        return parse_range(values) if is_range(values) else None
    match = _CONTINUOUS.fullmatch(values)
    low, low_unit, high, high_unit = match.groups() if match else ("0", "", "0", "")
    first, last = Decimal(low), Decimal(high)
    if match is None or low_unit != high_unit:
        raise OptionError(f"{values!r} is not LOW..HIGH, two numbers in one unit, such as 1bps..50bps")
    if last < first:
        raise OptionError(f"{values!r} goes down: write {high}{high_unit}..{low}{low_unit}")
    if last == first:
        raise OptionError(f"{values!r} is a single value: set it, and search others")
    if not low_unit and _INTEGER.fullmatch(low) and _INTEGER.fullmatch(high):
        return Numbers(first, last, Decimal(1), "")
    decimals = max(0, min(4 - (last - first).adjusted(), _FINEST), *map(_decimals, (first, last)))
    return Numbers(first, last, Decimal(1).scaleb(-decimals), low_unit)


def is_range(text: str) -> bool:
    """Tell whether a text is `LOW:HIGH:STEP`, of whichever numbers and units."""
    return _STEPS.fullmatch(text) is not None


def parse_range(text: str) -> Numbers:
    """Return the numbers of `LOW:HIGH:STEP`.

    Raises:
        OptionError: if it is not of this form, in one unit, or has too many steps.
    """
    match = _STEPS.fullmatch(text)
    if match is None:
        raise OptionError(f"{text!r} is not LOW:HIGH:STEP, such as 1bps:5bps:1bps")
    low, low_unit, high, high_unit, step, step_unit = match.groups()
    if not low_unit == high_unit == step_unit:
        raise OptionError(f"{text!r}: write all three in one unit, such as 1bps:5bps:1bps")
    first, last, by = Decimal(low), Decimal(high), Decimal(step)
    if by <= 0 or last < first or (last - first) / by > _MOST_VALUES:
        raise OptionError(
            f"{text!r} is not LOW:HIGH:STEP with LOW up to HIGH and at most {_MOST_VALUES} steps"
        )
    return Numbers(first, first + by * int((last - first) / by), by, low_unit)


def combinations(
    fixed: Mapping[str, Any], sweep: Mapping[str, Sequence[Any]], numbers: Iterable[int]
) -> tuple[Mapping[str, Any], ...]:
    """Return settings: the fixed ones with combinations of the swept ones; the last varies fastest.

    >>> combinations({"size": 1}, {"a": (1, 2), "b": (3, 4)}, [0, 3])
    ({'size': 1, 'a': 1, 'b': 3}, {'size': 1, 'a': 2, 'b': 4})
    """
    return tuple({**fixed, **_combination(sweep, number)} for number in numbers)


def _combination(sweep: Mapping[str, Sequence[Any]], number: int) -> dict[str, Any]:
    """Return one combination by its number, of which the last name is the lowest digit."""
    chosen = {}
    for name, values in reversed(list(sweep.items())):
        number, place = divmod(number, len(values))
        chosen[name] = values[place]
    return {name: chosen[name] for name in sweep}


def _named(text: str) -> tuple[str, str]:
    name, equals, values = text.partition("=")
    if not equals or not _KEY.fullmatch(name) or not all(values.split(",")):
        raise OptionError(f"{text!r} is not name=a,b,c or name=LOW:HIGH:STEP, such as threshold=1bps,5bps")
    return name, values


def _range(text: str) -> list[str]:
    return parse_range(text).texts() if ":" in text else [text]


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101  neither infinite nor NaN: it was digits
    return -exponent


def _value(text: str) -> Any:
    return int(text) if _INTEGER.fullmatch(text) else text
