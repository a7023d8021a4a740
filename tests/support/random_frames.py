"""Hypothesis strategies that draw the rows of one product: the frames of a feed, valid, odd and broken.

Frames are written as text, key by key, because duplicate keys, odd spellings and text that is not JSON cannot
be kept in a dict.
"""

import json
from typing import Final

from hypothesis import strategies as st

from tests.support.constants import BTC, START
from tests.support.odd_values import (
    BAD_PRICES,
    BAD_SIDES,
    BAD_SIZES,
    BAD_TIMES,
    BAD_VALUES,
    GOOD_PRICES,
    GOOD_SIZES,
    GOOD_VALUES,
    NAMES,
    NOT_FRAMES,
    TIMES,
    ZEROS,
    spellings,
)
from tests.support.oracle import Row

OTHER_PRODUCTS: Final = ("ETH-USD", "BTC-USDC", "btc-usd", "")

Fields = list[tuple[str, str]]
"""The keys of an object with the JSON text of each value; keys may repeat."""


def write_object(fields: Fields) -> str:
    """Return a JSON object of keys and value texts, in this order."""
    return "{" + ",".join(f'"{key}":{value}' for key, value in fields) + "}"


def write_array(items: list[str]) -> str:
    """Return a JSON array of value texts."""
    return "[" + ",".join(items) + "]"


_products = st.sampled_from([*[BTC] * 6, *OTHER_PRODUCTS]).map(json.dumps)
# Low prices are mostly bids and high prices mostly asks, so that most books are not crossed.
_LOW = spellings("99.99", 10, 30) + spellings("100", 10, 30) + spellings("0.00000001", 10, 30)
_HIGH = spellings("100.1", 10, 30) + spellings("101", 10, 30) + spellings("9999999999.99999999", 10, 30)
_prices = {"bid": st.sampled_from(_LOW * 10 + GOOD_PRICES), "ask": st.sampled_from(_HIGH * 10 + GOOD_PRICES)}
_sizes = st.sampled_from([*["1", "1", "2"] * 6, *GOOD_SIZES, *ZEROS * 2])
_times = st.sampled_from([*TIMES * 4, *BAD_TIMES])
_event_times = st.sampled_from(['"2026-08-09T21:05:48.264069Z"'] * 99 + [*TIMES * 4, *BAD_TIMES])
# Number of the fault, mostly none (-1). 0 to 3 are in the middle, as Hypothesis prefers the ends of a range.
_faults = st.sampled_from([*[-1] * 100, 0, 1, 2, 3, *[-1] * 100])


@st.composite
def _price_and_size(draw: st.DrawFn, side: str) -> tuple[str, str]:
    price, size = json.dumps(draw(_prices[side])), json.dumps(draw(_sizes))
    fault = draw(_faults)
    if fault == 0:
        price = draw(st.sampled_from(BAD_PRICES))
    elif fault == 1:
        size = draw(st.sampled_from(BAD_SIZES))
    elif fault == 2:
        price = '"' + "".join(f"\\u{ord(character):04x}" for character in json.loads(price)) + '"'
    return price, size


@st.composite
def _array_level(draw: st.DrawFn, side: str, words: tuple[str, ...]) -> str:
    """Draw a level of an Exchange snapshot, or a change if there are words for its side."""
    items = list(draw(_price_and_size(side)))
    if words:
        items.insert(0, json.dumps(draw(st.sampled_from(words))))
    fault = draw(_faults)
    if fault == 0:
        items.append('"1"')
    elif fault == 1:
        items.pop()
    elif fault == 2:
        return draw(st.sampled_from(GOOD_VALUES))
    elif fault == 3 and words:
        items[0] = draw(st.sampled_from([*BAD_SIDES, '"bid"', '"offer"', '"ask"']))
    return write_array(items)


@st.composite
def _object_level(draw: st.DrawFn) -> str:
    """Draw an update of an Advanced event."""
    word = draw(st.sampled_from(["bid", "offer", "ask", "bid"]))
    price, size = draw(_price_and_size("bid" if word == "bid" else "ask"))
    fields = [
        ("side", json.dumps(word)),
        ("event_time", draw(_event_times)),
        ("price_level", price),
        ("new_quantity", size),
    ]
    fault = draw(_faults)
    if fault == 0:
        fields[0] = ("side", draw(st.sampled_from([*BAD_SIDES, '"buy"', '"sell"'])))
    elif fault == 1:
        del fields[draw(st.integers(0, 3))]
    elif fault == 2:
        return draw(st.sampled_from(GOOD_VALUES))
    elif fault == 3:
        fields.insert(draw(st.integers(0, 4)), (draw(st.sampled_from(fields))[0], price))
    return write_object(fields)


_bids, _asks = _array_level("bid", ()), _array_level("ask", ())
_changes = _array_level("bid", ("buy",)) | _array_level("ask", ("sell",))
_updates = _object_level()


