"""The formats of captures: what each line means, in whichever packing, and how a bad one is told."""

import gzip
import json
import lzma
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from orderbook.times import NS
from recorder.captures import CapturedFrame, CaptureError, CaptureFormat, read_capture

LINES: dict[CaptureFormat, bytes] = {
    "jsonl": b'{"recv_ns": 1786309548629008001, "frame": "{\\"a\\": \\"\\u00e9\\"}"}\n'
    b'{"frame": "no JSON {", "recv_ns": 0, "more": [1]}\n\n'
    b'{"recv_ns": 9223372036854775807, "frame": ""}\n',
    "cryptofeed": b"configuration: coinbase {}\n"
    b"wss://ws-feed.pro.coinbase.com -> {}\n"
    b'1786309548.629008001: {"a": "\xc3\xa9"}\n'
    b"0: no JSON {\n\n"
    b"1618677817.061845: 1618677818.1: x\n",
    "tardis": b'\n2026-08-09T21:05:48.629008001Z {"a": "\xc3\xa9"}\n'
    b"\n1970-01-01T00:00:00Z no JSON {\r\n"
    b"2019-11-19T00:00:00.0000000Z  x \n\n\n",
}
TIME = 1786309548629008001
FRAMES: dict[CaptureFormat, list[tuple[int, str | None]]] = {
    "jsonl": [(TIME, '{"a": "é"}'), (0, "no JSON {"), (2**63 - 1, "")],
    "cryptofeed": [(TIME, '{"a": "é"}'), (0, "no JSON {"), (1618677817061845000, "1618677818.1: x")],
    "tardis": [
        *((0, None), (TIME, '{"a": "é"}'), (TIME, None), (0, "no JSON {")),
        *((1574121600 * NS, " x "), (1574121600 * NS, None), (1574121600 * NS, None)),
    ],
}
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "gzip of two members": lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:]),
    "zstd": zstandard.ZstdCompressor().compress,
    "zstd of two frames": lambda data: b"".join(
        zstandard.ZstdCompressor().compress(part) for part in (data[:50], data[50:])
    ),
}


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("capture_format", LINES)
def test_formats(tmp_path: Path, capture_format: CaptureFormat, packing: str) -> None:
    """Every format gives its frames with their times to the nanosecond, plain, gzip or zstd alike."""
    path = tmp_path / "capture"  # told by its first bytes, not by its name
    path.write_bytes(PACKINGS[packing](LINES[capture_format]))
    assert list(read_capture(path, capture_format)) == [
        CapturedFrame(*each) for each in FRAMES[capture_format]
    ]


@pytest.mark.parametrize("packing", PACKINGS)
def test_an_empty_capture_has_no_frames(tmp_path: Path, packing: str) -> None:
    """A capture of nothing ends at once."""
    path = tmp_path / "capture"
    path.write_bytes(PACKINGS[packing](b""))
    assert list(read_capture(path, "jsonl")) == []


