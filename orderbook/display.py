"""Numbers, times, rows and untrusted text as text for people: in a terminal, a log line and a report."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import msgspec
import pyarrow as pa

from orderbook.schema import TIME
from orderbook.times import format_time

_SMALLEST: Final = -6
"""Numbers below 1e-6 are written with an exponent: nobody counts that many zeros."""

_FEW_PRODUCTS: Final = 10
"""Products that a title names."""


def count(value: int) -> str:
    """Return a count with separators: `12,345`."""
    return f"{value:,}"


def plural(number: int, noun: str) -> str:
    """Return a count with its noun: `1 digest`, `2 digests`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def products_title(products: Collection[str]) -> str:
    """Return the names of products in order, or how many they are if nobody would read them all.

    >>> products_title(["ETH-USD", "BTC-USD"]), products_title([f"P{n}-USD" for n in range(300)])
    ('BTC-USD, ETH-USD', '300 products')
    """
    if len(products) > _FEW_PRODUCTS:
        return plural(len(products), "product")
    return ", ".join(sorted(products)) or "no product"


def significant(value: float | None) -> str:
    """Return a number in four significant digits, or with all digits before the point; `-` for None.

    >>> significant(0.00154312), significant(1.3), significant(15060.2), significant(-9.9996), significant(0)
    ('0.001543', '1.300', '15,060', '-10.00', '0')
    >>> significant(-0.0000000004345), significant(0.000001)
    ('-4.345e-10', '0.000001000')
    """
    if value is None:
        return "-"
    exponent = int(f"{value:.3e}".partition("e")[2])
    if not value:
        return "0"
    if exponent < _SMALLEST:
        return f"{value:.3e}"
    return f"{value:,.{max(0, 3 - exponent)}f}"


def quote_of(product: str) -> str:
    """Return the currency of a product's prices, `quote` if its name does not say.

    >>> quote_of("BTC-USD"), quote_of("BIT-26DEC25-CDE")
    ('USD', 'quote')
    """
    parts = product.split("-")
    return printable(parts[1], 12) if len(parts) == 2 and parts[1] else "quote"


def base_of(product: str) -> str:
    """Return the currency of a product's sizes, `base` if its name does not say.

    >>> base_of("BTC-USD"), base_of("BIT-26DEC25-CDE")
    ('BTC', 'base')
    """
    return "base" if quote_of(product) == "quote" else printable(product.split("-", maxsplit=1)[0], 12)


def bounds(back: float | None, front: float | None) -> str:
    """Return a number under the bounds of the queue, in the order in which all tables have them."""
    return " to ".join(dict.fromkeys(map(significant, (back, front))))


def by_queue(text: str) -> str:
    """Return what `bounds` say, for a sentence.

    >>> by_queue(bounds(0.5, 0.75)), by_queue(bounds(0.5, 0.5))
    ('net 0.5000 to 0.7500 by the place in the queue, back to front', 'whatever the place in the queue')
    """
    return (
        f"net {text} by the place in the queue, back to front"
        if " to " in text
        else "whatever the place in the queue"
    )


def profit(net: float, unit: str) -> str:
    """Return what a profit after fees is.

    >>> profit(-1.978, "USD"), profit(0.0, "USD")
    ('lost 1.978 USD net of fees', 'ended even')
    """
    if not net:
        return "ended even"
    return f"{'made' if net > 0 else 'lost'} {significant(abs(net))} {unit} net of fees"


def with_error(mean: float, error: float | None) -> str:
    """Return a mean with its sign and, as far as it is known, its standard error in two digits.

    >>> with_error(-0.00019852, 0.0003026), with_error(2.15, 0.19), with_error(0.5, None)
    ('-0.00020 ±0.00030', '+2.15 ±0.19', '+0.5000')
    """
    if not error:
        return signed(mean)
    decimals = max(1 - int(f"{error:.1e}".partition("e")[2]), 0)
    return f"{mean:+,.{decimals}f} ±{error:,.{decimals}f}"


def signed(value: float) -> str:
    """Return a number as `significant` does, with its sign."""
    return f"+{significant(value)}" if value > 0 else significant(value)


def seconds(value: float | None) -> str:
    """Return seconds to the millisecond, shorter ones in four significant digits; `-` for None.

    >>> seconds(3600.5), seconds(0.0001234), seconds(0)
    ('3,600.500', '0.0001234', '0')
    """
    return f"{value:,.3f}" if value is not None and abs(value) >= 1 else significant(value)


def size(value: float) -> str:
    """Return bytes in binary units: `1.4 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def bps(fraction: float | None) -> str:
    """Return a fraction in basis points, four significant digits; `-` for None."""
    return "-" if fraction is None else significant(fraction * 1e4)


def percent(share: float | None) -> str:
    """Return a share in percent, four significant digits; `-` for None."""
    return "-" if share is None else significant(share * 100)


def price(value: float | None) -> str:
    """Return a price with as many decimals as it has, at least two."""
    if value is None:
        return "-"
    whole, _, decimals = f"{value:,.8f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def clock(seconds: float) -> str:
    """Return a duration as a clock shows it.

    >>> clock(3725.9)
    '1:02:05'
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def time_of_day(time_ns: int) -> str:
    """Return a time to the millisecond."""
    return format_time(time_ns)[:23].replace("T", " ")


def span(first: int | None, last: int | None) -> str:
    """Return a time span: start, end and duration."""
    if first is None or last is None:
        return "no rows"
    return f"{time_of_day(first)} to {time_of_day(last)} UTC ({seconds((last - first) / 1e9)} s)"


def verdict(value: str | None) -> str:
    """Return what people read for a verdict on connections: a feed without sequence numbers is no defect.

    >>> verdict("unverifiable"), verdict("broken"), verdict(None)
    ('no gaps seen', 'broken', '-')
    """
    return "-" if value is None else value.replace("unverifiable", "no gaps seen")


def printable(text: str, longest: int = 300) -> str:
    r"""Return text of others on one line of at most `longest` characters, control characters escaped.

    Such text must not control a terminal or forge a line of a log.

    >>> printable("a\x1b[31mb\nc")
    'a\\x1b[31mb\\nc'
    """
    shown = text if len(text) <= longest else text[: longest - 3] + "..."
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in shown)


def printable_lines(text: str) -> str:
    r"""Return text with its lines, and every control character in them escaped.

    >>> printable_lines("a\x1b[31m\nb")
    'a\\x1b[31m\nb'
    """
    return "\n".join(line if line.isprintable() else printable(line, len(line)) for line in text.split("\n"))


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
    """Yield the rows of a strategy as JSON objects, one for each line; times as ISO text, UTC."""
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
