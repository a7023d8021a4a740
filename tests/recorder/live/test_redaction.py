"""Secrets in texts: none is left, and nothing else is changed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.live.endpoint import endpoint
from recorder.live.redaction import REMOVED, Redaction, without_secrets
from tests.recorder.live.test_credentials import environment
from tests.support.commands import booktape
from tests.support.constants import BTC
from tests.support.tapes import snapshot, update


@pytest.mark.parametrize(
    "text",
    [
        "no connection to wss://canary:canary@host:1/feed (refused)",
        "wss://canary@host",
        "canary:canary@proxy:3128: scheme isn't one of http",
        "http://user:ca/na?ry#canary@proxy is not a proxy",
        "'wss://host/feed?token=canary&key=canary#canary' is not an address",
        "wss://host/?canary=canary",
        "ws://127.0.0.1/?a=1&token=canary)",
        "'ws://127.0.0.1:1/#token=canary' is not a ws:// or wss:// address",
    ],
)
def test_nothing_of_a_secret_is_left_of_an_address(text: str) -> None:
    """Users, passwords and values of queries are cut from whatever text quotes an address."""
    assert "=canary" not in without_secrets(text)
    assert "canary@" not in without_secrets(text)
    assert "***" in without_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        "wss://ws-feed.exchange.coinbase.com",
        "ws://[::1]:80/path",
        "no connection to wss://a.b (x: 5)",
        "a = 1",
    ],
)
def test_other_addresses_are_as_they_were(text: str) -> None:
    """An address without a secret is shown whole."""
    assert without_secrets(text) == text


def test_a_token_is_not_kept() -> None:
    """The address that a tape holds has the names of its query, and no value."""
    url = "wss://example.com/feed?token=canary&compress=1"
    assert endpoint("exchange", url).public_url == "wss://example.com/feed?token=***&compress=***"
    assert endpoint("exchange", url).url == url


@pytest.mark.parametrize("name", ["https_proxy", "all_proxy"])
@pytest.mark.parametrize(
    "proxy", ["http://me:canary@127.0.0.1:9", "me:canary@host:1", "ftp://me:can/ary@host"]
)
def test_a_proxy_is_shown_without_its_password(name: str, proxy: str) -> None:
    """Whatever is wrong with the proxy of the environment, its password is not in the error."""
    url = "wss://127.0.0.1:1/feed?token=canary"
    done = booktape("live", BTC, "--url", url, "--duration", "1s", env=environment(**{name: proxy}))
    assert "canary" not in done.stderr + done.stdout
    assert "can/ary" not in done.stderr + done.stdout
    assert "Error: " in done.stderr


@given(
    st.text(st.characters(codec="utf-8"), min_size=16, max_size=40).filter(
        lambda text: text.strip("0123456789.")
    ),
    st.text(),
    st.text(),
    st.booleans(),
)
def test_a_long_secret_is_removed_from_anywhere(
    secret: str, before: str, after: str, ascii_only: bool
) -> None:
    """A long secret is removed from plain text and from JSON, whatever stands around it."""
    hide = Redaction([secret])
    assert secret not in hide(before + secret + after).replace(REMOVED, "")
    frame = json.dumps({"a": before, "key": secret, "b": after}, ensure_ascii=ascii_only)
    found = json.loads(hide(frame))
    assert (found["key"], REMOVED in hide(frame)) == (REMOVED, True)


@pytest.mark.parametrize("secret", ["1", "100", "BTC", "buy", "12345678"])
def test_a_short_secret_changes_no_number(secret: str) -> None:
    """A passphrase that is part of a number or a word is no reason to change a frame."""
    hide = Redaction([secret])
    for text in (
        snapshot("BTCX-USD", [["100.5", "12345678.1"]]),
        update("X-BTCUSD", ("sell", "2100", "0.100")),
    ):
        assert hide(text) is text or hide(text) == text
    assert hide(f'"passphrase":"{secret}"') == f'"passphrase":"{REMOVED}"'
