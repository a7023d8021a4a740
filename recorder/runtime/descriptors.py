"""Open files: a process may have so many at once, and a job of many products needs several for each."""

import resource
from typing import Final

from orderbook.errors import BooktapeError

_OTHERS: Final = 64
"""Of the process itself: its streams and libraries, the segments that are being sealed, a server beside."""

_AT_MOST: Final = 8
"""Of a product: a segment, its journals, a socket, and the files of a RUN."""


def allow_open_files(products: int, each: int) -> None:
    """Raise the soft limit of this process, if need be, so that it can work on some products at once.

    Args:
        products: how many.
        each: open files and sockets that each of them needs.

    Raises:
        BooktapeError: if the hard limit is too low; better now than when half of them are open.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = products * _AT_MOST + _OTHERS
    if soft == resource.RLIM_INFINITY or wanted <= soft:
        return
    if hard != resource.RLIM_INFINITY:
        needed = products * each + _OTHERS
        if needed > hard:
            fitting = max(0, hard - _OTHERS) // each
            raise BooktapeError(
                f"{products:,} products need {needed:,} open files and sockets, this process may have "
                f"{hard:,}: raise its limit (`ulimit -Hn`, `LimitNOFILE` of a service), or name "
                f"{fitting:,} products at most"
            )
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
