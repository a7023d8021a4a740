"""An archive that was written piece by piece, as NumPy and `zipfile` read it."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from replay.export.hftbacktest import EVENT
from replay.export.npz import NpzWriter


def some_events(number: int) -> np.ndarray:
    """Return an array of events whose fields all differ."""
    values = np.zeros(number, EVENT)
    for place, name in enumerate(EVENT.names or ()):
        values[name] = np.arange(number) * (place + 1)
    return values


@pytest.mark.parametrize("pieces", [(), (0,), (1,), (1, 1000, 3)])
def test_numpy_reads_it(tmp_path: Path, pieces: tuple[int, ...]) -> None:
    """NumPy loads what was written, the checksum is right, and equal arrays are equal files."""
    values = some_events(sum(pieces))
    paths = tmp_path / "pieces.npz", tmp_path / "whole.npz"
    with NpzWriter(paths[0], EVENT) as file:
        for end, length in zip(np.cumsum(pieces), pieces, strict=True):
            file.write(values[end - length : end])
    with NpzWriter(paths[1], EVENT) as file:
        file.write(values)
    with np.load(paths[0]) as archive:
        assert archive.files == ["data"]
        assert archive["data"].dtype == EVENT
        assert (archive["data"] == values).all()
    with zipfile.ZipFile(paths[0]) as archive:
        assert archive.testzip() is None
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_an_unfinished_file_is_no_archive(tmp_path: Path) -> None:
    """A file whose writer failed cannot be taken for a whole one."""
    path = tmp_path / "data.npz"

    def fail() -> None:
        with NpzWriter(path, EVENT) as file:
            file.write(some_events(10))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(path)


def test_a_file_is_not_overwritten(tmp_path: Path) -> None:
    """An existing file stays as it is."""
    path = tmp_path / "data.npz"
    path.write_text("mine", encoding="ascii")
    with pytest.raises(FileExistsError):
        NpzWriter(path, EVENT)
    assert path.read_text(encoding="ascii") == "mine"
