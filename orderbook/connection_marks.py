"""The payloads of `connected` and `disconnected` rows, which mark where a connection begins and ends."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from orderbook.venues.rawjson import UNREADABLE

# What can be true; a row that says something else is of no recorder that counts.
_Code = Annotated[int, msgspec.Meta(ge=0, lt=2**16)]
_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, lt=2**34)]
_Name = Annotated[str, msgspec.Meta(pattern=r"\A[a-z_]{1,40}\Z")]


class Origin(msgspec.Struct, frozen=True):
    """Where a merge took consecutive rows of a connection from.

    Attributes:
        tape: name of the tape.
        connection, id: number and id of the connection there.
        first_seq: seq of the first of these rows on the merged tape.
        rows: number of rows.
        from_, to: recv_time of the first of them and of the last frame on the merged tape, ISO.
        shift_s: seconds that were added to their recv_time, as the clock of their recorder was wrong.
    """

    tape: str
    connection: _Count
    id: str
    first_seq: _Count
    rows: _Count
    from_: str = msgspec.field(name="from")
    to: str
    shift_s: float = 0.0


class Connected(msgspec.Struct, frozen=True):
    """How a connection began; it never holds a secret.

    Attributes:
        id: unique to the connection; the same on the rows of all products that share it.
        url: its address.
        products: the products that were subscribed to.
        subscribe: the messages that were sent, without keys.
        origins: of a merged tape, where its rows are from, in order: each continues the book of the one
            before, on a connection of another recorder; the fields above are those of the first.
        made_from: of an import whose frames are not those that were received, what they were made from.
    """

    id: str = ""
    url: str = ""
    products: list[str] = []
    subscribe: list[str] = []
    origins: list[Origin] | UnsetType = UNSET
    made_from: str | UnsetType = UNSET

    @property
    def is_shared(self) -> bool:
        """Whether the connection serves several products, whose rows together hold all of its messages."""
        return len(self.products) > 1 and self.origins is UNSET

    @property
    def counts_alone(self) -> bool:
        """Whether the rows of one product hold all messages that one sequence of numbers counts."""
        return len(self.products) == 1 and (self.origins is UNSET or len(self.origins) == 1)

    @property
    def is_merged_from_several(self) -> bool:
        """Whether a merge made it of connections whose numbers its rows cannot prove."""
        return self.origins is not UNSET and (len(self.products) > 1 or len(self.origins) > 1)


class Disconnected(msgspec.Struct, frozen=True):
    """How a connection ended, and what only its recorder can know of it.

    Attributes:
        code: WebSocket close code; None if it is unknown.
        reason: the reason.
        gaps: number of gaps in the sequence numbers of all products together, in the order received; not set
            if one product alone has the connection, or no frame has a number.
        clamped, clamped_s: number of rows whose time was before that of the product's row before and was
            raised to it, and by how many seconds at most; not set if there is none.
        oddities: what was odd and left the book as it is, see `orderbook.anomalies`; not set if nothing was.
    """

    code: _Code | None = None
    reason: str = ""
    gaps: _Count | UnsetType = UNSET
    clamped: _Count | UnsetType = UNSET
    clamped_s: _Seconds | UnsetType = UNSET
    oddities: dict[_Name, _Count] | UnsetType = UNSET


_CONNECTED = msgspec.json.Decoder(Connected)
_DISCONNECTED = msgspec.json.Decoder(Disconnected)


def encode_mark(mark: Connected | Disconnected) -> str:
    """Return the payload of a row."""
    return msgspec.json.encode(mark).decode()


def read_connected(payload: str) -> Connected:
    """Read a `connected` row; an unreadable one, of another recorder, returns empty fields."""
    try:
        return _CONNECTED.decode(payload)
    except UNREADABLE:
        return Connected()


def read_disconnected(payload: str) -> Disconnected:
    """Read a `disconnected` row; an unreadable one, of another recorder, returns no code."""
    try:
        return _DISCONNECTED.decode(payload)
    except UNREADABLE:
        return Disconnected(None, "an unreadable row")
