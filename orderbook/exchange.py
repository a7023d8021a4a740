"""The Exchange dialect (ws-feed.exchange.coinbase.com): snapshot and l2update.

    {"type":"snapshot","product_id":"BTC-USD","asks":[["10102.55","0.57"]],"bids":[["10101.10","0.45"]],"time":"..."}
    {"type":"l2update","product_id":"BTC-USD","changes":[["buy","10101.80","0.162567"]],"time":"..."}

A level is an array of exactly two strings, a change of exactly three; a size is absolute, 0 removes.
"""

import msgspec
from msgspec import Raw

from orderbook.decimals import MalformedNumberError, parse_price, parse_size
from orderbook.frames import BookEvent, Level, MalformedError
from orderbook.rawjson import decode, string

_LEVELS = msgspec.json.Decoder(list[tuple[str, str]])
_CHANGES = msgspec.json.Decoder(list[tuple[str, str, str]])


def snapshot(product_id: Raw, bids: Raw, asks: Raw, product: str) -> BookEvent | None:
    """Read a snapshot; None where it is another product's.

    Raises:
        MalformedError: where a field is missing, of another type, or a number is none.
    """
    named = _product(product_id)
    event = BookEvent(True, _levels(bids, "bids"), _levels(asks, "asks"))
    return event if named == product else None


def update(product_id: Raw, changes: Raw, product: str) -> BookEvent | None:
    """Read an l2update; None where it is another product's.

    Raises:
        MalformedError: where a field is missing, of another type, or a side or number is none.
    """
    named = _product(product_id)
    bids: list[Level] = []
    asks: list[Level] = []
    try:
        for side, price, size in decode(_CHANGES, changes, "changes"):
            if side == "buy":
                bids.append((parse_price(price), parse_size(size)))
            elif side == "sell":
                asks.append((parse_price(price), parse_size(size)))
            else:
                raise MalformedError(f"side {side[:40]!r} is neither buy nor sell")
    except MalformedNumberError as error:
        raise MalformedError(str(error)) from None
    return BookEvent(False, bids, asks) if named == product else None


def _product(product_id: Raw) -> str:
    product = string(product_id)
    if product is None:
        raise MalformedError("product_id is no string")
    return product


def _levels(raw: Raw, what: str) -> list[Level]:
    try:
        return [(parse_price(price), parse_size(size)) for price, size in decode(_LEVELS, raw, what)]
    except MalformedNumberError as error:
        raise MalformedError(str(error)) from None
