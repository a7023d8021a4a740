"""The Advanced Trade dialect (advanced-trade-ws.coinbase.com): channel l2_data.

    {"channel":"l2_data","timestamp":"...","sequence_num":15,"events":[{"type":"update","product_id":"BTC-USD",
     "updates":[{"side":"offer","event_time":"...","price_level":"65106.54","new_quantity":"0.15361938"}]}]}

A snapshot has the same form. Sides are bid and offer; some documents say ask.
"""

import msgspec
from msgspec import Raw

from orderbook.decimals import MalformedNumberError, parse_price, parse_size
from orderbook.frames import BookEvent, Level, MalformedError
from orderbook.rawjson import decode, objects, string


class Change(msgspec.Struct, gc=False):
    """One level of an event, as spelled by the feed."""

    side: str
    price_level: str
    new_quantity: str


_CHANGES = msgspec.json.Decoder(list[Change])


def book_events(events: Raw, product: str) -> list[BookEvent]:
    """Read all events of a frame, return those of one product.

    Raises:
        MalformedError: where any event, of whichever product, is not of the feed's form.
    """
    wanted = []
    for fields in objects(events, "events"):
        kind = string(fields.get("type", _ABSENT))
        named = string(fields.get("product_id", _ABSENT))
        if kind not in ("snapshot", "update"):
            raise MalformedError("an event is neither snapshot nor update")
        if named is None:
            raise MalformedError("product_id is no string")
        bids, asks = _sides(fields.get("updates", _ABSENT))
        if named == product:
            wanted.append(BookEvent(kind == "snapshot", bids, asks))
    return wanted


_ABSENT = Raw()


def _sides(updates: Raw) -> tuple[list[Level], list[Level]]:
    bids: list[Level] = []
    asks: list[Level] = []
    try:
        for change in _changes(updates):
            level = (parse_price(change.price_level), parse_size(change.new_quantity))
            if change.side == "bid":
                bids.append(level)
            elif change.side in ("offer", "ask"):
                asks.append(level)
            else:
                raise MalformedError(f"side {change.side[:40]!r} is none of bid, offer, ask")
    except MalformedNumberError as error:
        raise MalformedError(str(error)) from None
    return bids, asks


def _changes(updates: Raw) -> list[Change]:
    try:
        return decode(_CHANGES, updates, "updates")
    except MalformedError:
        # Of duplicate keys the last counts, but the typed decoder refuses a wrong type in an earlier
        # one: judge again by the last values alone.
        return [_change(fields) for fields in objects(updates, "updates")]


def _change(fields: dict[str, Raw]) -> Change:
    values = [string(fields.get(name, _ABSENT)) for name in ("side", "price_level", "new_quantity")]
    if None in values:
        raise MalformedError("side, price_level and new_quantity must be strings")
    return Change(*values)  # type: ignore[arg-type]  # None was ruled out above
