"""Open files: a process may have so many at once, and many products, or other processes, need more."""

import resource
from collections.abc import Sequence
from typing import Final

from orderbook.errors import BooktapeError

_OTHERS: Final = 64
"""Of the process itself: its streams and libraries, the segments that are being sealed, a server beside."""

_AT_MOST: Final = 8
"""Of a product: a segment, its journals, a socket, and the files of a RUN. Of a process: its pipes."""


def allow_open_files(number: int, each: int, noun: str = "product") -> None:
    """Raise the soft limit of this process, if need be, so that it can work on some products at once.

    Args:
        number: how many.
        each: open files and sockets that each of them needs.
        noun: what needs them.

    Raises:
        BooktapeError: if the hard limit is too low; better now than when half of them are open.
    """
    fitting = products_at_once(number, each)
    if fitting < number:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        nouns = f"{noun}es" if noun.endswith("s") else f"{noun}s"
        needed = f"{number:,} {f'{noun} needs' if number == 1 else f'{nouns} need'}"
        fewer = f", or name {fitting:,} {noun if fitting == 1 else nouns} at most" if fitting else ""
        raise BooktapeError(
            f"{needed} {number * each + _OTHERS:,} open files and sockets, this process may have {hard:,}: "
            f"raise its limit (`ulimit -Hn`, `LimitNOFILE` of a service){fewer}"
        )


def products_at_once(products: int, each: int) -> int:
    """Raise the soft limit of this process, if need be; return on how many products it can work at once.

    Args:
        products: how many there are.
        each: open files and sockets that each of them needs.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = products * _AT_MOST + _OTHERS
    if soft == resource.RLIM_INFINITY or wanted <= soft:
        return products
    if hard == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return products
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    return min(products, max(0, hard - _OTHERS) // each)


def groups_at_once(products: Sequence[str], each: int) -> list[tuple[str, ...]]:
    """Return the products in groups that can be worked on one after another, see `products_at_once`."""
    size = max(products_at_once(len(products), each), 1)
    return [tuple(products[start : start + size]) for start in range(0, len(products), size)]
