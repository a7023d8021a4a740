"""The latencies of a backtest as people write them: one, or several to compare."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from booktape import arguments
from orderbook.errors import OptionError, reason_of
from orderbook.time_input import DurationLike, parse_duration

if TYPE_CHECKING:
    from orderbook.execution.latency import Latency

_EXAMPLE = "'100ms', '20ms,50ms,100ms', 'uniform:20ms:80ms', 'feed:40ms:1' or 'file:PATH'"


def latency_models(latency: DurationLike | Sequence[DurationLike]) -> dict[str, Latency]:
    """Return models of latency by how they are written, each once.

    Args:
        latency: one of them, or several; a text may name several, as `20ms,50ms` or `20ms:100ms:20ms`.

    Raises:
        OptionError: if one cannot be used, or none is named.
    """
    with arguments.naming("latency", latency, _EXAMPLE):
        models = {text: _model(text) for text in _texts(latency)}
        if not models:
            raise TypeError
        return models


def one_latency(latency: DurationLike | Sequence[DurationLike], what: str) -> Latency:
    """Return the only model of latency.

    Raises:
        OptionError: if there are several, or it cannot be used.
    """
    first, *others = latency_models(latency).values()
    if others:
        raise OptionError(f"{what} has one latency: name one, such as '100ms'", option="latency")
    return first


def _texts(latency: Any) -> list[str]:
    from orderbook.execution.options import latency_texts

    if isinstance(latency, str):
        return latency_texts(latency)
    if isinstance(latency, timedelta):
        return [f"{latency.total_seconds()}s"]
    if isinstance(latency, int | float):
        parse_duration(latency)  # of what is no number of seconds, the text would be read
        return [f"{latency}s"]
    if not isinstance(latency, Sequence):
        raise TypeError
    return [text for each in latency for text in _texts(each)]


def _model(text: str) -> Latency:
    from orderbook.execution.options import latency_table, parse_latency
    from recorder.tape.store.local import open_file

    if not text.startswith("file:"):
        return parse_latency(text)
    path = Path(text.removeprefix("file:"))
    try:
        with TextIOWrapper(open_file(path), encoding="utf-8") as lines:
            return latency_table(lines)
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{path}: cannot be read ({reason_of(error)})") from None
    except OptionError as error:
        raise OptionError(f"{path}: {error.reason}") from None
