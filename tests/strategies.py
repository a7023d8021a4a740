"""Hypothesis strategies: the rows of one product, as good and as bad as a feed can send them.

Frames are written as text, key by key, because what is to be tried (duplicate keys, odd spellings,
text that is no JSON) is lost as soon as it has been a dict.
"""

import json
from typing import Any, Final

from hypothesis import strategies as st

from tests.oracle import Row

PRODUCT: Final = "BTC-USD"
OTHERS: Final = ("ETH-USD", "BTC-USDC", "btc-usd", "")

START_TIME: Final = 1_786_309_548_000_000_000

# Numbers. A grid of few prices and sizes, so that levels meet, empty, cross and lock.

_PRICE_GRID = ("99.99", "100", "100.01", "100.02", "100.1", "101", "0.00000001", "9999999999.99999999")
_SIZE_GRID = ("0.1", "1", "1.5", "2", "0.000000000000000001", "999999999999999999.999999999999999999")
_ZEROS = ("0", "0.0", "0.00000000", "000", "000000000000000000.000000000000000000")


def _spellings(number: str, digits: int, decimals: int) -> list[str]:
    """Return a number with zeros before and after it, within the limits of digits."""
    whole, _, fraction = number.partition(".")
    wholes = [whole, "0" + whole, whole.zfill(digits)]
    fractions = [fraction, (fraction or "0") + "0", fraction.ljust(decimals, "0")]
    spelled = [f"{before}.{after}" if after else before for before in wholes for after in fractions]
    limits = (text for text in spelled if len(text.partition(".")[0]) <= digits)
    return [text for text in dict.fromkeys(limits) if len(text.partition(".")[2]) <= decimals]


GOOD_PRICES: Final = [text for number in _PRICE_GRID for text in _spellings(number, 10, 30)]
GOOD_SIZES: Final = [text for number in _SIZE_GRID for text in _spellings(number, 18, 18)]

_NO_NUMBERS = (
    *("", " ", "1e5", "1E5", "+1", "-1", "-0", ".5", "1.", "1,5", "0x1", "1_0", " 1", "1 ", "1\n", "--1"),
    *("NaN", "nan", "Infinity", "inf", "null", "١٢٣", "1٢", "１", "1.٢", "²", "1.5.5", "\u00001"),
)
BAD_PRICES: Final = [
    *(json.dumps(text) for text in _NO_NUMBERS),
    *('"0"', '"0.0"', '"0.000000001"', '"1.123456789"', '"1.0000000001"', '"10000000000"', '"00000000001"'),
    *("1", "1.5", "0", "null", "true", "[]", '["1"]', "{}", "NaN", "1e5"),
]
BAD_SIZES: Final = [
    *(json.dumps(text) for text in _NO_NUMBERS),
    *('"1234567890123456789"', '"12345678901234567890"', '"0000000000000000000"'),
    *('"0.0000000000000000000"', '"1.1234567890123456789"', '"1.0000000000000000000"'),
    *("1", "1.5", "0", "null", "false", "[]", '["1"]', "{}", "Infinity", "1e5"),
]

BAD_SIDES: Final = ['""', '"Buy"', '"SELL"', '"buy "', '"both"', "null", "1", "[]", '["buy"]', "{}"]

TIMES: Final = [
    *('"2026-08-09T21:05:48.506659391Z"', '"2018-04-24T04:51:29.989Z"', '"2026-11-22T00:00:00Z"'),
    *('"1970-01-01T00:00:00Z"', '"2262-04-11T23:47:16.854775807Z"', '"2024-02-29T23:59:59.9Z"'),
    *('"2024-02-29T23:59:59.900000000\\u005a"', '"2026-08-09T21:05:48.000000001Z"'),
]
BAD_TIMES: Final = [
    *('"2262-04-11T23:47:16.854775808Z"', '"2262-04-12T00:00:00Z"', '"1969-12-31T23:59:59.999999999Z"'),
    *('"0001-01-01T00:00:00Z"', '"0000-01-01T00:00:00Z"', '"9999-12-31T23:59:59Z"'),
    *('"2023-02-29T00:00:00Z"', '"2026-13-01T00:00:00Z"', '"2026-01-01T24:00:00Z"'),
    *('"2016-12-31T23:59:60Z"', '"2026-01-01T00:60:00Z"', '"2026-01-00T00:00:00Z"'),
    *('"2026-01-01T00:00:00.Z"', '"2026-01-01T00:00:00.1234567890Z"', '"2026-01-01T00:00:00"'),
    *('"2026-01-01T00:00:00z"', '"2026-01-01t00:00:00Z"', '"2026-01-01 00:00:00Z"', '"2026-01-01T00:00Z"'),
    *('"2026-01-01T00:00:00+00:00"', '"2026-01-01T00:00:00.5+00:00"', '"2026-01-01T00:00:00,5Z"'),
    *(
        '"2026-01-01T00:00:00Z "',
        '" 2026-01-01T00:00:00Z"',
        '"2026-01-01T00:00:00Z\\n"',
        '"20260101T000000Z"',
    ),
    *(
        '"2026-W01-1T00:00:00Z"',
        '"٢٠٢٦-01-01T00:00:00Z"',
        '"2026-01-01T00:00:00.٥Z"',
        '"+026-01-01T00:00:00Z"',
    ),
    *('"2026-01-01T00:00:00.-1Z"', '"2026-01-01T00:00:00. 1Z"', '"2026-01-01T00:00:00.1_0Z"', '"T"', '""'),
    *("null", "0", "1786309548506659391", "1.5", "[]", "{}", "true", '["2026-01-01T00:00:00Z"]'),
]


