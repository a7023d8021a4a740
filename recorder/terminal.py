"""What a person sees: numbers, tables and the line on data quality. Results on stdout, the rest on stderr.

Piped, everything is plain text without control codes, and as wide as it needs to be.
"""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import msgspec
import pyarrow as pa
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orderbook.schema import ANOMALY_KINDS, TIME
from orderbook.tally import Tally
from orderbook.times import format_time
from recorder.columns import Column, fitted_table

_PIPED_WIDTH = 400


def stdout() -> Console:
    """Return the console of results."""
    return _console(to_stderr=False)


@cache
def stderr() -> Console:
    """Return the console of everything else: one for panel and log lines, or they tear each other."""
    return _console(to_stderr=True)


def _console(*, to_stderr: bool) -> Console:
    is_terminal = (sys.stderr if to_stderr else sys.stdout).isatty()
    return (_SideConsole if to_stderr else Console)(
        stderr=to_stderr,
        width=None if is_terminal else _PIPED_WIDTH,
        highlight=False,
        markup=False,  # what an exchange says must not be taken for ours
        soft_wrap=not is_terminal,
    )


class _SideConsole(Console):
    """What is said beside a result: where nobody reads it any more, the work goes on."""

    def on_broken_pipe(self) -> None:
        """Say nothing more; Rich would end the process."""
        self.quiet = True


def print_json(document: object) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")


def log_to_stderr(level: int = logging.INFO, *, as_json: bool = False) -> None:
    """Send our log lines to stderr, with time and level, as text or as a JSON object a line."""
    handler = _ConsoleHandler()
    handler.setFormatter(
        _JsonFormatter()
        if as_json
        else logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")
    )
    for name in ("recorder", "replay"):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.handlers = [handler]
        logger.propagate = False


class _ConsoleHandler(logging.Handler):
    """Prints above a panel where there is one; a stream of its own would tear it."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # a recording outlives the disk, or the reader, of its log
            stderr().print(self.format(record), soft_wrap=True)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": format_time(round(record.created * 1e9)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        return msgspec.json.encode(line).decode()


def count(value: int) -> str:
    """Return a count, grouped: `12,345`."""
    return f"{value:,}"


def plural(number: int, noun: str) -> str:
    """Return a count with its noun: `1 digest`, `2 digests`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def seconds(value: float | None) -> str:
    """Return seconds with three digits after the point, `-` where there are none."""
    return "-" if value is None else f"{value:,.3f}"


def size(value: float) -> str:
    """Return bytes in binary units: `1.4 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def bps(fraction: float | None) -> str:
    """Return a fraction in basis points, `-` where there is none."""
    return "-" if fraction is None else f"{fraction * 1e4:.3f}"


def percent(share: float | None) -> str:
    """Return a share in percent, `-` where there is none."""
    return "-" if share is None else f"{share * 100:.2f}"


def price(value: float | None) -> str:
    """Return a price with as many decimals as it has, at least two."""
    if value is None:
        return "-"
    whole, _, decimals = f"{value:,.8f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def time_of_day(time_ns: int) -> str:
    """Return a time to the millisecond."""
    return format_time(time_ns)[:23].replace("T", " ")


def span(first: int | None, last: int | None) -> str:
    """Return a time span: from, to, how long."""
    if first is None or last is None:
        return "no rows"
    return f"{time_of_day(first)} to {time_of_day(last)} UTC ({(last - first) / 1e9:,.3f} s)"


def heading(tallies: Mapping[str, Tally], tape: object, feed: str = "") -> Text:
    """Return the heading of a result: tape, products, time span."""
    firsts = [tally.first_time for tally in tallies.values() if tally.first_time is not None]
    lasts = [tally.last_time for tally in tallies.values() if tally.last_time is not None]
    products = ", ".join(sorted(tallies))
    return Text.assemble(
        (str(tape), "bold"),
        f"  {feed + '  ' if feed else ''}{products}\n",
        (span(min(firsts, default=None), max(lasts, default=None)), "dim"),
    )


def quality(tallies: Mapping[str, Tally]) -> str:
    """Return the line on data quality that stands under every result."""
    interruptions = sum(max(tally.connections - 1, 0) for tally in tallies.values())
    kinds = {kind: sum(tally.anomalies[kind] for tally in tallies.values()) for kind in ANOMALY_KINDS}
    found = ", ".join(f"{count(number)} {kind}" for kind, number in kinds.items() if number) or "none"
    excluded = sum(tally.excluded_ns for tally in tallies.values())
    spans = sum(tally.span_ns for tally in tallies.values())
    share = f" ({excluded / spans * 100:.2f} %)" if spans else ""
    return (
        f"Data quality: {plural(interruptions, 'interruption')}; anomalies: {found}; "
        f"excluded (not observed) {excluded / 1e9:,.3f} s{share}"
    )


def tally_table(console: Console, tallies: Mapping[str, Tally], threshold: float) -> Table:
    """Return the table of counts by product."""
    columns = [
        Column("product", side="left"),
        Column("rows", spare=2),
        Column("frames"),
        Column("summaries", spare=3),
        Column("signals", f"> {threshold * 1e4:g} bps"),
        Column("connections", spare=1),
        Column("observed", "s"),
        Column("digest", side="left", spare=4),
    ]
    rows = [
        (
            product,
            count(tally.rows),
            count(tally.frames),
            count(tally.summaries),
            count(tally.signals),
            count(tally.connections),
            seconds(tally.observed_ns / 1e9),
            tally.digest.hexdigest()[:16],
        )
        for product, tally in sorted(tallies.items())
    ]
    return fitted_table(console, columns, rows)


def summary_rows(summaries: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return summaries as dicts, times in nanoseconds since 1970."""
    times = summaries.column("recv_time").view(pa.int64()).to_pylist()
    plain = summaries.drop_columns(["recv_time", "exchange_time"]).to_pylist()
    return [{**row, "recv_time": time} for row, time in zip(plain, times, strict=True)]


def summary_line(product: str, row: Mapping[str, Any]) -> str:
    """Return one summary as a line: time (UTC), product, best bid and ask with sizes, relative spread."""
    bid = f"{price(row['bid_price'])} x {price(row['bid_size'])}"
    ask = f"{price(row['ask_price'])} x {price(row['ask_size'])}"
    time = time_of_day(row["recv_time"])
    return f"{time}  {product:<8} {bid:>22} / {ask:<22} {bps(row['relative_spread']):>8} bps"


def row_lines(product: str, rows: pa.RecordBatch) -> Iterator[str]:
    """Yield the rows of a strategy as JSON objects, a line each; times as ISO text, UTC."""
    columns = [
        [
            None if time is None else format_time(time)
            for time in column.cast(TIME).view(pa.int64()).to_pylist()
        ]
        if pa.types.is_timestamp(column.type)
        else column.to_pylist()
        for column in rows.columns
    ]
    for row in zip(*columns, strict=True):
        yield msgspec.json.encode(
            {"product": product, **dict(zip(rows.schema.names, row, strict=True))}
        ).decode()
