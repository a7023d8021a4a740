"""Compiled code is run only if it is what was kept, in a place where only this user or root can write."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from recorder.runtime.kernel_cache import KernelCache, cache_directories
from tests.support.commands import clean_environment, python

CODE = bytes(range(256)) * 40
PLACES = ("NUMBA_CACHE_DIR", "CACHE_DIRECTORY", "STATE_DIRECTORY", "XDG_CACHE_HOME", "HOME")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only directory that can hold code."""
    for name in PLACES:
        monkeypatch.setenv(name, str(tmp_path / "missing"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "booktape"


def test_kept_code_is_read_again(directory: Path) -> None:
    """What was kept under a name is read under that name, and nothing else is left behind."""
    cache = KernelCache()
    assert cache.directory()
    assert cache.read("entry") is None
    cache.write("entry", b"older")
    cache.write("entry", CODE)
    assert cache.read("entry") == CODE
    assert [path.name for path in directory.iterdir()] == ["entry"]
    assert not directory.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def test_changed_code_is_not_read(directory: Path) -> None:
    """A cut at any place, a flipped bit, and the code of another entry are not code."""
    cache, rng = KernelCache(), Random(1)
    cache.write("entry", CODE)
    kept = (directory / "entry").read_bytes()
    for _ in range(200):
        bad = bytearray(kept)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        (directory / "entry").write_bytes(bad)
        assert cache.read("entry") is None
        (directory / "entry").write_bytes(kept[: rng.randrange(len(kept))])
        assert cache.read("entry") is None
    (directory / "entry").write_bytes(kept + b"\0")
    assert cache.read("entry") is None
    (directory / "other").write_bytes(kept)
    assert cache.read("other") is None
    cache.write("entry", CODE)  # replaces what is bad
    assert cache.read("entry") == CODE


def _writable(path: Path) -> None:
    path.chmod(0o777)


def _foreign(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize("spoil", [_writable, _foreign])
def test_what_others_can_write_is_not_read(directory: Path, spoil: Callable[[Path], None]) -> None:
    """Code in a directory, or a file, of another user or that others can write is neither run nor kept."""
    cache = KernelCache()
    cache.write("entry", CODE)
    spoil(directory / "entry")
    assert cache.read("entry") is None
    cache.write("entry", CODE)
    assert cache.read("entry") == CODE
    spoil(directory)
    assert cache.read("entry") is None
    assert cache.directory() is None
    cache.write("second", CODE)
    assert not (directory / "second").exists()


def test_what_is_no_file_is_not_read(directory: Path) -> None:
    """A FIFO, a symbolic link or a directory of the entry's name neither hangs nor is followed."""
    cache = KernelCache()
    cache.write("entry", CODE)
    (directory / "link").symlink_to(directory / "entry")
    os.mkfifo(directory / "fifo")
    (directory / "folder").mkdir()
    for name in ("link", "fifo", "folder"):
        assert cache.read(name) is None
        cache.write(name, CODE)
    assert cache.read("link") == cache.read("fifo") == CODE
    assert cache.read("folder") is None


def test_the_first_directory_that_can_hold_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the directories in their order, the first that can hold code keeps it; all are read."""
    for name in PLACES:
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    below = {"STATE_DIRECTORY": ".cache/booktape", "HOME": ".cache/booktape"}
    expected = [tmp_path / name / below.get(name, "booktape") for name in PLACES]
    assert list(cache_directories()) == expected
    monkeypatch.setenv("CACHE_DIRECTORY", "relative")
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path / 'STATE_DIRECTORY'}:/second")
    assert list(cache_directories()) == [expected[0], *expected[2:]]
    expected[0].write_text("a file in its place")
    KernelCache().write("entry", CODE)
    assert (expected[2] / "entry").exists()
    assert KernelCache().read("entry") == CODE


def test_nowhere_to_keep_code() -> None:
    """A user without any of the directories can keep nothing, and nothing fails or is made."""
    program = (
        "from recorder.runtime.kernel_cache import KernelCache; cache = KernelCache(); "
        "cache.write('entry', b'code'); print(cache.directory() is not None, cache.read('entry'))"
    )
    environment = {name: value for name, value in clean_environment().items() if name not in PLACES}
    done = python(program, env=environment | {"HOME": "/nonexistent"})
    assert (done.stdout, done.stderr) == ("False None\n", "")
    assert not Path("/nonexistent").exists()
