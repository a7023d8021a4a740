"""The payloads of `connected` and `disconnected` rows: where a connection begins and ends."""

import msgspec


class Connected(msgspec.Struct, frozen=True):
    """How a connection began; it never holds a secret.

    Attributes:
        id: unique per connection; the same for all products that share one.
        url: where it went.
        products: what was subscribed on it.
        subscribe: the messages that were sent, without keys.
    """

    id: str = ""
    url: str = ""
    products: list[str] = []
    subscribe: list[str] = []

    @property
    def is_shared(self) -> bool:
        """Whether the connection serves several products."""
        return len(self.products) > 1


class Disconnected(msgspec.Struct, frozen=True):
    """How a connection ended: a WebSocket close code (None where nobody knows) and why."""

    code: int | None = None
    reason: str = ""


_CONNECTED = msgspec.json.Decoder(Connected)
_DISCONNECTED = msgspec.json.Decoder(Disconnected)


def encode_mark(mark: Connected | Disconnected) -> str:
    """Return the payload of a row."""
    return msgspec.json.encode(mark).decode()


def read_connected(payload: str) -> Connected:
    """Read a `connected` row; one that no recorder of ours wrote tells nothing."""
    try:
        return _CONNECTED.decode(payload)
    except msgspec.DecodeError:
        return Connected()


def read_disconnected(payload: str) -> Disconnected:
    """Read a `disconnected` row; one that no recorder of ours wrote tells nothing."""
    try:
        return _DISCONNECTED.decode(payload)
    except msgspec.DecodeError:
        return Disconnected(None, "an unreadable row")
