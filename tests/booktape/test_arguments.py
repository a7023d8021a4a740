"""Arguments of the API: every spelling of a value is the same value, and the sample is found."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import booktape as bt
from booktape import arguments
from orderbook.errors import OptionError
from recorder.installed import sample
from recorder.tape.errors import NotATapeError
from tests.support.commands import booktape, booktape_process, python

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


def test_whole_numbers() -> None:
    """A whole number is one of Python or numpy, within its limits, which the error names."""
    assert arguments.whole_number(np.int64(5), "depth", 1) == arguments.whole_number(5, "depth", 1, 5) == 5
    for value in (0, True, 1.0, "5", None):
        with pytest.raises(OptionError, match=f"^depth: {value!r} is not a whole number of 1 or more$"):
            arguments.whole_number(value, "depth", 1)  # type: ignore[arg-type]  # that is what is tested
    with pytest.raises(OptionError, match=r"from 1 to 64$"):
        arguments.whole_number(65, "processes", 1, 64)


@pytest.mark.parametrize("value", [5, b"x", [1], np.array([1, 2]), pa.table({"a": [1]}), object()])
def test_values_of_wrong_types(value: Any) -> None:
    """A value of a wrong type is one line that names its argument, whatever it is equal to."""
    tape = bt.open("sample:")
    for option, call in (
        ("by", lambda: tape.compare("5bps", by=value)),
        ("execution", lambda: tape.compare("5bps", execution=value)),
        ("execution", lambda: tape.walk_forward(walk="1s:1s", execution=value)),
        ("cluster", lambda: tape.replay(cluster=value)),
        ("strategy", lambda: bt.check(None, tape.path)),  # type: ignore[arg-type]  # that is what is tested
        ("product", lambda: tape.book(value, "+1s")),
        ("product", lambda: tape.trades(value)),
    ):
        with pytest.raises(OptionError) as found:
            call()
        assert found.value.option == option
        assert "\n" not in str(found.value)


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


@pytest.mark.parametrize("inside", ["sub", "product=BTC-USD/run", "new/report.html"])
def test_nothing_is_written_inside_a_tape(inside: str, tmp_path: Path) -> None:
    """A tape holds its rows and nothing else, however it is reached; beside it there is room."""
    (tmp_path / "tape").mkdir()
    (tmp_path / "tape" / "_tape.json").touch()
    (tmp_path / "link").symlink_to("tape")
    for way in ("tape", "link"):
        with pytest.raises(
            OptionError, match=r"^html: .* is inside the tape .*/tape, which holds nothing else"
        ):
            arguments.optional_output(tmp_path / way / inside, "html")
    assert arguments.output_path(tmp_path / "tape", "tape") == tmp_path / "tape"
    assert arguments.output_path(tmp_path / "run", "output") == tmp_path / "run"


def test_paths_of_a_newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the home directory, and `sample` without its colon is explained unless there is one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert arguments.tape_path("~/tape") == tmp_path / "tape"
    with pytest.raises(NotATapeError, match="'sample:'"):
        arguments.tape_path("sample")
    (tmp_path / "sample").mkdir()
    assert arguments.tape_path("sample") == Path("sample")


def test_the_sample_is_not_changed() -> None:
    """Whatever would write into the tape that booktape comes with is refused, with what to do."""
    for change in (bt.open("sample:").compact, bt.open("sample:").index, bt.open("sample:").prepare):
        with pytest.raises(bt.OptionError, match="the sample is read-only: copy it first"):
            change()
    with pytest.raises(bt.OptionError, match="the sample is read-only: copy it first"):
        bt.open("sample:").ship("s3://bucket/tape")


def test_a_place_in_a_store_is_no_directory_of_an_export(tmp_path: Path) -> None:
    """The line says to name a directory of this machine; none is made with the name of a URL."""
    done = booktape("export", "sample:", "-o", "s3://bucket/out", cwd=tmp_path)
    assert done.returncode == 2
    assert "s3://bucket/out is in an object store: write to a directory of this machine" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_is_piped_in_is_said(tmp_path: Path) -> None:
    """It names what was typed, not a file of ours."""
    done = booktape_process("import", "-", "-o", tmp_path / "tape", stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "- is what is piped in, and nothing was" in done.stderr


def test_shipping_without_obstore_is_refused_at_once(tmp_path: Path) -> None:
    """A recording that can never ship does not begin."""
    program = (
        "import sys; sys.modules['obstore'] = None; import booktape as bt\n"
        "try: bt.record('BTC-USD', sys.argv[1], ship='s3://bucket/tape')\n"
        "except bt.StoreError as error: print(error)"
    )
    done = python(program, tmp_path / "tape")
    assert done.stdout == "s3://bucket: stores need obstore, pip install 'booktape[s3]'\n"
    assert not (tmp_path / "tape").exists()