@st.composite
def _exchange_book_frame(draw: st.DrawFn, *, first: bool) -> Fields:
    if first or draw(st.integers(0, 3)) == 3:
        return [
            ("type", '"snapshot"'),
            ("product_id", json.dumps(BTC) if first else draw(_products)),
            ("asks", write_array(draw(st.lists(_asks, max_size=4)))),
            ("bids", write_array(draw(st.lists(_bids, max_size=4)))),
            *([("time", draw(_times))] if draw(st.booleans()) else []),
        ]
    return [
        ("type", '"l2update"'),
        ("product_id", draw(_products)),
        ("changes", write_array(draw(st.lists(_changes, max_size=4)))),
        ("time", draw(_times)),
    ]


@st.composite
def _event(draw: st.DrawFn, *, first: bool) -> str:
    kind = "snapshot" if first else draw(st.sampled_from(["update", "update", "snapshot"]))
    fields = [
        ("type", json.dumps(kind)),
        ("product_id", json.dumps(BTC) if first else draw(_products)),
        ("updates", write_array(draw(st.lists(_updates, max_size=4)))),
    ]
    fault = draw(_faults)
    if fault == 0:
        fields[0] = (
            "type",
            draw(st.sampled_from(['"l2update"', '"Update"', '""', "null", "1", '["update"]'])),
        )
    elif fault == 1:
        del fields[draw(st.integers(0, 2))]
    elif fault == 2:
        return draw(st.sampled_from(GOOD_VALUES))
    elif fault == 3:
        fields[draw(st.integers(1, 2))] = (fields[1][0], draw(st.sampled_from(GOOD_VALUES)))
    return write_object(fields)


_first_events = st.lists(_event(first=True), min_size=1, max_size=1)
_events = st.lists(_event(first=False), max_size=3)


@st.composite
def _advanced_book_frame(draw: st.DrawFn, *, first: bool) -> Fields:
    return [
        ("channel", '"l2_data"'),
        ("timestamp", draw(_times)),
        ("events", write_array(draw(_first_events if first else _events))),
    ]


@st.composite
def _trade(draw: st.DrawFn, number: int) -> Fields:
    """Draw the fields of a trade, of either feed; mostly it has this number."""
    number = draw(st.sampled_from([*[number] * 30, 1, 2, number + 1, 999_999_999_999_999_999]))
    ids = [str(number), f'"{number}"', f'"{number:018d}"']
    side = draw(st.sampled_from(["bid", "ask"]))
    price, size = draw(_price_and_size(side))
    fields = [
        ("trade_id", draw(st.sampled_from(ids))),
        ("side", draw(st.sampled_from(['"buy"', '"sell"', '"BUY"', '"SELL"', '"Buy"']))),
        ("size", size),
        ("price", price),
        ("product_id", json.dumps(draw(st.sampled_from([*[BTC] * 30, *OTHER_PRODUCTS])))),
        ("time", draw(_times)),
    ]
    fault = draw(_faults)
    if fault == 0:
        del fields[draw(st.integers(0, 5))]
    elif fault == 1:
        fields[0] = (
            "trade_id",
            draw(st.sampled_from(['"1 "', '"7.0"', "01", "-1", "1.0", '""', "null", str(10**18)])),
        )
    elif fault == 2:
        fields.insert(draw(st.integers(0, 6)), draw(st.sampled_from(fields)))
    elif fault == 3:
        return draw(st.permutations(fields))
    return fields


@st.composite
def _exchange_trade_frame(draw: st.DrawFn, *, number: int) -> Fields:
    kind = draw(st.sampled_from(["match", "match", "last_match", "heartbeat"]))
    if kind == "heartbeat":
        last = draw(
            st.sampled_from([str(number), str(number), "0", "5", "9", "null", "-3", str(10**30), '"7"'])
        )
        return [("type", '"heartbeat"'), ("last_trade_id", last), ("product_id", draw(_products))]
    return [("type", json.dumps(kind)), *draw(_trade(number))]


@st.composite
def _advanced_trade_frame(draw: st.DrawFn, *, number: int) -> Fields:
    events = []
    for _ in range(draw(st.sampled_from([1, 1, 1, 0, 2]))):
        kind = draw(st.sampled_from(['"update"', '"update"', '"snapshot"']))
        numbers = range(number, number + draw(st.sampled_from([1, 1, 2, 3, 4, 0])))
        number = numbers.stop
        trades = [write_object(draw(_trade(each))) for each in reversed(numbers)]
        fields = [("type", kind), ("trades", write_array(trades))]
        fault = draw(_faults)
        if fault == 0:
            fields.reverse()
        elif fault == 1:
            del fields[draw(st.integers(0, 1))]
        elif fault == 2:
            fields.append(draw(st.sampled_from(fields)))
        elif fault == 3:
            fields[0] = ("type", draw(st.sampled_from(['"Update"', "null", "1"])))
        events.append(write_object(fields))
    return [("channel", '"market_trades"'), ("timestamp", draw(_times)), ("events", write_array(events))]


