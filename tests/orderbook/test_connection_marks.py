"""Rows that mark a connection's begin and end can be read back; unreadable ones say nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from orderbook.connection_marks import Connected, Disconnected, encode_mark, read_connected, read_disconnected

COUNTS = st.integers(0, 2**62 - 1)
MARKS = st.builds(
    Disconnected,
    code=st.none() | st.integers(0, 2**16 - 1),
    gaps=st.just(UNSET) | COUNTS,
    clamped=st.just(UNSET) | COUNTS,
    clamped_s=st.just(UNSET) | st.floats(0, 2**33),
    oddities=st.just(UNSET) | st.dictionaries(st.from_regex(r"\A[a-z_]{1,40}\Z"), COUNTS),
)
ODD = (
    *('{"code": -1}', '{"code": 65536}', '{"gaps": -5}', '{"clamped": 1e400}', '{"clamped_s": 1e308}'),
    *('{"oddities": {"trade_gaps": -3}}', '{"oddities": {"\\u001b[31mred": 1}}', '{"gaps": %s}' % 2**70),
)


@given(st.builds(Connected), MARKS)
def test_marks_are_read_back(connected: Connected, disconnected: Disconnected) -> None:
    """The payload of a row holds everything of its mark."""
    assert read_connected(encode_mark(connected)) == connected
    assert read_disconnected(encode_mark(disconnected)) == disconnected


@pytest.mark.parametrize("payload", ["", "no JSON", "[]", '{"id": 5, "code": "x"}', '{"a":' * 10**5])
def test_unreadable_marks(payload: str) -> None:
    """A row of another recorder claims no product, so that no sequence number is checked by mistake."""
    assert read_connected(payload) == Connected()
    assert not read_connected(payload).is_shared
    assert read_disconnected(payload) == Disconnected(None, "an unreadable row")


@pytest.mark.parametrize("payload", ODD)
def test_what_cannot_be_true_is_not_believed(payload: str) -> None:
    """Counts below 0, codes that no socket has and names that are none make a row unreadable."""
    assert read_disconnected(payload) == Disconnected(None, "an unreadable row")
