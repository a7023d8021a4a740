"""Whether a book is live, without a clock: by heartbeats, by trades, by the product's own pace."""

from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.live.book_liveness import BookLiveness, ProductPast

LIMIT: Final = 10.0


def live_book(past: ProductPast | None = None) -> BookLiveness:
    """Return a book whose snapshot came at time 0."""
    book = BookLiveness(LIMIT, past or ProductPast(), 0.0)
    book.snapshot(0.0)
    return book


def times_of_problems(book: BookLiveness, seconds: range) -> list[int]:
    """Return the seconds at which something is wrong."""
    return [now for now in seconds if book.problem(float(now)) is not None]


def test_a_book_is_live_while_heartbeats_say_that_nothing_happens() -> None:
    """A quiet product is left alone for a day if neither number of its heartbeats rises."""
    book = live_book(ProductPast(updates=1_000, longest_silence=0.1))
    for now in range(1, 86_400):
        book.progress(float(now), 7, 3)
        assert book.problem(float(now)) is None


@pytest.mark.parametrize("numbers", [(1, 0), (0, 1), (1, 1)])
def test_a_book_is_dead_if_something_happens_and_no_update_comes(numbers: tuple[int, int]) -> None:
    """Orders or trades without an update end the connection, `LIMIT` seconds after they were told."""
    book = live_book()
    for now in range(1, 13):
        book.progress(float(now), now * numbers[0], now * numbers[1])
        assert book.problem(float(now)) is None
    book.progress(13.0, 0, 0)
    assert book.problem(13.0) == "dead book"


EVENTS: Final = st.lists(
    st.tuples(st.floats(0.01, 4.0), st.sampled_from(("update", "beat", "order", "trade"))), max_size=60
)


@given(EVENTS)
def test_the_judgement_is_that_of_the_definition(events: list[tuple[float, str]]) -> None:
    """Dead: two heartbeats after the last update differ, and the later one is older than the limit."""
    book, now = live_book(), 0.0
    beats: list[tuple[float, int, int]] = []
    last_update, orders, trades = 0.0, 0, 0
    for wait, kind in events:
        now += wait
        if kind == "update":
            book.update(now)
            last_update = now
        else:
            orders += kind == "order"
            trades += kind == "trade"
            book.progress(now, orders, trades)
            beats.append((now, orders, trades))
        since = [beat for beat in beats if beat[0] >= last_update]
        rises = [two[0] for one, two in pairwise(since) if one[1:] != two[1:]]
        expected = any(now - rise > LIMIT for rise in rises)
        assert (book.problem(now) == "dead book") == expected
        if expected:
            return


def test_without_heartbeats_the_usual_pace_decides() -> None:
    """A silence ten times as long as the longest of late is a dead book, once the pace is known."""
    book = live_book()
    for number in range(1, 30):
        book.update(number * 2.0)
    assert times_of_problems(book, range(59, 100))[0] == 58 + 20 + 1
    few = live_book()
    for number in range(1, 10):
        few.update(number * 2.0)
    assert times_of_problems(few, range(19, 1_000))[0] == 18 + 600 + 1


def test_a_long_silence_is_forgotten_in_time() -> None:
    """One quiet hour does not excuse a dead book for ever: after some thousand updates it counts no more."""
    book = live_book()
    book.update(3600.0)
    now = 3600.0
    for _ in range(40_000):
        now += 0.1
        book.update(now)
    assert book.problem(now + LIMIT + 1) == "dead book"


def test_a_slow_product_is_given_its_time_on_the_next_connection() -> None:
    """The pace outlives a connection."""
    past = ProductPast()
    book = live_book(past)
    for number in range(1, 30):
        book.update(number * 100.0)
    again = live_book(past)
    assert times_of_problems(again, range(1, 2_000, 10))[0] == 1001


def test_heartbeats_that_stop_hand_over_to_the_pace() -> None:
    """If heartbeats stop while other frames come, the silence of the book is judged again."""
    book = live_book()
    for number in range(1, 30):
        book.update(number * 0.5)
    for second in range(15, 100):
        book.progress(float(second), 7, 3)
        assert book.problem(float(second)) is None
    assert times_of_problems(book, range(99, 120))[0] == 99 + 10 + 1


def test_no_snapshot() -> None:
    """Without a snapshot the time is up after the limit; each failure doubles it, up to 8 times."""
    past = ProductPast()
    waited = []
    for _ in range(6):
        book = BookLiveness(LIMIT, past, 0.0)
        second = next(now for now in range(10_000) if book.problem(float(now)) is not None)
        waited.append(second - 1)
    assert waited == [10, 20, 40, 80, 80, 80]


def test_patience_ends_with_a_book_that_lives() -> None:
    """A snapshot alone does not take doubled patience back, an update does; a trade never waits longer."""
    past = ProductPast(without_book=2)
    book = live_book(past)
    assert book.problem(1.0) is None
    assert past.without_book == 2
    book.progress(1.0, 1, 1)
    book.progress(2.0, 2, 1)
    assert book.problem(2.0 + 3 * LIMIT) is None
    book.progress(3.0, 3, 2)
    assert book.problem(3.5 + LIMIT) == "dead book"
    assert past.without_book == 3
    book = live_book(past)
    book.update(1.0)
    assert book.problem(1.0) is None
    assert past.without_book == 0


def test_an_error_leaves_a_fifth_of_the_time() -> None:
    """After an error message the snapshot must come soon; one that comes settles it."""
    book = BookLiveness(LIMIT, ProductPast(), 0.0)
    book.error(1.0)
    assert book.problem(2.9) is None
    assert book.problem(3.1) == "no snapshot"
    book = BookLiveness(LIMIT, ProductPast(), 0.0)
    book.error(1.0)
    book.snapshot(2.0)
    assert book.problem(9.0) is None
