"""The registry: every venue can be found by name, copied, and told by its frames."""

import pickle
from copy import deepcopy
from pathlib import Path

import pytest

from orderbook import venues
from orderbook.errors import BooktapeError
from orderbook.venues.registry import VENUE_NAMES, all_venues, venue

SHARED = {"coinbase"}
"""Folders that hold no venue, but what several venues share."""


def test_every_folder_is_registered() -> None:
    """Each venue has the name of its folder, and each folder is in the registry."""
    (root,) = venues.__path__
    folders = {path.parent.name for path in Path(root).glob("*/__init__.py")}
    assert folders - SHARED == set(VENUE_NAMES)
    assert [venue(name).name for name in VENUE_NAMES] == list(VENUE_NAMES)


def test_an_unknown_name_names_the_choices() -> None:
    """The error says what was typed and what can be typed instead."""
    with pytest.raises(BooktapeError, match="feed: 'kraken' is not known, use exchange or advanced"):
        venue("kraken")


@pytest.mark.parametrize("name", VENUE_NAMES)
def test_a_venue_travels_by_name(name: str) -> None:
    """Copies and pickles of a venue are the venue itself: the state of a book may be copied or sent."""
    known = venue(name)
    assert pickle.loads(pickle.dumps(known)) is known  # noqa: S301  made here
    assert deepcopy(known) is known


@pytest.mark.parametrize(
    ("frame", "name"),
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
def test_whose_book(frame: str, name: str | None) -> None:
    """Only frames with a book belong to a venue, and to one alone."""
    assert [each.name for each in all_venues() if each.holds_book(frame)] == ([name] if name else [])