def nest(depth: int) -> str:
    """Return containers nested to a depth, arrays and objects in turn."""
    opened = ["[" if level % 2 else '{"a":' for level in range(depth - 1)] + ["["]
    closed = ["]"] + ["]" if level % 2 else "}" for level in reversed(range(depth - 1))]
    return "".join(opened + closed)


# Values of fields that nobody reads. The frame is one container around them.
GOOD_VALUES: Final = [
    *(
        "null",
        "true",
        "0",
        "-0",
        "1e400",
        "-1.5E+3",
        "0.1e-400",
        "123456789012345678901234567890",
        "[]",
        "{}",
    ),
    *(
        '""',
        '"\\u00e9\\n\\/"',
        '"\\ud83d\\ude00"',
        '"é😀\u2028"',
        '"[[[{{{"',
        '[[{"a":[1,{}]}]]',
        '{"a":1,"a":2}',
    ),
    *('"\\\\ud800"', '"\x7f"', '"\\\\"', " [ 1 ,\t2\n]\r", nest(63)),
]
BAD_VALUES: Final = [
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "[NaN]",
        "01",
        "+1",
        "1.",
        ".5",
        "-",
        "1e",
        "0x10",
        "tru",
        "True",
        "None",
    ),
    *('"\\ud800"', '"\\udc00"', '"\\ude00\\ud83d"', '"\\ud83d\\u0041"', '["\\uD800"]', '{"\\ud800":1}'),
    *('"\\x41"', '"\\u12"', '"\\u+123"', '"a\tb"', '"\x00"', '"\n"', "'x'", '"', "[1,]", '{"a":1,}', "{1:2}"),
    *("[1 2]", '{"a" 1}', "[", "]", "}", "", "1,2", "/**/1", "\u00a01", "\ufeff1", "١", "[\u20281]"),
    *(nest(64), nest(65), nest(2000), "[" * 2000, '{"a":{"b":NaN}}', '{"a":"\\ud800","a":1}'),
]

# Texts that are no frame at all.
NO_FRAMES: Final = [
    *(
        "",
        " ",
        "null",
        "true",
        "1",
        '"text"',
        "[]",
        '[{"type":"l2update"}]',
        "{",
        "}",
        "{}",
        "not JSON",
        "\x00",
    ),
    *(
        "NaN",
        "{}{}",
        '{"type":null}',
        '{"channel":1}',
        '{"type":["error"],"channel":{}}',
        "\ufeff{}",
        "[" * 2000,
    ),
    *('{"sequence_num":1}', '"\\ud800"', '{"type":"error"', "{'type':'error'}", '{"type":"error",}'),
]

NAMES: Final = [
    *("subscriptions", "heartbeat", "heartbeats", "status", "ticker", "ticker_batch", "candles", "error"),
    *(
        "match",
        "last_match",
        "received",
        "open",
        "done",
        "change",
        "activate",
        "balance",
        "auction",
        "rfq_match",
    ),
    *("market_trades", "user", "futures_balance_summary", "snapshot", "l2update", "l2_data"),
    *("level2", "level2_batch", "l2_data ", "L2UPDATE", "unknown", "", "type"),
]

Fields = list[tuple[str, str]]
"""The keys of an object with the JSON text of each value; keys may repeat."""


def write_object(fields: Fields) -> str:
    """Return a JSON object of keys and value texts, in this order."""
    return "{" + ",".join(f'"{key}":{value}' for key, value in fields) + "}"


