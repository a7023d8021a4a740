"""Rows that mark a connection's begin and end can be read back; unreadable ones say nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.connection_marks import Connected, Disconnected, encode_mark, read_connected, read_disconnected


@given(st.builds(Connected), st.builds(Disconnected))
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
