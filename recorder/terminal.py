"""What a person sees: numbers, tables and the line on data quality. Results on stdout, the rest on stderr.

Piped, everything is plain text without control codes, and as wide as it needs to be.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orderbook.schema import ANOMALY_KINDS
from orderbook.tally import Tally
from orderbook.times import format_time

_PIPED_WIDTH = 400


def stdout() -> Console:
    """Return the console of results."""
    return _console(stderr=False)


def stderr() -> Console:
    """Return the console of everything else."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPED_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=not stream.isatty())


def print_json(document: object) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")


def log_to_stderr(level: int = logging.INFO, *, as_json: bool = False) -> None:
    """Send our log lines to stderr, with time and level, as text or as a JSON object a line."""
    handler = logging.StreamHandler(sys.stderr)
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


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": format_time(round(record.created * 1e9)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        return msgspec.json.encode(line).decode()


def table(console: Console, columns: Sequence[tuple[str, str]]) -> Table:
    """Return an empty table.

    Args:
        console: where it will be printed.
        columns: (heading, "left" or "right"); a unit stands on the heading's second line.
    """
    style = box.SIMPLE_HEAD if console.is_terminal else None
    made = Table(box=style, header_style="bold", pad_edge=False, show_edge=False, padding=(0, 1))
    for heading, side in columns:
        made.add_column(heading, justify="right" if side == "right" else "left", no_wrap=True)
    return made


def count(value: int) -> str:
    """Return a count, grouped: `12,345`."""
    return f"{value:,}"


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
        f"Data quality: {count(interruptions)} interruptions; anomalies: {found}; "
        f"excluded (no book) {excluded / 1e9:,.3f} s{share}"
    )


def tally_table(console: Console, tallies: Mapping[str, Tally], threshold: float) -> Table:
    """Return the table of counts by product."""
    made = table(
        console,
        [
            ("product\n", "left"),
            ("rows\n", "right"),
            ("frames\n", "right"),
            ("summaries\n", "right"),
            (f"signals\n> {threshold * 1e4:g} bps", "right"),
            ("connections\n", "right"),
            ("observed\ns", "right"),
            ("digest\n", "left"),
        ],
    )
    for product, tally in sorted(tallies.items()):
        made.add_row(
            product,
            count(tally.rows),
            count(tally.frames),
            count(tally.summaries),
            count(tally.signals),
            count(tally.connections),
            seconds(tally.observed_ns / 1e9),
            tally.digest.hexdigest()[:16],
        )
    return made


def summary_rows(summaries: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return summaries as dicts, times in nanoseconds since 1970."""
    times = summaries.column("recv_time").view(pa.int64()).to_pylist()
    plain = summaries.drop_columns(["recv_time", "exchange_time"]).to_pylist()
    return [{**row, "recv_time": time} for row, time in zip(plain, times, strict=True)]


def summary_line(product: str, row: Mapping[str, Any]) -> str:
    """Return one summary as a line: time, product, best bid and ask, spread."""
    bid = f"{price(row['bid_price'])} x {price(row['bid_size'])}"
    ask = f"{price(row['ask_price'])} x {price(row['ask_size'])}"
    return (
        f"{format_time(row['recv_time'])}  {product:<10} bid {bid:>24}  ask {ask:>24}  "
        f"spread {price(row['spread']):>10}  {bps(row['relative_spread']):>9} bps"
    )
