"""The formats of captures: for each line the time at which a frame was received, and its text.

    jsonl       {"recv_ns": 1786309548629008000, "frame": "..."}
    cryptofeed  1618677817.061845: {"type":...}
    tardis      2019-11-19T00:00:00.0000000Z {"type":...}      a blank line is a disconnect
    json        [{"ts": 1618677817061, "msg": {"type":...}},   on lines, in an array, or pretty-printed
    tardis-csv  coinbase,BTC-USD,1618677817061845,...          levels and trades, see `tardis_frames`

A new format of lines is a function that parses one, an entry of `_FORMATS`, and its name in
`recorder.settings`.
"""

import re
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec
import zstandard

from orderbook.errors import BooktapeError
from orderbook.times import MAX_TIME_NS, NS, parse_time
from orderbook.venues.rawjson import UNREADABLE
from recorder.captures.compression import open_lines
from recorder.captures.json_records import JsonText, Records, json_texts
from recorder.settings import MAX_LINE_BYTES, CaptureForm, CaptureFormat


class CaptureError(BooktapeError):
    """A capture cannot be read, or a line of it is not of its format."""


class CapturedFrame(NamedTuple):
    """A line of a capture: time in nanoseconds since the epoch, and a frame.

    For a disconnect, `frame` is None and the time is that of the line before. If each product has a
    connection of its own, `product` names it; else None.
    """

    recv_time: int
    frame: str | None
    product: str | None = None


def read_capture(
    path: Path,
    form: CaptureForm,
    on_torn: Callable[[int], None] | None = None,
    on_unit: Callable[[str], None] = lambda _unit: None,
) -> Iterator[CapturedFrame]:
    """Yield the lines of a capture in order.

    Args:
        path: the file.
        form: its format, and how its fields are called.
        on_torn: called at the end if the capture's recorder died as it wrote: its last line is incomplete, or
            the file ends inside its packed content. Gets the number of bytes that are left out, as far as
            they can be unpacked. If None, such an end is an error.
        on_unit: called with what the times of a file are in, if that was recognised.

    Raises:
        CaptureError: if the file cannot be read or a line is not of the format; it names both.
    """
    lines = _Records(path, form, on_unit) if form.name == "json" else _Lines(path, form)
    yield from lines.read(lines.frames(on_torn), on_torn)


_Item = TypeVar("_Item")

OnTorn = Callable[[Path, int], None] | None
"""Called with a file whose end is incomplete, and the bytes that are left out; None to refuse such an end."""


