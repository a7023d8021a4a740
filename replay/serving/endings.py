"""How a served socket ends: by a close frame where the tape has one, else by breaking. Pure."""

from typing import Final

from orderbook.marks import Disconnected
from recorder.printable import printable
from recorder.session import ENDED_BY_US

THE_END: Final = Disconnected(1000, "the end of the tape")
OVER: Final = Disconnected(1000, "the tape was served to its end; --loop begins again")
NOTHING: Final = Disconnected(1000, "the tape has nothing here")
DAMAGED: Final = Disconnected(1011, "the tape cannot be read")

_SENDABLE: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)} - {ENDED_BY_US})
"""Codes that a close frame can hold, and that are not our own word for an end without one."""

_REASON_BYTES: Final = 123  # what RFC 6455 leaves of a control frame


def close_frame(ending: Disconnected) -> tuple[int, str] | None:
    """Return code and reason of the close frame; None where the connection breaks without one.

    >>> close_frame(Disconnected(1012, "restart")), close_frame(Disconnected(1006, ""))
    ((1012, 'restart'), None)
    """
    if ending.code is None or ending.code not in _SENDABLE:
        return None
    return ending.code, ending.reason.encode()[:_REASON_BYTES].decode(errors="ignore")


def told(ending: Disconnected) -> str:
    """Return what a log line says of it."""
    frame = close_frame(ending)
    return f"{'drop' if frame is None else f'close {frame[0]}'} {printable(ending.reason)}".rstrip()
