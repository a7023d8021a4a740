"""Which products a frame names, and which errors refuse a product for good."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.venues.coinbase.frames import is_final, products_named


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        ('{"type":"l2update","product_id":"BTC-USD"}', ("BTC-USD",)),
        ('{ "product_id" :\n"BTC-USD" }', ("BTC-USD",)),
        (
            '{"events":[{"product_id":"ETH-USD"},{"trades":[{"product_id":"BTC-USD"}]}]}',
            ("ETH-USD", "BTC-USD"),
        ),
        ('{"a":{"product_id":"A"},"product_id":"B","b":[[{"product_id":"A"}]]}', ("A", "B")),
        ('{"note":"\\"","product_id":"BTC-USD"}', ("BTC-USD",)),
        ('{"product\\u005fid":"BTC-USD"}', ("BTC-USD",)),
        ('{"product_id":"BTC\\u002dUSD"}', ("BTC-USD",)),
        ('{"note":"\\"product_id\\":\\"BTC-USD\\""}', ()),
        ('{"type":"subscriptions","channels":[{"product_ids":["BTC-USD"]}]}', ()),
        ('{"product_id":null}', ()),
        ('{"product_id":7}', ()),
        ('{"product_id":["BTC-USD"]}', ()),
        ('{"product_id":"../x"}', ()),
        ('{"product_id":""}', ()),
        ('{"type":"heartbeat"}', ()),
        ('"product_id"', ()),
        ('{"product_id":"BTC-USD"', ()),
        ('{"product_id":"BTC-USD"} {}', ()),
        ("", ()),
        ('{"product_id":"BTC-USD","a":' + "[" * 100_000 + "]" * 100_000 + "}", ()),
    ],
)
def test_products_named(frame: str, named: tuple[str, ...]) -> None:
    """A frame names every product id under a key product_id, once, in order; other text names none."""
    assert products_named(frame) == named


def names_in(value: Any) -> list[str]:
    """Return the names in a value, as the contract words it."""
    if isinstance(value, list):
        return [name for inner in value for name in names_in(inner)]
    if not isinstance(value, dict):
        return []
    found = []
    for key, inner in value.items():
        found += [inner] if key == "product_id" and isinstance(inner, str) else []
        found += names_in(inner)
    return found


KEYS = st.sampled_from(["product_id", "product_ids", "a", '"', "\\", "product_id\\"])
VALUES = st.recursive(
    st.none()
    | st.integers()
    | st.sampled_from(["A", "BTC-USD", 'x"product_id":"B"', "\\", "é", "product_id"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(VALUES, st.booleans())
def test_products_named_at_any_depth(value: Any, ascii_only: bool) -> None:
    """Whatever a frame holds and however it is escaped, its names are those under the key."""
    names = dict.fromkeys(name for name in names_in(value) if name in ("A", "BTC-USD", "product_id"))
    expected = [name for name in names if "_" not in name]
    assert list(products_named(json.dumps(value, ensure_ascii=ascii_only))) == expected


FINAL = [
    "Failed to subscribe: BTC-USD is not a valid product",
    "btc-usd is not a valid product",
    "BTC-USD has been delisted",
    "Failed to subscribe: product not found",
    "invalid product id",
    "unknown product BTC-USD",
    "BTC-USD does not exist",
    "BTC-USD not found",
    "level2 is not a valid channel",
    "level2, level3, and full channels now require authentication. https://example.com",
    "Unauthorized",
    "invalid signature",
]
PASSING = [
    "Failed to subscribe: rate limit exceeded",
    "BTC-USD: too many subscriptions",
    "ErrSlowConsume: BTC-USD",
    "subscription limit for BTC-USD reached",
    "BTC-USD is temporarily unavailable, try again later",
    "Internal server error",
    "request timed out for BTC-USD",
    "BTC-USD is not valid for the heartbeat channel",
    "You need to specify at least one product ID for channel heartbeat",
    "ETH-BTC-USD not found",
    "BTC-USD is halted",
    "oops",
    "",
]


@pytest.mark.parametrize(
    ("text", "final"), [*((each, True) for each in FINAL), *((each, False) for each in PASSING)]
)
def test_which_errors_refuse_a_product_for_good(text: str, final: bool) -> None:
    """An error that may pass, or means something else, is none, whichever product it names."""
    assert is_final(text, "BTC-USD") == final


def test_the_name_of_a_product_does_not_excuse_it() -> None:
    """A product may be called like a word of the passing errors."""
    assert is_final("RATE-USD is not a valid product", "RATE-USD")