@pytest.mark.parametrize(
    ("capture_format", "line"),
    [
        ("jsonl", b"no JSON"),
        ("jsonl", b"[]"),
        ("jsonl", b'{"recv_ns": 1}'),
        ("jsonl", b'{"frame": ""}'),
        ("jsonl", b'{"recv_ns": "1", "frame": ""}'),
        ("jsonl", b'{"recv_ns": 1.5, "frame": ""}'),
        ("jsonl", b'{"recv_ns": -1, "frame": ""}'),
        ("jsonl", b'{"recv_ns": 9223372036854775808, "frame": ""}'),
        ("jsonl", b'{"recv_ns": 1, "frame": null}'),
        ("jsonl", b'{"recv_ns": 1, "frame": {"type": "snapshot"}}'),
        ("jsonl", b'{"recv_ns": 1, "frame": "\xff"}'),
        ("jsonl", b'{"recv_ns": 1, "frame": "\\ud800"}'),
        ("jsonl", b'1618677817.061845: {"type": "snapshot"}'),
        ("cryptofeed", b'{"recv_ns": 1, "frame": ""}'),
        ("cryptofeed", b"1618677817.061845 {}"),
        ("cryptofeed", b"1618677817.061845: "),
        ("cryptofeed", b"-1: {}"),
        ("cryptofeed", b"1e9: {}"),
        ("cryptofeed", b"9999999999.5: {}"),
        ("cryptofeed", b"1.5: \xff"),
        ("tardis", b"2019-11-19T00:00:00Z"),
        ("tardis", b"2019-11-19T00:00:00Z "),
        ("tardis", b"2019-02-30T00:00:00Z {}"),
        ("tardis", b"2019-11-19 00:00:00Z {}"),
        ("tardis", b"2019-11-19T00:00:00 {}"),
        ("tardis", b"2019-11-19T00:00:00Z \xff"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, capture_format: CaptureFormat, line: bytes) -> None:
    """A line that is not of the format is an error that names file and line, after the lines before it."""
    good = LINES[capture_format].splitlines(keepends=True)
    path = tmp_path / "capture.txt"
    path.write_bytes(b"".join([*good, line, b"\n", *good]))
    frames = read_capture(path, capture_format)
    for expected in FRAMES[capture_format]:
        assert next(frames) == CapturedFrame(*expected)
    with pytest.raises(
        CaptureError, match=rf"capture\.txt: line {len(good) + 1} is not of the {capture_format}"
    ):
        next(frames)


def test_a_bad_line_is_shown_shortened(tmp_path: Path) -> None:
    """However long a bad line is, the error is one short line of printable text."""
    path = tmp_path / "capture"
    path.write_bytes(b"\x1b[31m" + b"x" * 1_000_000 + b"\n")
    with pytest.raises(CaptureError) as caught:
        list(read_capture(path, "jsonl"))
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


RNG = random.Random(1)
PACKED = b"".join(b'{"recv_ns": %d, "frame": "%f"}\n' % (n, RNG.random()) for n in range(500))


def flipped(data: bytes) -> bytes:
    """Return data with a byte changed in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(gzip.compress(PACKED)[:-20], id="gzip cut"),
        pytest.param(flipped(gzip.compress(PACKED)), id="gzip flipped"),
        pytest.param(gzip.compress(PACKED)[:-8] + bytes(8), id="gzip with a wrong checksum"),
        pytest.param(b"\x1f\x8b", id="gzip magic alone"),
        pytest.param(zstandard.ZstdCompressor().compress(PACKED)[:-20], id="zstd cut"),
        pytest.param(
            zstandard.ZstdCompressor(write_checksum=True).compress(PACKED)[:-4], id="zstd cut checksum"
        ),
        pytest.param(
            flipped(zstandard.ZstdCompressor(write_checksum=True).compress(PACKED)), id="zstd flipped"
        ),
        pytest.param(lzma.compress(PACKED), id="xz"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    """A compressed file that is cut or damaged is an error that names it, never a capture that just ends."""
    path = tmp_path / "capture"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=str(path)):
        list(read_capture(path, "jsonl"))


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A missing file and a directory are errors that name them."""
    for path, reason in ((tmp_path / "missing", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(CaptureError, match=f"{path}.*{reason}"):
            list(read_capture(path, "jsonl"))


@pytest.mark.parametrize("packing", PACKINGS)
def test_files_are_closed(tmp_path: Path, packing: str) -> None:
    """Reading a capture, to its end or not, leaves no file open."""
    path = tmp_path / "capture"
    path.write_bytes(PACKINGS[packing](json.dumps({"recv_ns": 1, "frame": ""}).encode() + b"\n"))
    for take in (1, 2):
        frames = read_capture(path, "jsonl")
        for _, _frame in zip(range(take), frames, strict=False):
            pass
        frames.close()  # type: ignore[attr-defined]  # it is a generator
    held = [each.resolve() for each in Path("/proc/self/fd").iterdir() if each.exists()]
    assert path.resolve() not in held
