"""The top-level fields of a frame, raw: what it is can be told without reading what it holds."""

import msgspec
from msgspec import Raw

from orderbook.rawjson import check_depth, decode

_ABSENT = Raw()


class Envelope(msgspec.Struct):
    """The top-level fields of both dialects; an absent field is an empty `Raw`."""

    type: Raw = _ABSENT
    channel: Raw = _ABSENT
    product_id: Raw = _ABSENT
    time: Raw = _ABSENT
    timestamp: Raw = _ABSENT
    sequence_num: Raw = _ABSENT
    bids: Raw = _ABSENT
    asks: Raw = _ABSENT
    changes: Raw = _ABSENT
    events: Raw = _ABSENT
    message: Raw = _ABSENT
    reason: Raw = _ABSENT


_ENVELOPE = msgspec.json.Decoder(Envelope)


def open_envelope(text: str) -> Envelope:
    """Check that a frame is JSON as the contract wants it, return its fields. O(length).

    Raises:
        MalformedError: where it is no JSON object, or nests too deep.
    """
    envelope = decode(_ENVELOPE, text, "not a JSON object")
    check_depth(text)
    return envelope
