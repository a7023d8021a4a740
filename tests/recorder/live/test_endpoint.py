"""Addresses of feeds: which are refused, and that no password in one is repeated."""

from pathlib import Path

import pytest

from orderbook.venues.registry import VENUE_NAMES, venue
from recorder.live.endpoint import FeedError, endpoint
from tests.recorder.live.test_credentials import assert_clean, environment
from tests.support.commands import booktape
from tests.support.constants import BTC


@pytest.mark.parametrize("feed", VENUE_NAMES)
def test_defaults_and_changes(feed: str) -> None:
    """Without an address or a channel the venue's own is used; with one it replaces that alone."""
    usual = endpoint(feed)
    assert (usual.url, usual.channel) == (venue(feed).url, venue(feed).book_channels[0])
    assert usual.url.startswith("wss://")
    changed = endpoint(feed, "ws://[::1]:80/path")
    assert (changed.url, changed.channel, changed.venue) == ("ws://[::1]:80/path", usual.channel, venue(feed))
    assert (endpoint(feed, channel="level2").url, endpoint(feed, channel="x").channel) == (usual.url, "x")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1", "127.0.0.1", "ws://", "wss:example.com", "ws://127.0.0.1:x"]
)
def test_what_is_not_an_address_is_refused(url: str) -> None:
    """An address without ws:// or wss://, a host or a valid port is refused."""
    with pytest.raises(FeedError, match="is not a ws:// or wss:// address"):
        endpoint("exchange", url)


@pytest.mark.parametrize(
    "url", ["wss://canary-user:canary-word@example.com", "ws://canary@127.0.0.1:1", "wss://:canary@[::1]"]
)
def test_a_password_in_the_address_is_refused(tmp_path: Path, url: str) -> None:
    """An address with a user or a password is wrong usage, and is not repeated."""
    done = booktape("record", BTC, "-o", tmp_path / "tape", "--url", url, env=environment())
    assert (done.returncode, done.stdout) == (2, "")
    assert "--url" in done.stderr
    assert_clean("stderr", done.stderr)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "url",
    [
        "ws://ws-feed.exchange.coinbase.com",
        "ws://10.0.0.1",
        "ws://0.0.0.0:1",
        "ws://127.0.0.1.nip.io",
        "ws://localhost.example.com",
        "WS://example.com",
        "ws://[::ffff:10.0.0.1]:1",
    ],
)
def test_an_unencrypted_feed_of_elsewhere_is_refused(url: str) -> None:
    """ws:// is accepted only for this machine, however the address is spelled."""
    with pytest.raises(FeedError):
        endpoint("exchange", url)