def write_array(items: list[str]) -> str:
    """Return a JSON array of value texts."""
    return "[" + ",".join(items) + "]"


_products = st.sampled_from([*[PRODUCT] * 6, *OTHERS]).map(json.dumps)
# Low prices are mostly bids and high ones mostly asks: books stand more often than they cross.
_LOW = _spellings("99.99", 10, 30) + _spellings("100", 10, 30) + _spellings("0.00000001", 10, 30)
_HIGH = _spellings("100.1", 10, 30) + _spellings("101", 10, 30) + _spellings("9999999999.99999999", 10, 30)
_prices = {"bid": st.sampled_from(_LOW * 10 + GOOD_PRICES), "ask": st.sampled_from(_HIGH * 10 + GOOD_PRICES)}
_sizes = st.sampled_from([*["1", "1", "2"] * 6, *GOOD_SIZES, *_ZEROS * 2])
_times = st.sampled_from([*TIMES * 4, *BAD_TIMES])
# Which spoiling to apply, mostly none: 0 to 3 lie in the middle, as Hypothesis likes the ends of a range.
_spoilings = st.sampled_from([*[-1] * 100, 0, 1, 2, 3, *[-1] * 100])


@st.composite
def _price_and_size(draw: st.DrawFn, side: str) -> tuple[str, str]:
    price, size = json.dumps(draw(_prices[side])), json.dumps(draw(_sizes))
    spoil = draw(_spoilings)
    if spoil == 0:
        price = draw(st.sampled_from(BAD_PRICES))
    elif spoil == 1:
        size = draw(st.sampled_from(BAD_SIZES))
    elif spoil == 2:
        price = '"' + "".join(f"\\u{ord(character):04x}" for character in json.loads(price)) + '"'
    return price, size


@st.composite
def _array_level(draw: st.DrawFn, side: str, words: tuple[str, ...]) -> str:
    """Draw an exchange level, or a change where there are words for its side."""
    items = list(draw(_price_and_size(side)))
    if words:
        items.insert(0, json.dumps(draw(st.sampled_from(words))))
    spoil = draw(_spoilings)
    if spoil == 0:
        items.append('"1"')
    elif spoil == 1:
        items.pop()
    elif spoil == 2:
        return draw(st.sampled_from(GOOD_VALUES))
    elif spoil == 3 and words:
        items[0] = draw(st.sampled_from([*BAD_SIDES, '"bid"', '"offer"', '"ask"']))
    return write_array(items)


@st.composite
def _object_level(draw: st.DrawFn) -> str:
    """Draw an advanced update."""
    word = draw(st.sampled_from(["bid", "offer", "ask", "bid"]))
    price, size = draw(_price_and_size("bid" if word == "bid" else "ask"))
    fields = [
        ("side", json.dumps(word)),
        ("event_time", '"2026-08-09T21:05:48.264069Z"'),
        ("price_level", price),
        ("new_quantity", size),
    ]
    spoil = draw(_spoilings)
    if spoil == 0:
        fields[0] = ("side", draw(st.sampled_from([*BAD_SIDES, '"buy"', '"sell"'])))
    elif spoil == 1:
        del fields[draw(st.integers(0, 3))]
    elif spoil == 2:
        return draw(st.sampled_from(GOOD_VALUES))
    elif spoil == 3:
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
            ("product_id", json.dumps(PRODUCT) if first else draw(_products)),
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
        ("product_id", json.dumps(PRODUCT) if first else draw(_products)),
        ("updates", write_array(draw(st.lists(_updates, max_size=4)))),
    ]
    spoil = draw(_spoilings)
    if spoil == 0:
        fields[0] = (
            "type",
            draw(st.sampled_from(['"l2update"', '"Update"', '""', "null", "1", '["update"]'])),
        )
    elif spoil == 1:
        del fields[draw(st.integers(0, 2))]
    elif spoil == 2:
        return draw(st.sampled_from(GOOD_VALUES))
    elif spoil == 3:
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
def _other_frame(draw: st.DrawFn) -> Fields:
    """Draw a frame of any type and channel, on either feed's list or on none."""
    names = st.sampled_from([*["error", "heartbeats"] * 6, *NAMES]).map(json.dumps)
    values = names | st.sampled_from(["null", "1", "[]", "{}", '["error"]'])
    fields = [
        (key, draw(values)) for key in draw(st.sampled_from([["type"], ["channel"], ["type", "channel"]]))
    ]
    return [*fields, ("message", '"Failed to subscribe"'), ("product_id", draw(_products))]


