"""What a row of a CSV file of Tardis has to be, field by field: it tells what is wrong with a bad one."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from orderbook.decimals import parse_price, parse_size
from orderbook.events import MalformedError
from orderbook.times import MAX_TIME_NS
from orderbook.venues.base import is_product_id

BOOK: Final = "incremental_book_L2"
TRADES: Final = "trades"
_HEADER: Final = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
_EXCHANGE, *_ = _BOOK_NAMES = _HEADER.split(",")
NAMES: Final = {
    BOOK: tuple(_BOOK_NAMES),
    TRADES: tuple("id" if name == "is_snapshot" else name for name in _BOOK_NAMES),
}
"""The columns of each kind of file; their order does not matter."""

SIDES: Final = {BOOK: ("bid", "ask"), TRADES: ("sell", "buy")}
"""What `side` tells if the level, or the maker's order, is a bid, and if it is an ask."""

WORDS: Final = ("true", "false", "True", "False")
"""The values of `is_snapshot`."""

MAX_MICROSECONDS: Final = MAX_TIME_NS // 1000

_EXPONENT = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?[eE][+-]?[0-9]{1,3}")
_INTEGER = re.compile(r"[0-9]{1,16}")
_TRADE_ID = re.compile(r"[0-9]{1,18}")


def check_row(row: bytes, names: Sequence[str], kind: str, exchange: str, last_local: int) -> int:
    """Return the local_timestamp of a row that is understood.

    Args:
        row: a line without its end.
        names: the names of its columns.
        kind: `BOOK` or `TRADES`.
        exchange: the exchange of the rows before it; empty if there is none.
        last_local: local_timestamp of the row before it.

    Raises:
        MalformedError: if it is not understood; it tells why, as what follows "line 7".
    """
    try:
        fields = row.decode().split(",")
    except UnicodeDecodeError:
        raise MalformedError("is not UTF-8") from None
    if len(fields) != len(names):
        raise MalformedError(f"has {len(fields)} fields, not {len(names)}")
    found = dict(zip(names, fields, strict=True))
    if problem := next(_problems(found, kind, exchange), ""):
        raise MalformedError(problem)
    local = int(found["local_timestamp"])
    if local < last_local:
        raise MalformedError("has a local_timestamp before that of the line before: sort the file")
    return local


def _problems(row: dict[str, str], kind: str, exchange: str) -> Iterator[str]:
    """Yield what is wrong with a row."""
    if exchange and row[_EXCHANGE] != exchange:
        yield f"is of another exchange than {exchange}"
    if not is_product_id(row["symbol"]):
        yield "has a symbol that cannot be a product, which has letters, digits and single -"
    for name in ("timestamp", "local_timestamp"):
        if not _INTEGER.fullmatch(row[name]) or int(row[name]) > MAX_MICROSECONDS:
            yield f"has a {name} that is not microseconds since 1970"
    if row["side"] not in SIDES[kind]:
        yield f"has a side that is neither {' nor '.join(SIDES[kind])}"
    if kind == BOOK and row["is_snapshot"] not in WORDS:
        yield "has an is_snapshot that is neither true nor false"
    if kind == TRADES and not _TRADE_ID.fullmatch(row["id"]):
        yield "has an id that is not a number of at most 18 digits, as trades on a tape have"
    for name, parse in (("price", parse_price), ("amount", parse_size)):
        try:
            parse(written_out(row[name]))
        except MalformedError as error:
            yield f"has {'an' if name == 'amount' else 'a'} {name} that a tape cannot hold ({error})"


def written_out(decimal: str) -> str:
    """Return a decimal without an exponent; any other text as it is.

    >>> written_out("1e-7"), written_out("2.50"), written_out("1.5E+3"), written_out("NaN")
    ('0.0000001', '2.50', '1500', 'NaN')
    """
    return format(Decimal(decimal), "f") if _EXPONENT.fullmatch(decimal) else decimal
