"""A connection of several products is put back together: each frame once, in the order of the connection."""

import json
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from orderbook.feeds import Feed
from replay.serving.merging import Row, merged

Frame = tuple[int, str, tuple[str, ...]]
"""What a connection said: when, what, and which products store it."""

PRODUCTS = ("P", "Q", "R")


def stored(frames: list[Frame]) -> dict[str, Iterator[Row]]:
    """Return the rows of every product as an import stores them: times never go back within a product."""
    rows: dict[str, list[Row]] = {product: [] for product in PRODUCTS}
    for time, text, products in frames:
        for product in products:
            lane = rows[product]
            lane.append(Row(max(time, lane[-1].recv_time) if lane else time, text))
    return {product: iter(lane) for product, lane in rows.items()}


@st.composite
def said(draw: st.DrawFn, feed: Feed) -> list[Frame]:
    """Make a connection: frames of one product, of several or of none, equal texts, clocks that go back."""
    frames: list[Frame] = []
    time = 100
    for number in range(draw(st.integers(0, 12))):
        time += draw(st.integers(-2, 4))
        named = draw(st.lists(st.sampled_from(PRODUCTS), unique=True, max_size=2))
        body: dict[str, object] = {"events": [{"product_id": product} for product in named]}
        body |= {"sequence_num": number} if feed == "advanced" else {"n": draw(st.integers(0, 1))}
        frames.append((time, json.dumps(body), tuple(sorted(named)) or PRODUCTS))
    return frames


@given(said("advanced"))
def test_numbered_frames_keep_their_order(frames: list[Frame]) -> None:
    """On the Advanced feed the merged frames are those of the connection, one for one."""
    found = list(merged([stored(frames)], "advanced"))
    assert [each.text for each in found] == [text for _, text, _ in frames]
    assert [tuple(sorted(each.products)) for each in found] == [products for *_, products in frames]


@given(said("exchange"))
def test_frames_without_numbers_come_once(frames: list[Frame]) -> None:
    """On the Exchange feed each frame comes once, by product in order, and times never go back."""
    found = list(merged([stored(frames)], "exchange"))
    assert len(found) == len(frames)
    for product in PRODUCTS:
        assert [each.text for each in found if product in each.products] == [
            text for _, text, products in frames if product in products
        ]
    times = [each.recv_time for each in found]
    assert times == sorted(times)


def test_connections_are_merged_by_time() -> None:
    """Equal texts of different connections are different frames."""
    lanes = [{"P": iter([Row(1, "a"), Row(4, "b")])}, {"Q": iter([Row(1, "a"), Row(3, "c")])}]
    found = [(each.recv_time, each.text, each.products) for each in merged(lanes, "exchange")]
    assert found == [(1, "a", ("P",)), (1, "a", ("Q",)), (3, "c", ("Q",)), (4, "b", ("P",))]
