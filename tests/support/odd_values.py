"""Texts of fields and frames, valid and invalid: what a feed sends, and what it should never send."""

import json
from typing import Final

# Few prices and sizes, so that levels are often changed, emptied, crossed and locked.

_PRICE_GRID = ("99.99", "100", "100.01", "100.02", "100.1", "101", "0.00000001", "9999999999.99999999")
_SIZE_GRID = (
    *("0.1", "1", "1.5", "2", "0.000000000000000001", "999999999999999999.999999999999999999"),
    *("9999999999.99999999", "10000000000", "9999999999.999999991"),  # around the largest size without a rest
)
ZEROS = ("0", "0.0", "0.00000000", "000", "000000000000000000.000000000000000000")


def spellings(number: str, digits: int, decimals: int) -> list[str]:
    """Return a number with zeros before and after it, within the limits on digits."""
    whole, _, fraction = number.partition(".")
    wholes = [whole, "0" + whole, whole.zfill(digits)]
    fractions = [fraction, (fraction or "0") + "0", fraction.ljust(decimals, "0")]
    spelled = [f"{before}.{after}" if after else before for before in wholes for after in fractions]
    limits = (text for text in spelled if len(text.partition(".")[0]) <= digits)
    return [text for text in dict.fromkeys(limits) if len(text.partition(".")[2]) <= decimals]


GOOD_PRICES: Final = [text for number in _PRICE_GRID for text in spellings(number, 10, 30)]
GOOD_SIZES: Final = [text for number in _SIZE_GRID for text in spellings(number, 18, 18)]

_NOT_NUMBERS = (
    *("", " ", "1e5", "1E5", "+1", "-1", "-0", ".5", "1.", "1,5", "0x1", "1_0", " 1", "1 ", "1\n", "--1"),
    *("NaN", "nan", "Infinity", "inf", "null", "١٢٣", "1٢", "１", "1.٢", "²", "1.5.5", "\u00001"),
)
BAD_PRICES: Final = [
    *(json.dumps(text) for text in _NOT_NUMBERS),
    *('"0"', '"0.0"', '"0.000000001"', '"1.123456789"', '"1.0000000001"', '"10000000000"', '"00000000001"'),
    *("1", "1.5", "0", "null", "true", "[]", '["1"]', "{}", "NaN", "1e5"),
]
BAD_SIZES: Final = [
    *(json.dumps(text) for text in _NOT_NUMBERS),
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
    *('"2026-01-01T00:00:00Z "', '" 2026-01-01T00:00:00Z"', '"2026-01-01T00:00:00Z\\n"'),
    *('"20260101T000000Z"',),
    *('"2026-W01-1T00:00:00Z"', '"٢٠٢٦-01-01T00:00:00Z"', '"2026-01-01T00:00:00.٥Z"'),
    *('"+026-01-01T00:00:00Z"',),
    *('"2026-01-01T00:00:00.-1Z"', '"2026-01-01T00:00:00. 1Z"', '"2026-01-01T00:00:00.1_0Z"', '"T"', '""'),
    *("null", "0", "1786309548506659391", "1.5", "[]", "{}", "true", '["2026-01-01T00:00:00Z"]'),
]


def nest(depth: int) -> str:
    """Return containers nested to a depth, arrays and objects in turn."""
    opened = ["[" if level % 2 else '{"a":' for level in range(depth - 1)] + ["["]
    closed = ["]"] + ["]" if level % 2 else "}" for level in reversed(range(depth - 1))]
    return "".join(opened + closed)


# Values of fields that no decoder reads. The frame around them is one container more.
GOOD_VALUES: Final = [
    *("null", "true", "0", "-0", "1e400", "-1.5E+3", "0.1e-400", "123456789012345678901234567890", "[]"),
    *("{}",),
    *('""', '"\\u00e9\\n\\/"', '"\\ud83d\\ude00"', '"é😀\u2028"', '"[[[{{{"', '[[{"a":[1,{}]}]]'),
    *('{"a":1,"a":2}',),
    *('"\\\\ud800"', '"\x7f"', '"\\\\"', " [ 1 ,\t2\n]\r", nest(63)),
]
BAD_VALUES: Final = [
    *("NaN", "Infinity", "-Infinity", "[NaN]", "01", "+1", "1.", ".5", "-", "1e", "0x10", "tru", "True"),
    *("None",),
    *('"\\ud800"', '"\\udc00"', '"\\ude00\\ud83d"', '"\\ud83d\\u0041"', '["\\uD800"]', '{"\\ud800":1}'),
    *('"\\x41"', '"\\u12"', '"\\u+123"', '"a\tb"', '"\x00"', '"\n"', "'x'", '"', "[1,]", '{"a":1,}', "{1:2}"),
    *("[1 2]", '{"a" 1}', "[", "]", "}", "", "1,2", "/**/1", "\u00a01", "\ufeff1", "١", "[\u20281]"),
    *(nest(64), nest(65), nest(2000), "[" * 2000, '{"a":{"b":NaN}}', '{"a":"\\ud800","a":1}'),
]

# Texts that are not frames.
NOT_FRAMES: Final = [
    *("", " ", "null", "true", "1", '"text"', "[]", '[{"type":"l2update"}]', "{", "}", "{}", "not JSON"),
    *("\x00",),
    *("NaN", "{}{}", '{"type":null}', '{"channel":1}', '{"type":["error"],"channel":{}}', "\ufeff{}"),
    *("[" * 2000,),
    *('{"sequence_num":1}', '"\\ud800"', '{"type":"error"', "{'type':'error'}", '{"type":"error",}'),
]

NAMES: Final = [
    *("subscriptions", "heartbeat", "heartbeats", "status", "ticker", "ticker_batch", "candles", "error"),
    *("match", "last_match", "received", "open", "done", "change", "activate", "balance", "auction"),
    *("rfq_match",),
    *("market_trades", "user", "futures_balance_summary", "snapshot", "l2update", "l2_data"),
    *("level2", "level2_batch", "l2_data ", "L2UPDATE", "unknown", "", "type"),
]
