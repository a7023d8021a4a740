"""The formats of captures: how each line is read, compressed or not, and the error for a bad line."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from orderbook.times import NS
from recorder.captures import formats
from recorder.captures.formats import CapturedFrame, CaptureError, read_capture
from recorder.live.connect import MAX_FRAME_BYTES
from recorder.settings import MAX_LINE_BYTES, CaptureForm, CaptureFormat

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
    "cryptofeed": [
        (0, None),
        (TIME, '{"a": "é"}'),
        (0, "no JSON {"),
        (1618677817061845000, "1618677818.1: x"),
    ],
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
    """Every format yields its frames with times to the nanosecond, plain, gzip or zstd."""
    path = tmp_path / "capture"  # recognised by its first bytes, not by its name
    path.write_bytes(PACKINGS[packing](LINES[capture_format]))
    assert list(read_capture(path, CaptureForm(capture_format))) == [
        CapturedFrame(*each) for each in FRAMES[capture_format]
    ]


@pytest.mark.parametrize("packing", PACKINGS)
def test_an_empty_capture_has_no_frames(tmp_path: Path, packing: str) -> None:
    """A capture of nothing ends at once."""
    path = tmp_path / "capture"
    path.write_bytes(PACKINGS[packing](b""))
    assert list(read_capture(path, CaptureForm())) == []


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
    frames = read_capture(path, CaptureForm(capture_format))
    for expected in FRAMES[capture_format]:
        assert next(frames) == CapturedFrame(*expected)
    with pytest.raises(
        CaptureError, match=rf"capture\.txt: line {len(good) + 1} is not of the {capture_format}"
    ):
        next(frames)


TORN: dict[CaptureFormat, bytes] = {
    "jsonl": b'{"recv_ns": 1, "frame": "{}',
    "cryptofeed": b'1786309548.5: {"type":"l2up',
    "tardis": b'2026-08-09T21:05:48Z {"type":"l2up',
}


@pytest.mark.parametrize("capture_format", TORN)
def test_a_torn_end(tmp_path: Path, capture_format: CaptureFormat) -> None:
    """A last line that is no whole frame is an error that names the option; with it, its bytes are told."""
    path = tmp_path / "capture"
    path.write_bytes(LINES[capture_format] + TORN[capture_format])
    whole = [CapturedFrame(*each) for each in FRAMES[capture_format]]
    with pytest.raises(CaptureError, match=r"is torn: .*--torn-end"):
        list(read_capture(path, CaptureForm(capture_format)))
    torn: list[int] = []
    assert list(read_capture(path, CaptureForm(capture_format), torn.append)) == whole
    assert torn == [len(TORN[capture_format])]
    path.write_bytes(LINES[capture_format] + TORN[capture_format] + b"\n" + LINES[capture_format])
    if capture_format == "jsonl":  # in the middle it is a bad line, which nothing leaves out
        with pytest.raises(CaptureError, match="is not of the jsonl"):
            list(read_capture(path, CaptureForm(capture_format), torn.append))
    assert len(torn) == 1


@pytest.mark.parametrize("capture_format", LINES)
def test_a_last_line_without_its_end(tmp_path: Path, capture_format: CaptureFormat) -> None:
    """A whole last line needs no newline."""
    last = {
        "jsonl": b'{"recv_ns": 1, "frame": "{"}',
        "cryptofeed": b"1: {}",
        "tardis": b"1970-01-01T00:00:01Z {}",
    }
    path = tmp_path / "capture"
    path.write_bytes(LINES[capture_format] + last[capture_format])
    assert len(list(read_capture(path, CaptureForm(capture_format)))) == len(FRAMES[capture_format]) + 1


@pytest.mark.parametrize("capture_format", LINES)
@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_an_end_inside_a_packed_stream(tmp_path: Path, capture_format: CaptureFormat, packing: str) -> None:
    """The lines that can be unpacked are read, and a file that is damaged elsewhere is an error."""
    path = tmp_path / "capture"
    packed = PACKINGS[packing](LINES[capture_format])
    for cut in range(1, 8):
        path.write_bytes(packed[:-cut])
        torn: list[int] = []
        found = list(read_capture(path, CaptureForm(capture_format), torn.append))
        assert found == [CapturedFrame(*each) for each in FRAMES[capture_format]][: len(found)]
        assert len(torn) == 1
        with pytest.raises(CaptureError, match="--torn-end"):
            list(read_capture(path, CaptureForm(capture_format)))


@pytest.mark.parametrize("capture_format", LINES)
def test_a_byte_order_mark_is_passed_over(tmp_path: Path, capture_format: CaptureFormat) -> None:
    """Also where two files that begin with one were joined."""
    path = tmp_path / "capture"
    path.write_bytes((b"\xef\xbb\xbf" + LINES[capture_format]) * 2)
    assert [each.frame for each in read_capture(path, CaptureForm(capture_format))] == [
        frame for _, frame in FRAMES[capture_format] * 2
    ]


def test_a_line_holds_any_frame() -> None:
    """What a recorder takes can be imported, though each quote of it may be escaped."""
    assert MAX_LINE_BYTES > 2 * MAX_FRAME_BYTES


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line beyond every frame is an error before it is read whole."""
    monkeypatch.setattr(formats, "MAX_LINE_BYTES", 1000)
    path = tmp_path / "capture"
    path.write_bytes(LINES["jsonl"] + b'{"recv_ns": 1, "frame": "' + b"x" * 10_000)
    with pytest.raises(CaptureError, match="line 5 has more than 1,000 bytes"):
        list(read_capture(path, CaptureForm()))


def test_a_bad_line_is_shown_shortened(tmp_path: Path) -> None:
    """However long a bad line is, the error is one short line of printable text."""
    path = tmp_path / "capture"
    path.write_bytes(b"\x1b[31m" + b"x" * 1_000_000 + b"\n")
    with pytest.raises(CaptureError) as caught:
        list(read_capture(path, CaptureForm()))
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A missing file, a directory, a pipe and a device are errors that name them; none is waited for."""
    os.mkfifo(tmp_path / "pipe")
    for path, reason in (
        (tmp_path / "missing", "No such file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "pipe", "no regular file"),
        (Path("/dev/zero"), "no regular file"),
    ):
        with pytest.raises(CaptureError, match=f"{path}.*{reason}"):
            list(read_capture(path, CaptureForm()))


@pytest.mark.parametrize("packing", PACKINGS)
def test_files_are_closed(tmp_path: Path, packing: str) -> None:
    """Reading a capture, to its end or not, leaves no file open."""
    path = tmp_path / "capture"
    path.write_bytes(PACKINGS[packing](json.dumps({"recv_ns": 1, "frame": ""}).encode() + b"\n"))
    for take in (1, 2):
        frames = read_capture(path, CaptureForm())
        for _, _frame in zip(range(take), frames, strict=False):
            pass
        frames.close()  # type: ignore[attr-defined]  # it is a generator
    held = [each.resolve() for each in Path("/proc/self/fd").iterdir() if each.exists()]
    assert path.resolve() not in held
