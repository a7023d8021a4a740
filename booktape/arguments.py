"""The values that the Python API and the command line take, in every spelling, checked before any work.

Everything that is wrong with a value ends as an `OptionError` that names the argument.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, SupportsIndex, TypeAlias, TypeVar, get_args

from orderbook.errors import BooktapeError, OptionError
from orderbook.thresholds import DEFAULT_THRESHOLD, ThresholdLike, parse_threshold, parse_thresholds
from orderbook.time_input import DurationLike, parse_duration
from recorder.installed import SAMPLE, SAMPLE_PATHS, sample
from recorder.settings import EngineName
from recorder.tape.errors import NotATapeError
from recorder.tape.store.paths import RemotePath
from recorder.tape.store.paths import path_of as located

if TYPE_CHECKING:
    from orderbook.engine import Engine
    from orderbook.strategy import StrategyFactory

T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., Any] | None")

PathLike: TypeAlias = str | os.PathLike[str]
"""A path; for a tape to read also its URL, `s3://bucket/tape`, and `sample:`, the one of booktape itself."""
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
_SHIPPING: Final = "a tape gets to a store by `booktape record --ship URL` or `booktape ship TAPE URL`"
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


def path_of(value: PathLike, option: str, example: str = "a text such as 'tape', or a pathlib.Path") -> Path:
    """Return a path, `~` at its beginning expanded."""
    with naming(option, value, example):
        path = os.fspath(value)
        if not isinstance(path, str) or "\0" in path or not path:
            raise TypeError
        os.fsencode(path)  # no file can have a name with a lone surrogate
        path = os.path.expanduser(path)  # noqa: PTH111  Path.expanduser raises if it knows no such home
    try:
        return located(path)
    except ValueError as error:  # never with the value, which may have a password in it
        raise OptionError(f"this URL cannot be used: {error}", option=option) from None


def local_path(value: PathLike, option: str, instead: str = "copy it to a file of this machine") -> Path:
    """Return a path of this machine, which no URL of an object store is."""
    path = path_of(value, option)
    if isinstance(path, RemotePath):
        raise OptionError(f"{path} is in an object store: {instead}", option=option, value=value)
    return path


def tape_path(value: PathLike, option: str = "tape") -> Path:
    """Return the path of a tape to read, or its URL; `sample:` is the one that booktape comes with."""
    path = path_of(value, option, "the directory of a tape, its URL such as 's3://bucket/tape', or 'sample:'")
    if str(path) == SAMPLE:
        return sample()
    if f"{path}:" == SAMPLE and not path.exists():
        raise NotATapeError(f"{path}: no such tape; the one that booktape comes with is 'sample:'", path)
    return path


def shipping_url(value: PathLike, option: str = "ship") -> RemotePath:
    """Return the place in an object store to which a tape is shipped."""
    path = path_of(value, option, "a URL such as 's3://bucket/tape'")
    if not isinstance(path, RemotePath) or not path.key:
        reason = (
            f"{path}: write the URL of a tape in a bucket, such as s3://bucket/tape; a directory is copied"
        )
        raise OptionError(reason, option=option, value=value)
    return path


def written_tape(value: PathLike, option: str = "tape") -> Path:
    """Return the path of a tape to change, which is on this machine and not the sample."""
    path = tape_path(value, option)
    if _is_sample(path):
        raise OptionError("the sample is read-only: copy it first", option=option, value=value)
    if isinstance(path, RemotePath):
        reason = f"{path} is in an object store and is only read: do it to the tape on disk; {_SHIPPING}"
        raise OptionError(reason, option=option, value=value)
    return path


def output_path(value: PathLike, option: str) -> Path:
    """Return a path to write to, which cannot be that of the sample or inside a tape."""
    path = local_path(value, option, f"write to a directory of this machine, such as 'tape'; {_SHIPPING}")
    if str(path) == "-":
        example = {"html": "report.html", "tape": "tape"}.get(option, "run")
        reason = f"nothing is written to standard output: name a path, such as {example!r}"
        raise OptionError(reason, option=option, value=value)
    if str(path) == SAMPLE or _is_sample(path):
        reason = "the sample is read-only: name a directory, such as 'tape'"
        raise OptionError(reason, option=option, value=value)
    if (tape := _tape_around(path)) is not None:
        reason = f"{path} is inside the tape {tape}, which holds nothing else: name a path beside it"
        raise OptionError(reason, option=option, value=value)
    return path


def _tape_around(path: Path) -> Path | None:
    """Return the tape whose directory contains a path; None if there is none."""
    from recorder.tape.format.layout import MANIFEST

    parents = Path(os.path.realpath(path)).parents
    return next((each for each in parents if os.path.lexists(each / MANIFEST)), None)


def _is_sample(path: Path) -> bool:
    return os.path.realpath(path) in map(os.path.realpath, SAMPLE_PATHS)


def paths_of(value: PathLike | Iterable[PathLike], option: str, one: Callable[..., Path]) -> tuple[Path, ...]:
    """Return one path or several."""
    if isinstance(value, str | os.PathLike):
        value = (value,)
    with naming(option, value, "a path such as 'tape', or several in a list"):
        return tuple(one(each, option) for each in value)


def tape_paths(value: PathLike | Iterable[PathLike], option: str = "tapes") -> tuple[Path, ...]:
    """Return the paths of one tape or several, each there once."""
    paths = paths_of(value, option, tape_path)
    if not paths or len(set(map(os.path.realpath, paths))) < len(paths):
        raise OptionError("name one tape or several, each once", option=option, value=value)
    return paths


def optional_output(value: PathLike | None, option: str) -> Path | None:
    """Return a path to write to, or None for None."""
    return None if value is None else output_path(value, option)


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
