"""Compressed captures: every byte comes back, and a truncated or damaged file is an error."""

import gzip
import lzma
import random
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from recorder.captures.compression import open_lines
from recorder.captures.formats import CaptureError, read_capture
from recorder.settings import CaptureForm

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
    """A compressed file that is truncated or damaged raises an error that names it; it never just ends."""
    path = tmp_path / "capture"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=str(path)):
        list(read_capture(path, CaptureForm()))


@given(st.lists(st.binary(max_size=200_000), max_size=5), st.data())
def test_zstd_frames_are_read_like_plain(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], data: st.DataObject
) -> None:
    """Concatenated zstd frames have the same bytes as the parts; without their last bytes they raise."""
    path = tmp_path_factory.mktemp("zstd") / "capture"
    packed = b"".join(zstandard.ZstdCompressor().compress(part) for part in parts)
    path.write_bytes(packed)
    with open_lines(path) as file:
        assert file.read() == b"".join(parts)
    if parts:
        last = len(zstandard.ZstdCompressor().compress(parts[-1]))
        path.write_bytes(packed[: -data.draw(st.integers(1, last - 4))])
        with open_lines(path) as file, pytest.raises(EOFError):
            file.read()