@st.composite
def _spoiled(draw: st.DrawFn, fields: Fields) -> str:
    """Write a frame with something odd about it, which often leaves it a good frame."""
    fields = list(fields)
    place = draw(st.integers(0, len(fields)))
    spoil = draw(st.integers(0, 9))
    if spoil == 0:
        fields.insert(place, ("extra", draw(st.sampled_from(GOOD_VALUES))))
    elif spoil == 1:
        fields.insert(place, ("extra", draw(st.sampled_from(BAD_VALUES))))
    elif spoil == 2:  # a duplicate key, before or after the field it repeats
        key = draw(st.sampled_from(fields))[0]
        fields.insert(place, (key, draw(st.sampled_from(GOOD_VALUES + BAD_VALUES + BAD_TIMES))))
    elif spoil == 3:  # a duplicate of another good value
        fields.insert(place, draw(st.sampled_from(fields)))
        fields.insert(0, (fields[place][0], draw(st.sampled_from(['"snapshot"', '"l2_data"', '"x"', "[]"]))))
    elif spoil == 4:
        del fields[place - 1]
    elif spoil == 5:
        fields[place - 1] = (fields[place - 1][0], draw(st.sampled_from(GOOD_VALUES + BAD_VALUES)))
    elif spoil == 6:
        text = write_object(fields)
        return text[: draw(st.integers(0, len(text)))]
    elif spoil == 7:
        text = write_object(fields)
        ends = st.sampled_from(["", " ", "\n\t\r ", "\ufeff", "\u00a0", "x", "{}", "\x00", ",", "\x0b"])
        return draw(ends) + text + draw(ends)
    elif spoil == 8:  # one key escaped: still the same key
        key, value = fields[place - 1]
        fields[place - 1] = (f"\\u{ord(key[0]):04x}{key[1:]}", value)
    else:
        return draw(st.sampled_from(NO_FRAMES))
    return write_object(draw(st.permutations(fields)) if draw(st.booleans()) else fields)


# What follows the last sequence_num: mostly the next one, else one that jumps or is no integer.
_steps = st.sampled_from([*[1] * 12, 0, 2, -3, 10**20])
_no_sequence = st.sampled_from(["null", "true", "false", "1.0", "2e0", '"3"', "[]"])


@st.composite
def _connected(draw: st.DrawFn, number: int) -> str:
    products = draw(st.sampled_from([[PRODUCT], [PRODUCT], [PRODUCT, "ETH-USD"]]))
    opened: dict[str, Any] = {
        "id": f"c{number}",
        "url": "wss://localhost",
        "products": products,
        "subscribe": [],
    }
    return json.dumps(opened)


_GAPS = [0, 0, 1, 1000, 50_000_000, 3_000_000_000, 7_777_777_777_777]


_KINDS = [
    *["book"] * 20,
    "spoiled",
    "spoiled",
    "spoiled",
    "connected",
    "disconnected",
    "other",
    "other",
    "book",
]


@st.composite
def tape_rows(draw: st.DrawFn, feed: str, max_rows: int = 25) -> list[Row]:
    """Draw the rows of `PRODUCT` on a tape of the feed, in order."""
    book_frame = _exchange_book_frame if feed == "exchange" else _advanced_book_frame
    time = START_TIME
    seq = draw(st.sampled_from([0, 4090, 2**40]))
    connection, sequence = -1, draw(st.sampled_from([0, 13, 2**63 - 3]))
    rows: list[Row] = []
    for _ in range(draw(st.integers(1, max_rows))):
        time += draw(st.sampled_from(_GAPS))
        # Most tapes open with `connected` and most connections with a snapshot; all else must be survived.
        kind = draw(st.sampled_from(_KINDS if rows else ["connected", "connected", "connected", "book"]))
        if kind == "connected":
            connection += 1
            payload = draw(_connected(connection))
        elif kind == "disconnected":
            payload = '{"code":1006,"reason":"gap"}'
        else:
            first = bool(rows) and rows[-1].kind == "connected" and draw(st.sampled_from([True, True, False]))
            fields = draw(_other_frame() if kind == "other" else book_frame(first=first))
            if feed == "advanced":
                sequence += draw(_steps)
                number = draw(_no_sequence) if draw(st.integers(0, 40)) == 20 else str(sequence)
                fields.append(("sequence_num", number))
            payload = draw(_spoiled(fields)) if kind == "spoiled" else write_object(fields)
            kind = "frame"
        rows.append(Row(seq, time, max(connection, 0), kind, payload))
        seq += 1
    return rows