class CaptureFile:
    """A file of which lines are read; errors name its path, and the number of the last line that was read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._number = 0

    def read(self, items: Iterator[_Item], on_torn: Callable[[int], None] | None) -> Iterator[_Item]:
        """Yield what is read of the file, and turn what goes wrong with it into `CaptureError`."""
        try:
            yield from items
        except EOFError as error:
            if on_torn is None:
                raise self._unreadable(f"({error}); {_TORN_END}") from None
            on_torn(0)
        except (OSError, zlib.error, zstandard.ZstdError) as error:
            raise self._unreadable(f"({getattr(error, 'strerror', None) or error})") from None

    def _tear(self, size: int, what: str, on_torn: Callable[[int], None] | None) -> None:
        """Leave out an incomplete end, or refuse it."""
        if on_torn is None:
            raise self._problem(f"{what}; {_TORN_END}")
        on_torn(size)

    def _problem(self, what: str) -> CaptureError:
        return CaptureError(f"{self.path}: line {self._number} {what}")

    def _too_long(self) -> CaptureError:
        return self._problem(f"has more than {MAX_LINE_BYTES:,} bytes")

    def _unreadable(self, reason: str) -> CaptureError:
        """Return the error for a file that cannot be read on."""
        after = f" after line {self._number:,}" if self._number else ""
        return CaptureError(f"{self.path}: cannot be read{after} {reason}")


class _Lines(CaptureFile):
    """The lines of a capture."""

    def __init__(self, path: Path, form: CaptureForm) -> None:
        super().__init__(path)
        self._form = form

    def frames(self, on_torn: Callable[[int], None] | None) -> Iterator[CapturedFrame]:
        """Yield what the lines hold."""
        form, last_time = _FORMATS[self._form.name], 0
        with open_lines(self.path) as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                self._number += 1
                text = line.rstrip(b"\r\n").removeprefix(BOM_UTF8)
                if form.disconnect and form.disconnect.fullmatch(text):
                    yield CapturedFrame(last_time, None)
                    continue
                if not text or (form.ignored and text.startswith(form.ignored)):
                    continue
                captured = form.parse(text)
                if self._is_torn(line, captured, is_bare=form.is_bare):
                    self._tear(len(line), f"is torn: {excerpt(text)}", on_torn)
                    return
                captured = self._checked(captured, text)
                last_time = captured.recv_time
                yield captured

    def _checked(self, captured: CapturedFrame | None, text: bytes) -> CapturedFrame:
        """Return what was read, unless it is not of the format."""
        if captured is None or not 0 <= captured.recv_time <= MAX_TIME_NS:
            raise self._problem(f"is not of the {self._form.name} format: {excerpt(text)}{self._hint(text)}")
        return captured

    def _hint(self, text: bytes) -> str:
        """Return what else the file could be."""
        if text.startswith(_CSV):
            return "; --format tardis-csv reads the CSV files of Tardis"
        is_json = self._form.name == "jsonl" and text.lstrip()[:1] in (b"{", b"[")
        return f"; {_OTHER_JSON}" if is_json else ""

    def _is_torn(self, line: bytes, captured: CapturedFrame | None, *, is_bare: bool) -> bool:
        """Tell whether a line is the end of a capture whose recorder died as it wrote it.

        Raises:
            CaptureError: if it is too long to tell.
        """
        if len(line) > MAX_LINE_BYTES:
            raise self._too_long()
        if line.endswith(b"\n"):
            return False
        if captured is None:
            return self._number > 1
        return is_bare and not _is_json(captured.frame or "")


class _Records(_Lines):
    """The records of a capture of JSON objects; `number` is that of the line on which the last one begins."""

    def __init__(self, path: Path, form: CaptureForm, on_unit: Callable[[str], None]) -> None:
        super().__init__(path, form)
        self._on_unit = on_unit

    def frames(self, on_torn: Callable[[int], None] | None) -> Iterator[CapturedFrame]:
        """Yield what the records hold."""
        records = Records(self._form.time_field, self._form.frame_field)
        with open_lines(self.path) as file:
            texts = json_texts(file, MAX_LINE_BYTES)
            while each := self._next(texts):
                self._number = each.line
                if each.is_torn:
                    begin = excerpt(each.text[:100].encode())
                    self._tear(len(each.text.encode()), f"is torn: {begin}", on_torn)
                    return
                is_first = not records.unit
                read = records.read(each.text)
                yield self._checked(read and CapturedFrame(*read), each.text[:_SHOWN].encode())
                if is_first:
                    self._on_unit(records.unit)

    def _next(self, texts: Iterator[JsonText]) -> JsonText | None:
        try:
            return next(texts, None)
        except UnicodeDecodeError as error:
            raise self._unreadable(f"(not UTF-8: {error.reason})") from None

    def _hint(self, text: bytes) -> str:
        """Return which fields an object has, or what those that are asked for have to be."""
        try:
            names = list(_FIELDS.decode(text))
        except UNREADABLE:
            return super()._hint(text)
        time, frame = self._form.time_field, self._form.frame_field
        if {time, frame} <= set(names):
            times = "an ISO time, or s, ms, us or ns since 1970, all of one kind"
            return f"; {time!r} has to be {times}, and {frame!r} a text or an object"
        return f"; it has {', '.join(map(repr, names))}: say which by --time-field and --frame-field"


_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SHOWN: Final = 10_000
_TORN_END: Final = "--torn-end leaves that end out"
_CSV: Final = b"exchange,symbol,"
_OTHER_JSON: Final = "--format json reads other JSON, with --time-field and --frame-field"


def _is_json(text: str) -> bool:
    """Tell whether a frame is JSON, as all frames of the feeds are: a torn one is not."""
    try:
        _JSON.decode(text)
    except UNREADABLE:
        return False
    return True


class _Format(NamedTuple):
    """How lines are read.

    Attributes:
        parse: returns what a line holds; None if it is not of the format.
        ignored: beginnings of lines that hold no frame.
        disconnect: a line that tells that another connection begins or the last one ended.
        is_bare: whether a frame is the rest of the line, so that the line does not tell where it ends.
    """

    parse: Callable[[bytes], CapturedFrame | None]
    ignored: tuple[bytes, ...] = ()
    disconnect: re.Pattern[bytes] | None = None
    is_bare: bool = True


class _JsonLine(msgspec.Struct):
    recv_ns: int
    frame: str


_JSON = msgspec.json.Decoder(msgspec.Raw)
_JSON_LINE = msgspec.json.Decoder(_JsonLine)
_CRYPTOFEED = re.compile(rb"([0-9]{1,10}(?:\.[0-9]{1,9})?): (.+)", re.DOTALL)


def _parse_jsonl(text: bytes) -> CapturedFrame | None:
    try:
        line = _JSON_LINE.decode(text)
    except UNREADABLE:
        return None
    return CapturedFrame(line.recv_ns, line.frame)


def _parse_cryptofeed(text: bytes) -> CapturedFrame | None:
    match = _CRYPTOFEED.fullmatch(text)
    return None if match is None else _captured(int(Decimal(match[1].decode()) * NS), match[2])


def _parse_tardis(text: bytes) -> CapturedFrame | None:
    time, _, frame = text.partition(b" ")
    recv_time = parse_time(time.decode(errors="replace"))
    return None if recv_time is None or not frame else _captured(recv_time, frame)


def _captured(recv_time: int, frame: bytes) -> CapturedFrame | None:
    try:
        return CapturedFrame(recv_time, frame.decode())
    except UnicodeDecodeError:
        return None


_FORMATS: Final[dict[CaptureFormat, _Format]] = {
    "jsonl": _Format(_parse_jsonl, is_bare=False),
    # Its settings or an address begin a connection. Ignored: what it sent, and answers of the REST API.
    "cryptofeed": _Format(
        _parse_cryptofeed,
        ignored=(b"wss://", b"ws://", b"https://", b"http://"),
        disconnect=re.compile(rb"configuration: .*|wss?://\S* <-> [0-9.]+", re.DOTALL),
    ),
    "tardis": _Format(_parse_tardis, disconnect=re.compile(b"")),
}


def excerpt(text: bytes) -> str:
    """Return the beginning of a text, in quotes."""
    shown = text[:60].decode(errors="replace")
    return repr(shown + ("..." if len(text) > 60 else ""))
