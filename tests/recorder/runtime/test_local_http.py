"""A server of this machine answers programs, and pages of this machine, but no page of another site."""

import pytest

from recorder.runtime.local_http import refusal


@pytest.mark.parametrize(
    ("host", "origin", "bound", "is_answered"),
    [
        ("127.0.0.1:9400", None, "127.0.0.1", True),
        ("localhost", None, "127.0.0.1", True),
        ("LOCALHOST:80", None, "127.0.0.1", True),
        ("tape.localhost:1", None, "127.0.0.1", True),
        ("[::1]:9400", None, "::1", True),
        (None, None, "127.0.0.1", True),  # HTTP/1.0
        ("evil.example:9400", None, "127.0.0.1", False),
        ("evil.example", None, "localhost", False),
        ("localhost.evil.example", None, "127.0.0.1", False),
        ("127.0.0.1.evil.example", None, "127.0.0.1", False),
        ("192.168.1.5", None, "127.0.0.1", False),
        ("[", None, "127.0.0.1", False),
        ("evil.example\\@localhost", None, "127.0.0.1", False),
        ("evil.example@localhost:80", None, "127.0.0.1", False),
        ("localhost/.evil.example", None, "127.0.0.1", False),
        ("localhost#.evil.example", None, "127.0.0.1", False),
        ("127.0.0.1", "http://evil.example", "127.0.0.1", False),
        ("127.0.0.1", "null", "127.0.0.1", False),
        ("127.0.0.1", "http://127.0.0.1:3000", "127.0.0.1", True),
        ("recorder.lan:9400", None, "0.0.0.0", True),  # noqa: S104  open to the network on purpose
        ("recorder.lan:9400", "http://evil.example", "0.0.0.0", False),  # noqa: S104
        ("recorder.lan:9400", None, "recorder.lan", True),
    ],
)
def test_who_is_answered(host: str | None, origin: str | None, bound: str, is_answered: bool) -> None:
    """The Host must be this machine, if only it can connect; an Origin must be of this machine."""
    assert (refusal(host, origin, bound) is None) is is_answered
