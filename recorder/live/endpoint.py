"""The address and channel under which a feed is recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from orderbook.errors import BooktapeError
from orderbook.venues.base import Venue
from orderbook.venues.registry import venue
from recorder.live.redaction import without_secrets

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class FeedError(BooktapeError):
    """The exchange refused a subscription, nothing was received, or the address of a feed is invalid."""

    @classmethod
    def of(cls, failures: Mapping[str, str]) -> Self:
        """Return the error that names products, each with what went wrong."""
        return cls("; ".join(f"{product}: {reason}" for product, reason in failures.items()))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Address and channel of a feed.

    Attributes:
        feed: name of the venue.
        url: wss://..., or ws:// on this machine.
        channel: channel of the book.
    """

    feed: str
    url: str
    channel: str

    @property
    def venue(self) -> Venue:
        """The venue of the feed."""
        return venue(self.feed)

    @property
    def public_url(self) -> str:
        """The address to show and to keep: without the values of its query, of which one may be a token."""
        return without_secrets(self.url)


def endpoint(feed: str, url: str | None = None, channel: str | None = None) -> Endpoint:
    """Return the endpoint of a feed; None stands for its usual address or channel.

    Raises:
        UnknownVenueError: if there is no such feed.
        FeedError: if the address is not a WebSocket address, or neither encrypted nor on this machine.
    """
    known = venue(feed)
    chosen = Endpoint(feed, url or known.url, channel or known.book_channels[0])
    if "@" in chosen.url.partition("//")[2].partition("/")[0]:
        raise FeedError(
            "the address of a feed is written to the tape and must not contain a user or password"
        )
    try:
        address = parse_uri(chosen.url)
    except (InvalidURI, ValueError):
        raise FeedError(f"{chosen.public_url!r} is not a ws:// or wss:// address") from None
    if not address.secure and address.host not in _LOOPBACK:
        raise FeedError(f"{chosen.public_url}: only a feed on this machine may be unencrypted; use wss://")
    return chosen
