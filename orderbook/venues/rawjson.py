"""Strict JSON on top of msgspec, read in stages.

RFC 8259 without lone surrogates, nested at most 64 deep; of duplicate keys the last counts. A frame is first
split into its top-level fields, each left raw: skipping a field validates it without building its value. A
number out of every range (1e400) is valid in a field that is skipped.
"""

import re
from itertools import accumulate
from typing import Final, TypeVar

import msgspec
from msgspec import Raw

from orderbook.events import MalformedError

MAX_DEPTH: Final = 64
"""Deepest nesting of arrays and objects in a valid frame."""

T = TypeVar("T")

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises if text is not of the type; the last one if a field unknown to us is nested deep."""

_STRING = msgspec.json.Decoder(str)
_INTEGER = msgspec.json.Decoder(int)
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")


def decode(decoder: msgspec.json.Decoder[T], text: str | Raw, what: str) -> T:
    """Decode JSON text into the decoder's type.

    Raises:
        MalformedError: if it is not JSON or not of that type; the message begins with `what`.
    """
    try:
        return decoder.decode(text)
    except RecursionError:
        raise MalformedError(f"{what}: nesting over {MAX_DEPTH}") from None
    except msgspec.DecodeError as error:
        raise MalformedError(f"{what}: {error}") from None


def check_depth(text: str) -> None:
    """Refuse valid JSON that nests deeper than `MAX_DEPTH`. O(length), nearly free for small frames.

    Raises:
        MalformedError: if it does.
    """
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    # Backslashes occur inside strings only; without escapes every quote delimits a string.
    outside_strings = "".join(_ESCAPE.sub("", text).split('"')[::2])
    brackets = _NOT_BRACKETS.sub("", outside_strings)
    if max(accumulate(1 if bracket in "[{" else -1 for bracket in brackets), default=0) > MAX_DEPTH:
        raise MalformedError(f"nesting over {MAX_DEPTH}")


def string(raw: Raw) -> str | None:
    """Return a raw field that is a JSON string, None for anything else and for an absent field."""
    try:
        return _STRING.decode(raw)
    except msgspec.DecodeError:
        return None


def integer(raw: Raw) -> int | None:
    """Return a raw field that is a JSON integer, None for anything else (5.0, true)."""
    text = bytes(raw)
    if not text.lstrip(b"-").isdigit():
        return None
    try:
        return _INTEGER.decode(text)
    except msgspec.DecodeError:  # thousands of digits
        return None
