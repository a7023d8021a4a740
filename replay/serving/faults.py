"""Faults that a served tape is given, so that a client's recovery can be seen."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, cast

FaultKind = Literal["drop", "stall", "garbage"]

GARBAGE: Final = '{"type":"l2update","product_id":"'
"""A frame that was cut off: no JSON in either dialect."""

_FAULT = re.compile(r"(drop|stall|garbage)@([0-9]{1,9}(?:\.[0-9]{1,9})?)")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, so many seconds after a client's subscribe.

    Attributes:
        kind: `drop` breaks the connection, `stall` says nothing more on it and answers no ping, `garbage`
            sends a frame that is no JSON and goes on.
        after: seconds of real time.
    """

    kind: FaultKind
    after: float


def parse_fault(text: str) -> Fault | None:
    """Read `drop@2.5`; None where it is no fault.

    >>> parse_fault("drop@2.5")
    Fault(kind='drop', after=2.5)
    """
    match = _FAULT.fullmatch(text)
    return Fault(cast("FaultKind", match[1]), float(match[2])) if match else None


class PendingFaults:
    """The faults that have not happened: each does once, on the first connection that lasts so long."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._pending = list(faults)

    @property
    def pending(self) -> tuple[Fault, ...]:
        """What may still happen."""
        return tuple(self._pending)

    def take(self, fault: Fault) -> bool:
        """Claim a fault; False where another connection had it."""
        if fault not in self._pending:
            return False
        self._pending.remove(fault)
        return True
