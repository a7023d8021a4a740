"""The top-level fields of a frame, raw: what it is can be told without reading what it holds."""

import msgspec
from msgspec import Raw

from orderbook.rawjson import check_depth, decode

ABSENT = Raw()
"""What a field is that the frame does not have."""


class Envelope(msgspec.Struct):
    """The top-level fields of both dialects; an absent field is an empty `Raw`."""

    type: Raw = ABSENT
    channel: Raw = ABSENT
    product_id: Raw = ABSENT
    time: Raw = ABSENT
    timestamp: Raw = ABSENT
    sequence_num: Raw = ABSENT
    bids: Raw = ABSENT
    asks: Raw = ABSENT
    changes: Raw = ABSENT
    events: Raw = ABSENT
    message: Raw = ABSENT
    reason: Raw = ABSENT


_ENVELOPE = msgspec.json.Decoder(Envelope)


def open_envelope(text: str) -> Envelope:
    """Check that a frame is JSON as the contract wants it, return its fields. O(length).

    Raises:
        MalformedError: where it is no JSON object, or nests too deep.
    """
    envelope = decode(_ENVELOPE, text, "not a JSON object")
    check_depth(text)
    return envelope
