"""A connection of several products is put back together: each frame once, in the order of the connection."""

import json
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from orderbook.venues.registry import venue
from replay.serving.merging import StoredFrame, merged

Frame = tuple[int, str, tuple[str, ...]]
"""A frame of a connection: its time, its text, and the products that store it."""

PRODUCTS = ("P", "Q", "R")


def stored(frames: list[Frame]) -> dict[str, Iterator[StoredFrame]]:
    """Return the rows of every product as an import stores them: times never go back within a product."""
    rows: dict[str, list[StoredFrame]] = {product: [] for product in PRODUCTS}
    for time, text, products in frames:
        for product in products:
            lane = rows[product]
            lane.append(StoredFrame(max(time, lane[-1].recv_time) if lane else time, text))
    return {product: iter(lane) for product, lane in rows.items()}


@st.composite
def connection(draw: st.DrawFn, feed: str) -> list[Frame]:
    """Draw a connection: frames of one product, several or none, equal texts, clocks that go back."""
    frames: list[Frame] = []
    time = 100
    for number in range(draw(st.integers(0, 12))):
        time += draw(st.integers(-2, 4))
        named = draw(st.lists(st.sampled_from(PRODUCTS), unique=True, max_size=2))
        body: dict[str, object] = {"events": [{"product_id": product} for product in named]}
        body |= {"sequence_num": number} if feed == "advanced" else {"n": draw(st.integers(0, 1))}
        frames.append((time, json.dumps(body), tuple(sorted(named)) or PRODUCTS))
    return frames


@given(connection("advanced"))
def test_numbered_frames_keep_their_order(frames: list[Frame]) -> None:
    """On the Advanced feed the merged frames are those of the connection, one for one."""
    found = list(merged([stored(frames)], venue("advanced")))
    assert [each.text for each in found] == [text for _, text, _ in frames]
    assert [tuple(sorted(each.products)) for each in found] == [products for *_, products in frames]


@given(connection("exchange"))
def test_frames_without_numbers_come_once(frames: list[Frame]) -> None:
    """On the Exchange feed each frame comes once, by product in order, and times never go back."""
    found = list(merged([stored(frames)], venue("exchange")))
    assert len(found) == len(frames)
    for product in PRODUCTS:
        assert [each.text for each in found if product in each.products] == [
            text for _, text, products in frames if product in products
        ]
    times = [each.recv_time for each in found]
    assert times == sorted(times)


def test_connections_are_merged_by_time() -> None:
    """Equal texts of different connections are different frames."""
    lanes = [
        {"P": iter([StoredFrame(1, "a"), StoredFrame(4, "b")])},
        {"Q": iter([StoredFrame(1, "a"), StoredFrame(3, "c")])},
    ]
    found = [(each.recv_time, each.text, each.products) for each in merged(lanes, venue("exchange"))]
    assert found == [(1, "a", ("P",)), (1, "a", ("Q",)), (3, "c", ("Q",)), (4, "b", ("P",))]
