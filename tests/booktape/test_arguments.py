"""Arguments of the API: every spelling of a value is the same value, and the sample is found."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booktape import arguments
from orderbook.errors import OptionError
from recorder.installed import sample
from recorder.tape.errors import NotATapeError

UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@given(number=st.integers(1, 10**5), unit=st.sampled_from(sorted(UNITS)), space=st.sampled_from(["", " "]))
def test_sizes(number: int, unit: str, space: str) -> None:
    """A size is its number times its unit, and is written in a unit that loses nothing."""
    size = number * UNITS[unit]
    assert arguments.size(f"{number}{space}{unit}", "segment_bytes") == size
    assert arguments.size(size, "segment_bytes") == size
    assert arguments.size(arguments.format_size(size), "segment_bytes") == size
    assert arguments.size("1.5 KiB", "segment_bytes") == 1536


@pytest.mark.parametrize("value", ["", "0", "1.MiB", "-1", "1 TiB", "MiB", "1e3", "١KiB", -1, 0, 0.5, None])
def test_no_sizes(value: object) -> None:
    """What is not a whole number of bytes above 0 is refused by name."""
    with pytest.raises(OptionError, match=r"^queue_bytes: ") as found:
        arguments.size(value, "queue_bytes")  # type: ignore[arg-type]  # that is what is tested
    assert (found.value.option, found.value.value) == ("queue_bytes", value)


def test_products_and_paths() -> None:
    """One value or several, each once; `sample:` is the tape that is installed with booktape."""
    assert arguments.products_of(None) == ()
    assert arguments.products_of("BTC-USD") == ("BTC-USD",)
    assert arguments.products_of(iter(["B", "A", "B"])) == ("B", "A")
    assert arguments.tape_path("sample:") == arguments.tape_path(Path("sample:")) == sample()
    assert arguments.paths_of("x", "files", arguments.path_of) == (Path("x"),)
    assert (sample() / "_tape.json").is_file()


def test_an_error_keeps_the_innermost_name() -> None:
    """An error that names its argument keeps the name; any other gets the one that is checked."""
    with (
        pytest.raises(OptionError) as found,
        arguments.naming("outer", 1, "2"),
        arguments.naming("inner", 1, "3"),
    ):
        raise TypeError("of no type")
    assert str(found.value) == "inner: 1 cannot be used: write 3"


def test_the_sample_is_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its name nor its directory, however it is spelled, is a path to write to."""
    monkeypatch.chdir(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(sample())
    for path in ("sample:", Path("sample:"), sample(), "link", f"{sample()}/."):
        with pytest.raises(OptionError, match=r"^tape: the sample is read-only"):
            arguments.output_path(path, "tape")
    assert arguments.output_path("tape", "tape") == Path("tape")


def test_paths_of_a_newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the home directory, and `sample` without its colon is explained unless there is one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert arguments.tape_path("~/tape") == tmp_path / "tape"
    with pytest.raises(NotATapeError, match="'sample:'"):
        arguments.tape_path("sample")
    (tmp_path / "sample").mkdir()
    assert arguments.tape_path("sample") == Path("sample")
