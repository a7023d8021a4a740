"""Faults injected into a served tape, to test how a client recovers."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, cast

from orderbook.errors import OptionError

FaultKind = Literal["drop", "stall", "garbage"]

GARBAGE: Final = '{"type":"l2update","product_id":"'
"""A truncated frame, which is not JSON."""

_FAULT = re.compile(r"(drop|stall|garbage)@([0-9]{1,9}(?:\.[0-9]{1,9})?)")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault on a client's connection.

    Attributes:
        kind: `drop` breaks the connection, `stall` sends nothing more on it and answers no ping, `garbage`
            sends a frame that is not JSON and continues.
        after: seconds of real time after the client's subscribe message.
    """

    kind: FaultKind
    after: float


def parse_fault(text: str) -> Fault:
    """Parse a fault such as `drop@2.5`.

    Raises:
        OptionError: if it is not one.

    >>> parse_fault("drop@2.5")
    Fault(kind='drop', after=2.5)
    """
    match = _FAULT.fullmatch(text)
    if match is None:
        reason = f"{text!r} is none of drop@SECONDS, stall@SECONDS, garbage@SECONDS, such as drop@2.5"
        raise OptionError(reason, option="faults", value=text)
    return Fault(cast("FaultKind", match[1]), float(match[2]))


class PendingFaults:
    """The faults still to come: each happens once, on the first connection that lasts long enough."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._pending = list(faults)

    @property
    def pending(self) -> tuple[Fault, ...]:
        """The faults that have not happened."""
        return tuple(self._pending)

    def claim(self, fault: Fault) -> bool:
        """Claim a fault for a connection; return False if another connection has claimed it."""
        if fault not in self._pending:
            return False
        self._pending.remove(fault)
        return True
