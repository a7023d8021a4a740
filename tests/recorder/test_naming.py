"""Which products a frame names, and which feed it is of."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.naming import feed_of, products_named


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


@pytest.mark.parametrize(
    ("frame", "feed"),
    [
        ('{"type":"snapshot","product_id":"BTC-USD"}', "exchange"),
        ('{"product_id":"BTC-USD","type":"l2update"}', "exchange"),
        ('{"channel":"l2_data","events":[]}', "advanced"),
        ('{"type":"ticker"}', None),
        ('{"channel":"ticker","events":[{"type":"snapshot"}]}', None),
        ('{"type":["snapshot"]}', None),
        ('{"channel":{"l2_data":1}}', None),
        ("[]", None),
        ("no JSON", None),
        ("", None),
    ],
)
def test_feed_of(frame: str, feed: str | None) -> None:
    """Only frames of the book tell the feed."""
    assert feed_of(frame) == feed
