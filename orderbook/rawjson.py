"""JSON as the contract wants it, on top of msgspec.

RFC 8259 without lone surrogates, at most 64 containers deep, the last of duplicate keys counts. A
frame is first split into its top-level fields, each left raw: skipping validates them, and what
nobody asks for is never built. Numbers out of every range (1e400) are fine where they are skipped.
"""

import re
from itertools import accumulate
from typing import Final, TypeVar

import msgspec
from msgspec import Raw

from orderbook.frames import MalformedError

MAX_DEPTH: Final = 64
"""Containers inside one another; one more makes a frame malformed."""

T = TypeVar("T")

_STRING = msgspec.json.Decoder(str)
_INTEGER = msgspec.json.Decoder(int)
_OBJECTS = msgspec.json.Decoder(list[dict[str, Raw]])
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")


def decode(decoder: msgspec.json.Decoder[T], text: str | Raw, what: str) -> T:
    """Decode JSON text into the decoder's type.

    Raises:
        MalformedError: where it is not JSON or not of that type; the message begins with `what`.
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
        MalformedError: where it does.
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


def objects(raw: Raw, what: str) -> list[dict[str, Raw]]:
    """Return a raw field as the list of objects that it must be, their fields raw.

    Raises:
        MalformedError: where it is anything else.
    """
    return decode(_OBJECTS, raw, what)
