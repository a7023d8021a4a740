"""The file of a fleet: TOML whose options are those of `record`, and checked as `record` checks them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from inspect import signature
from pathlib import Path, PurePosixPath
from typing import Any, Final

from booktape import arguments
from booktape.feed_arguments import product_ids
from booktape.paths import shipping_url
from booktape.recording import record, record_settings
from booktape.shipping import kept_for
from orderbook.errors import OptionError
from recorder.fleet.plan import Fleet, FleetError, Recorder, refuse_contradictions
from recorder.settings import METRICS_HOST

DEFAULT_HOST: Final = "localhost"
_DEFAULT_TAPE: Final = "/var/lib/booktape/{recorder}"

_ARGUMENTS: Final = signature(record).parameters
_CHECKED: Final = tuple(signature(record_settings).parameters)
_OPTIONS: Final = (
    *(each for each in _CHECKED if each not in ("duration", "threshold")),
    "metrics_host",
    "keep",
)
"""Options of `record` that a service can have: it has no end, and prints no summaries."""

_KEYS: Final = (
    "products",
    "hosts",
    "tape",
    "ship",
    "metrics-port",
    *(each.replace("_", "-") for each in _OPTIONS),
)
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PLACE: Final = re.compile(r"\{[^{}]*\}")


def read_fleet(path: Path) -> Fleet:
    """Return the plan that a file says.

    Raises:
        FleetError: if it cannot be read, has what no plan has, or contradicts itself; it names table and key.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise FleetError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FleetError(f"{path} is not TOML: {error}") from None
    try:
        recorders = tuple(_recorders(found))
        refuse_contradictions(recorders)
    except FleetError as error:
        raise FleetError(f"{path}: {error}") from None
    return Fleet(path, recorders)


def _recorders(found: Mapping[str, Any]) -> Iterator[Recorder]:
    _refuse_unknown(found, ("all", "recorder"), "the file")
    everywhere = _table(found.get("all", {}), "[all]")
    _refuse_unknown(everywhere, _KEYS, "[all]")
    named = _table(found.get("recorder", {}), "[recorder]")
    if not named:
        raise FleetError('it has no recorder: write [recorder.btc] and products = ["BTC-USD"]')
    on_host: dict[str, int] = {}
    for name, table in named.items():
        where = f"[recorder.{name}]"
        if not _NAME.fullmatch(name):
            raise FleetError(f"{where}: a recorder is named by small letters, digits and -, at most 42")
        own = _table(table, where)
        _refuse_unknown(own, _KEYS, where)
        for host in _hosts(own.get("hosts", everywhere.get("hosts", [DEFAULT_HOST])), where):
            number = on_host[host] = on_host.get(host, -1) + 1
            yield _recorder(name, host, everywhere, own, number)


def _recorder(
    name: str, host: str, everywhere: Mapping[str, Any], own: Mapping[str, Any], number: int
) -> Recorder:
    """Return a process; `number` counts those before it on its host."""
    where = f"[recorder.{name}]"
    table = {**everywhere, **own}
    tape = PurePosixPath(_placed(table.get("tape", _DEFAULT_TAPE), name, host, f"{where} tape"))
    if not tape.is_absolute() or ".." in tape.parts:
        raise FleetError(f"{where} tape: {tape} is not an absolute path such as {_DEFAULT_TAPE}")
    ship = table.get("ship")
    if ship is not None:
        ship = _placed(ship, name, host, f"{where} ship")
    port = table.get("metrics-port")
    given = {each: table[key] for each in _OPTIONS if (key := each.replace("_", "-")) in table}
    with _naming(where):
        if ship is not None:
            shipping_url(ship)
        kept_for(given.get("keep"), ship)
        products = product_ids(table.get("products", ()))
        if port is not None:
            # One that is said for all recorders is that of the first on a host; the next have the next ones.
            after = 0 if "metrics-port" in own else number
            port = arguments.whole_number(port, "metrics_port", 1, 65535 - after) + after
        arguments.host_of(given.get("metrics_host", METRICS_HOST), "metrics_host")
        record_settings(**{each: given.get(each, _ARGUMENTS[each].default) for each in _CHECKED})
    return Recorder(
        name,
        host,
        products,
        tape,
        ship,
        port,
        {
            each: value if isinstance(value, bool) else str(value)
            for each, value in given.items()
            if value != _ARGUMENTS[each].default
        },
    )


def _hosts(value: object, where: str) -> tuple[str, ...]:
    hosts = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
    if not hosts or not all(isinstance(each, str) and _HOST.fullmatch(each) for each in hosts):
        raise FleetError(f'{where} hosts: {value!r} are not names of machines: write ["rec-a", "rec-b"]')
    if len(set(hosts)) < len(hosts):
        raise FleetError(f"{where} hosts: name each machine once")
    return hosts


def _placed(text: object, name: str, host: str, where: str) -> str:
    """Return a text with the names of recorder and host in their places."""
    if not isinstance(text, str) or not text:
        raise FleetError(f"{where}: {text!r} is not a text")
    placed = text.replace("{recorder}", name).replace("{host}", host)
    if unknown := _PLACE.search(placed):
        raise FleetError(f"{where}: {unknown[0]} is neither {{recorder}} nor {{host}}")
    if not placed.isprintable():
        raise FleetError(f"{where}: {text!r} has control characters")
    return placed


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise FleetError(f"{where} has to be a table: write a line {where}, and its options below")
    return value


def _refuse_unknown(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            close = get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise FleetError(f"{where} has no option {key!r}; {hint}")


@contextmanager
def _naming(where: str) -> Iterator[None]:
    """Name the table and the key in an error of an argument."""
    try:
        yield
    except OptionError as error:
        raise FleetError(f"{where} {error.option.replace('_', '-')}: {error.reason}") from None