@st.composite
def _other_frame(draw: st.DrawFn) -> Fields:
    """Draw a frame of any type and channel, known to a feed or not."""
    names = st.sampled_from([*["error", "heartbeats"] * 6, *NAMES]).map(json.dumps)
    values = names | st.sampled_from(["null", "1", "[]", "{}", '["error"]'])
    fields = [
        (key, draw(values)) for key in draw(st.sampled_from([["type"], ["channel"], ["type", "channel"]]))
    ]
    return [*fields, ("message", '"Failed to subscribe"'), ("product_id", draw(_products))]


@st.composite
def _spoiled(draw: st.DrawFn, fields: Fields) -> str:
    """Write a frame with one fault or oddity; it is often still valid."""
    fields = list(fields)
    place = draw(st.integers(0, len(fields)))
    fault = draw(st.integers(0, 9))
    if fault == 0:
        fields.insert(place, ("extra", draw(st.sampled_from(GOOD_VALUES))))
    elif fault == 1:
        fields.insert(place, ("extra", draw(st.sampled_from(BAD_VALUES))))
    elif fault == 2:  # a duplicate key, before or after the field it repeats
        key = draw(st.sampled_from(fields))[0]
        fields.insert(place, (key, draw(st.sampled_from(GOOD_VALUES + BAD_VALUES + BAD_TIMES))))
    elif fault == 3:  # a duplicate of another good value
        fields.insert(place, draw(st.sampled_from(fields)))
        fields.insert(0, (fields[place][0], draw(st.sampled_from(['"snapshot"', '"l2_data"', '"x"', "[]"]))))
    elif fault == 4:
        del fields[place - 1]
    elif fault == 5:
        fields[place - 1] = (fields[place - 1][0], draw(st.sampled_from(GOOD_VALUES + BAD_VALUES)))
    elif fault == 6:
        text = write_object(fields)
        return text[: draw(st.integers(0, len(text)))]
    elif fault == 7:
        text = write_object(fields)
        ends = st.sampled_from(["", " ", "\n\t\r ", "\ufeff", "\u00a0", "x", "{}", "\x00", ",", "\x0b"])
        return draw(ends) + text + draw(ends)
    elif fault == 8:  # one key escaped, which is the same key
        key, value = fields[place - 1]
        fields[place - 1] = (f"\\u{ord(key[0]):04x}{key[1:]}", value)
    else:
        return draw(st.sampled_from(NOT_FRAMES))
    return write_object(draw(st.permutations(fields)) if draw(st.booleans()) else fields)


# Steps of sequence_num, mostly 1, and values of it that are not integers.
_steps = st.sampled_from([*[1] * 12, 0, 2, -3, 10**20])
_not_sequences = st.sampled_from(["null", "true", "false", "1.0", "2e0", '"3"', "[]"])


@st.composite
def _connected(draw: st.DrawFn, number: int) -> str:
    products = draw(st.sampled_from([[BTC], [BTC], [BTC, "ETH-USD"]]))
    return json.dumps({"id": f"c{number}", "url": "wss://localhost", "products": products, "subscribe": []})


_GAPS = [0, 0, 1, 1000, 50_000_000, 3_000_000_000, 7_777_777_777_777]
_KINDS = [
    *["book"] * 20,
    *["trades"] * 5,
    *["spoiled"] * 3,
    "connected",
    "disconnected",
    "other",
    "other",
    "book",
]


@st.composite
def tape_rows(draw: st.DrawFn, feed: str, max_rows: int = 25) -> list[Row]:
    """Draw the rows of BTC-USD on a tape of a feed, in order."""
    book_frame, trade_frame = _exchange_book_frame, _exchange_trade_frame
    if feed != "exchange":
        book_frame, trade_frame = _advanced_book_frame, _advanced_trade_frame
    time = START
    seq = draw(st.sampled_from([0, 4090, 2**40]))
    connection, sequence = -1, draw(st.sampled_from([0, 13, 2**63 - 3]))
    rows: list[Row] = []
    trade = 1
    for _ in range(draw(st.integers(1, max_rows))):
        time += draw(st.sampled_from(_GAPS))
        # Most tapes begin with `connected` and most connections with a snapshot, but not all.
        kind = draw(st.sampled_from(_KINDS if rows else ["connected", "connected", "connected", "book"]))
        if kind == "connected":
            connection += 1
            payload = draw(_connected(connection))
        elif kind == "disconnected":
            payload = '{"code":1006,"reason":"gap"}'
        else:
            first = bool(rows) and rows[-1].kind == "connected" and draw(st.sampled_from([True, True, False]))
            if kind in {"trades", "other"}:
                fields = draw(_other_frame() if kind == "other" else trade_frame(number=trade))
                trade += write_object(fields).count('"trade_id"')
            else:
                fields = draw(book_frame(first=first))
            if feed == "advanced":
                sequence += draw(_steps)
                number = draw(_not_sequences) if draw(st.integers(0, 40)) == 20 else str(sequence)
                fields.append(("sequence_num", number))
            payload = draw(_spoiled(fields)) if kind == "spoiled" else write_object(fields)
            kind = "frame"
        rows.append(Row(seq, time, max(connection, 0), kind, payload))
        seq += 1
    return rows
