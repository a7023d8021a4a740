"""The state that the clients of a served tape share."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.tape.writer import TapeWriter
from replay.running.window import Window
from replay.serving.served_tape import ClientPositions, ServedTape, ServeError, Subscription
from tests.support.constants import SAMPLE, START

SUBSCRIPTIONS = [
    Subscription(frozenset(["BTC-USD"])),
    Subscription(frozenset(["BTC-USD"]), has_books=False),
    Subscription(frozenset(["BTC-USD", "ETH-USD"])),
]


@given(st.lists(st.tuples(st.sampled_from(SUBSCRIPTIONS), st.none() | st.integers(0, 9)), max_size=30))
def test_positions_are_handed_on_in_order(steps: list[tuple[Subscription, int | None]]) -> None:
    """The position freed first is taken first, only by an equal subscription, and 0 if none is free."""
    positions, freed = ClientPositions(), list[tuple[Subscription, int]]()
    for subscription, position in steps:
        if position is not None:
            positions.release(subscription, position)
            freed.append((subscription, position))
            continue
        mine = [each for each in freed if each[0] == subscription]
        assert positions.take(subscription) == (mine[0][1] if mine else 0)
        if mine:
            freed.remove(mine[0])


def test_a_tape_without_a_row_is_refused(tmp_path: Path) -> None:
    """The error does not mention a window if nothing was recorded."""
    TapeWriter.open(tmp_path / "tape", "exchange", ["BTC-USD"], "a test").close()
    with pytest.raises(ServeError, match="the tape has no row"):
        ServedTape(tmp_path / "tape")


def test_a_window_without_a_row_is_refused() -> None:
    """There is nothing to serve after the end of a tape."""
    with pytest.raises(ServeError, match="no connection between"):
        ServedTape(SAMPLE, window=Window(start=START))
