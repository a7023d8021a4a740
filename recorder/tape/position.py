"""Where a product's tape goes on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """Where a product's tape goes on: the numbers of its next row and connection, its last recv_time."""

    seq: int = 0
    connection: int = 0
    recv_time: int = 0
