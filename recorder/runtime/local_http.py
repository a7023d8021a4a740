"""Which HTTP requests a server on this machine answers: not those that a web page makes in a browser.

A page of any site can send requests to 127.0.0.1, and read the answers by DNS rebinding under its own name.
Such a request has the page's `Origin`, or that name in `Host`.
"""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

_HOST: Final = re.compile(r"(?:\[[^\[\]]*\]|[^\[\]/\\?#@:]*)(?::[0-9]*)?")
"""A name or an address, and maybe a port: nothing that is read differently elsewhere."""


def refusal(host: str | None, origin: str | None, bound: str) -> str | None:
    """Return why a request is refused; None if it is answered.

    Args:
        host: its `Host`.
        origin: its `Origin`; a client that is no browser sends none.
        bound: address that the server was told to bind.
    """
    name = "localhost" if host is None else _name(f"//{host}") if _HOST.fullmatch(host) else "?"
    # A server that is open to the network has names that only the network knows.
    if _is_loopback(bound) and name != bound.lower() and not _is_ours(name):
        return "the Host is not this machine"
    if origin is not None and not _is_ours(_name(origin)):
        return "a page of another site asks"
    return None


def _name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return "?"


def _is_ours(name: str) -> bool:
    return name.endswith(".localhost") or _is_loopback(name)


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return name == "localhost"
