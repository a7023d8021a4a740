"""The conversation on one connection without I/O: what a frame means for the connection."""

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.feeds import Feed
from recorder.session import ENDED_BY_US, Ending, Refusal, Session
from tests.recorder.rows import BTC
from tests.replay import tapes

GAP = Ending(ENDED_BY_US, "gap")
ERROR = json.dumps({"type": "error", "message": "Failed to subscribe", "reason": "not for you"})


def numbered(number: object, channel: str = "heartbeats") -> str:
    """Return an Advanced frame with a number."""
    return json.dumps({"channel": channel, "sequence_num": number, "events": []})


def advanced_snapshot(product: str, number: int = 0) -> str:
    """Return an Advanced snapshot."""
    event = {"type": "snapshot", "product_id": product, "updates": []}
    return json.dumps({"channel": "l2_data", "sequence_num": number, "events": [event]})


def book_snapshot(feed: Feed, product: str) -> str:
    """Return a snapshot in a dialect."""
    return tapes.snapshot(product) if feed == "exchange" else advanced_snapshot(product)


def verdicts(session: Session, texts: Iterable[str]) -> list[Ending | Refusal | None]:
    """Return what each frame means."""
    return [session.take(text) for text in texts]


# Numbers


@given(st.lists(st.integers(0, 12), max_size=12), st.booleans())
def test_a_jump_over_any_frames_is_a_gap(numbers: list[int], served: bool) -> None:
    """On Advanced Trade a frame of any channel that does not count on from the one before is a gap."""
    channels = ("heartbeats", "l2_data", "subscriptions", "status", "nobody knows")
    texts = [numbered(number, channels[place % 5]) for place, number in enumerate(numbers)]
    expected = [
        GAP if place and number != numbers[place - 1] + 1 else None for place, number in enumerate(numbers)
    ]
    assert verdicts(Session("advanced", BTC, was_served=served), texts) == expected


def test_numbers_of_every_size_and_type() -> None:
    """A number beyond 64 bits counts like any other; what is no integer is none."""
    first = 2**64 - 1
    session = Session("advanced", BTC, was_served=True)
    odd: list[object] = [None, "7", 1.5, True, []]
    texts = [numbered(each) for each in (first, *odd, first + 1, first + 2, first + 4)]
    assert verdicts(session, texts) == [None] * 8 + [GAP]


def test_the_exchange_feed_has_no_counter() -> None:
    """On the Exchange feed no number is looked at, whatever the field is called."""
    session = Session("exchange", BTC, was_served=False)
    texts = [json.dumps({"type": "heartbeat", "sequence_num": n, "sequence": n}) for n in (1, 9, 2, 2)]
    assert verdicts(session, texts) == [None] * 4


def test_a_new_connection_counts_anew() -> None:
    """The first number of a connection is never a gap."""
    for first in (0, 5, 10**6):
        assert verdicts(Session("advanced", BTC, was_served=True), [numbered(first)]) == [None]


# Refusals


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_an_error_before_the_first_snapshot_is_a_refusal(feed: Feed) -> None:
    """An error frame before any snapshot says that the subscription was refused, and why."""
    refused = Session(feed, BTC, was_served=False).take(ERROR)
    assert isinstance(refused, Refusal)
    assert "Failed to subscribe: not for you" in refused.text


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_an_error_after_the_first_snapshot_is_only_told(feed: Feed) -> None:
    """An error frame after a snapshot, of this connection or an earlier one, does not end anything."""
    session = Session(feed, BTC, was_served=False)
    assert verdicts(session, [book_snapshot(feed, BTC), ERROR]) == [None, None]
    assert session.is_served
    again = Session(feed, BTC, was_served=True)
    assert verdicts(again, [ERROR, book_snapshot(feed, "ETH-USD"), ERROR]) == [None] * 3
    assert again.is_served


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_an_answer_under_another_name_is_named(feed: Feed) -> None:
    """Snapshots of another product than the one that was asked for are a refusal that names it."""
    session = Session(feed, "BTC-USDC", was_served=False)
    refused = session.take(book_snapshot(feed, BTC))
    assert isinstance(refused, Refusal)
    assert BTC in refused.text.replace("BTC-USDC", "").split(", ")[0]
    assert not session.is_served


def test_only_snapshots_are_an_answer() -> None:
    """Acknowledgements, heartbeats and updates that name other products refuse nothing and serve nothing."""
    session = Session("advanced", BTC, was_served=False)
    update = {"type": "update", "product_id": "ETH-USD", "updates": []}
    texts = [
        json.dumps({"channel": "subscriptions", "events": [{"subscriptions": {"level2": ["ETH-USD"]}}]}),
        json.dumps({"channel": "l2_data", "events": [update]}),
        json.dumps({"channel": "ticker", "events": [{"type": "snapshot", "product_id": "ETH-USD"}]}),
    ]
    assert verdicts(session, texts) == [None] * 3
    assert not session.is_served


def test_a_reason_cannot_steer_the_terminal() -> None:
    """What the exchange says stays on one line of printable characters, and short."""
    frame = json.dumps({"type": "error", "message": "\x1b[31m\nno\r\u202e", "reason": "x" * 10_000})
    refused = Session("exchange", BTC, was_served=False).take(frame)
    assert isinstance(refused, Refusal)
    assert refused.text.isprintable()
    assert len(refused.text) < 500


# Text that is no message


MALFORMED = ["", "no JSON", "[1]", "null", '{"type":"error"', '{"a":"\\ud800"}', "[" * 100_000, '{"a":' * 99]


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
@pytest.mark.parametrize("text", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_text_is_not_the_connections_fault(feed: Feed, text: str) -> None:
    """Text that is no JSON object means nothing for the connection, before and after the snapshot."""
    session = Session(feed, BTC, was_served=False)
    assert verdicts(session, [text, book_snapshot(feed, BTC), text]) == [None] * 3
    assert session.is_served


@given(st.text(max_size=60) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_no_text_raises(text: str) -> None:
    """Whatever text comes, a judgement is returned and nothing is raised."""
    for feed in ("exchange", "advanced"):
        assert Session(feed, BTC, was_served=False).take(text) is None
