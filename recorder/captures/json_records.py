"""JSON objects that hold a frame and its time, under whatever names: lines, an array, or pretty-printed."""

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from io import BufferedIOBase
from typing import Any, Final, NamedTuple

import msgspec

from orderbook.errors import TimeError
from orderbook.time_input import parse_moment
from orderbook.times import MAX_TIME_NS, NS, parse_time
from orderbook.venues.rawjson import UNREADABLE

_READ_CHARACTERS: Final = 2**16
_BETWEEN: Final = re.compile(r"[\s,\[\]\ufeff]*")
"""What may stand between two objects: blanks, and the brackets and commas of an array."""

_CUT: Final = 16
"""Characters before its end in which a text that is cut off can look wrong, as in a literal or an escape."""

_UNITS: Final = (("seconds", 10**11, NS), ("milliseconds", 10**14, 10**6), ("microseconds", 10**17, 10**3))
"""Name, least number that is too large for the unit (before the year 5000), and nanoseconds of one."""


class JsonText(NamedTuple):
    """The text of a JSON value: the number of its first line, and whether the file ends inside it."""

    line: int
    text: str
    is_torn: bool


def json_texts(file: BufferedIOBase, limit: int) -> Iterator[JsonText]:
    """Yield the JSON values of a file in order, those of an array one by one.

    A value that is no JSON is yielded with what follows it, as the last one. Memory: one value.

    Args:
        file: its bytes, UTF-8.
        limit: characters of a value at most; a longer one ends the file.

    Raises:
        UnicodeDecodeError: if it is not UTF-8.
    """
    decode = getincrementaldecoder("utf-8")().decode
    scan = json.JSONDecoder().raw_decode
    text, place, line, size = "", 0, 1, _READ_CHARACTERS
    while True:
        begin = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]  # it matches everywhere
        line += text.count("\n", place, begin)
        place = begin
        try:
            if place < len(text):
                _, end = scan(text, place)
                yield JsonText(line, text[place:end], is_torn=False)
                line += text.count("\n", place, end)
                place, size = end, _READ_CHARACTERS
                continue
        except json.JSONDecodeError as error:
            is_cut = error.msg.startswith("Unterminated string") or error.pos > len(text) - _CUT
            if not is_cut or len(text) - place > limit:
                yield JsonText(line, text[place:], is_torn=False)
                return
        except RecursionError:
            yield JsonText(line, text[place:], is_torn=False)
            return
        read = file.read(size)
        text, place = text[place:] + decode(read, final=not read), 0
        size *= 2  # or a long value is scanned as often as it has pieces
        if not read:
            if text.strip():
                yield JsonText(line, text, is_torn=True)
            return


class Records:
    """Reads records of a time and a frame.

    Attributes:
        unit: what their times are in, told by the first one; empty before it.
    """

    def __init__(self, time_field: str, frame_field: str) -> None:
        names = {"time": time_field, "frame": frame_field}
        fields = [("time", msgspec.Raw), ("frame", msgspec.Raw)]
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            msgspec.defstruct("Record", fields, rename=names)
        )
        self._read_time: Callable[[str], int | None] = self._first_time
        self.unit = ""

    def read(self, text: str) -> tuple[int, str] | None:
        """Return the time in nanoseconds since 1970, and the frame; None if it is no such record.

        A frame is a text, or stands there as the object that it is; then it is kept as it was written.
        """
        try:
            record = self._decoder.decode(text)
            written = bytes(record.frame)
            frame = _TEXT.decode(written) if written.startswith(b'"') else written.decode()
            time = bytes(record.time).decode()
            received = self._read_time(_TEXT.decode(time) if time.startswith('"') else time)
        except UNREADABLE:
            return None
        is_frame = written.startswith((b'"', b"{", b"["))
        return None if received is None or not is_frame else (received, frame)

    def _first_time(self, text: str) -> int | None:
        """Recognise the unit by the first time, and return it."""
        if (time := _iso_time(text)) is not None:
            is_plain = parse_time(text) is not None
            self.unit = "ISO times" if is_plain else "ISO times, UTC if they name no zone"
            self._read_time = _iso_time
            return time
        number = _number(text)
        if number is None:
            return None
        found = ((name, factor) for name, limit, factor in _UNITS if number < limit)
        self.unit, factor = next(found, ("nanoseconds", 1))
        self._read_time = lambda text: _nanoseconds(text, factor)
        return _nanoseconds(text, factor)


_TEXT = msgspec.json.Decoder(str)


def _iso_time(text: str) -> int | None:
    """Return an ISO time of the day of whatever zone, UTC if it names none, as elsewhere."""
    if (time := parse_time(text)) is not None or ":" not in text:  # a number or an offset has none
        return time
    try:
        return parse_moment(text).ns
    except TimeError:
        return None


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and number >= 0 else None


def _nanoseconds(text: str, factor: int) -> int | None:
    number = _number(text)
    if number is None or number > MAX_TIME_NS:
        return None
    return int(number * factor)
