"""A trade as both feeds of Coinbase spell it."""

import re
from typing import Final, Literal

import msgspec
from msgspec import Raw

from orderbook.decimals import parse_price, parse_size
from orderbook.events import MalformedError, Trade
from orderbook.venues.coinbase.frames import ABSENT, frame_time
from orderbook.venues.rawjson import integer, string

_TRADE_ID = re.compile(r"[0-9]{1,18}")
_MAKER_SIDES: Final[dict[str, Literal["bid", "ask"]]] = {"buy": "bid", "sell": "ask"}


class TradeFields(msgspec.Struct):
    """The fields of a trade; an absent field is an empty `Raw`."""

    type: Raw = ABSENT
    product_id: Raw = ABSENT
    trade_id: Raw = ABSENT
    side: Raw = ABSENT
    price: Raw = ABSENT
    size: Raw = ABSENT
    time: Raw = ABSENT
    last_trade_id: Raw = ABSENT


def read_trade(fields: TradeFields, *, is_history: bool) -> Trade:
    """Return a trade. `side` is the maker's on both feeds.

    Raises:
        MalformedError: if a field is missing or has another type, or a side or number is not valid.
    """
    side, price, size = (string(raw) for raw in (fields.side, fields.price, fields.size))
    if side is None or side.lower() not in _MAKER_SIDES:
        raise MalformedError("the side of a trade is neither buy nor sell")
    if price is None or size is None:
        raise MalformedError("price and size of a trade must be strings")
    return Trade(
        _trade_id(fields.trade_id),
        frame_time(fields.time),
        _MAKER_SIDES[side.lower()],
        parse_price(price),
        parse_size(size),
        is_history,
    )


def _trade_id(raw: Raw) -> int:
    """Return a trade_id: an integer, or a string of 1 to 18 digits."""
    text = string(raw)
    number = integer(raw) if text is None else int(text) if _TRADE_ID.fullmatch(text) else None
    if number is None or not 0 <= number < 10**18:
        raise MalformedError(f"trade_id {bytes(raw)[:40]!r} is not a number of at most 18 digits")
    return number


def product_of(raw: Raw) -> str:
    """Return a product_id.

    Raises:
        MalformedError: if it is no string.
    """
    product = string(raw)
    if product is None:
        raise MalformedError("product_id of a trade is no string")
    return product
