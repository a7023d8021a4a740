"""Captures that others made, line by line: when a frame was received and its text.

    jsonl       {"recv_ns": 1786309548629008000, "frame": "..."}
    cryptofeed  1618677817.061845: {"type":...}
    tardis      2019-11-19T00:00:00.0000000Z {"type":...}      a blank line is a disconnect

Plain, gzip or zstd, told by the first bytes.
"""

import gzip
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec
import zstandard

from orderbook.errors import BooktapeError
from orderbook.times import MAX_TIME_NS, NS, parse_time

CaptureFormat = Literal["jsonl", "cryptofeed", "tardis"]


class CaptureError(BooktapeError):
    """A capture cannot be read, or a line of it is not of its format."""


class CapturedFrame(NamedTuple):
    """A line of a capture; `frame` is None for a disconnect, whose time is that of the line before."""

    recv_time: int
    frame: str | None


class _JsonLine(msgspec.Struct):
    recv_ns: int
    frame: str


_JSON_LINE = msgspec.json.Decoder(_JsonLine)
_CRYPTOFEED_ASIDES: Final = (b"configuration: ", b"wss://", b"https://")  # its settings, what it sent, REST
_CRYPTOFEED = re.compile(rb"([0-9]{1,10}(?:\.[0-9]{1,9})?): (.+)", re.DOTALL)


def read_capture(path: Path, capture_format: CaptureFormat) -> Iterator[CapturedFrame]:
    """Yield a capture's lines in order.

    Raises:
        CaptureError: naming the file, and the line where one is not of the format.
    """
    parse = _PARSERS[capture_format]
    last_time = 0
    number = 0
    try:
        with _open(path) as file:
            for number, line in enumerate(file, 1):
                text = line.rstrip(b"\r\n")
                if not text and capture_format == "tardis":
                    yield CapturedFrame(last_time, None)
                if not text or (capture_format == "cryptofeed" and text.startswith(_CRYPTOFEED_ASIDES)):
                    continue
                captured = parse(text)
                if captured is None or not 0 <= captured.recv_time <= MAX_TIME_NS:
                    raise CaptureError(
                        f"{path}: line {number} is not of the {capture_format} format: {_show(text)}"
                    )
                last_time = captured.recv_time
                yield captured
    except (OSError, EOFError, zstandard.ZstdError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CaptureError(f"{path}: cannot be read after line {number} ({reason})") from None


class _ZstdFile(io.RawIOBase):
    """The content of zstd frames; unlike the library's own reader it notices an end that came too soon."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._packed = self._unpacked = b""
        self._is_inside = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._unpacked:
            self._packed = self._packed or self._file.read(1 << 17)
            if not self._packed:
                if self._is_inside:
                    raise EOFError("it ends inside a zstd frame")
                return 0
            self._unpacked = self._frame.decompress(self._packed)
            self._packed, self._is_inside = b"", not self._frame.eof
            if self._frame.eof:
                self._packed = self._frame.unused_data
                self._frame = zstandard.ZstdDecompressor().decompressobj()
        view = memoryview(buffer).cast("B")
        taken = min(len(view), len(self._unpacked))
        view[:taken], self._unpacked = self._unpacked[:taken], self._unpacked[taken:]
        return taken


@contextmanager
def _open(path: Path) -> Iterator[io.BufferedIOBase]:
    """Open a capture for reading lines, whatever it is packed with."""
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked
        elif magic == b"\x28\xb5\x2f\xfd":
            with io.BufferedReader(_ZstdFile(file), 1 << 20) as unpacked_lines:
                yield unpacked_lines
        else:
            yield file


def _parse_jsonl(text: bytes) -> CapturedFrame | None:
    try:
        line = _JSON_LINE.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
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


_PARSERS: Final[dict[CaptureFormat, Callable[[bytes], CapturedFrame | None]]] = {
    "jsonl": _parse_jsonl,
    "cryptofeed": _parse_cryptofeed,
    "tardis": _parse_tardis,
}


def _show(text: bytes) -> str:
    shown = text[:60].decode(errors="replace")
    return repr(shown + ("..." if len(text) > 60 else ""))
