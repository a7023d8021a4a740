"""Paths of the API: the sample is found, and nothing is written to it or inside a tape."""

import subprocess
from pathlib import Path

import pytest

import booktape as bt
from booktape.paths import optional_output, output_path, path_of, paths_of, tape_path
from orderbook.errors import OptionError
from recorder.installed import sample
from recorder.tape.errors import NotATapeError
from tests.support.commands import booktape, booktape_process, python


def test_paths() -> None:
    """One path or several; `sample:` is the tape that is installed with booktape."""
    assert tape_path("sample:") == tape_path(Path("sample:")) == sample()
    assert paths_of("x", "files", path_of) == (Path("x"),)
    assert (sample() / "_tape.json").is_file()


def test_the_sample_is_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its name nor its directory, however it is spelled, is a path to write to."""
    monkeypatch.chdir(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(sample())
    for path in ("sample:", Path("sample:"), sample(), "link", f"{sample()}/."):
        with pytest.raises(OptionError, match=r"^tape: the sample is read-only"):
            output_path(path, "tape")
    assert output_path("tape", "tape") == Path("tape")


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
            optional_output(tmp_path / way / inside, "html")
    assert output_path(tmp_path / "tape", "tape") == tmp_path / "tape"
    assert output_path(tmp_path / "run", "output") == tmp_path / "run"


def test_paths_of_a_newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the home directory, and `sample` without its colon is explained unless there is one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tape_path("~/tape") == tmp_path / "tape"
    with pytest.raises(NotATapeError, match="'sample:'"):
        tape_path("sample")
    (tmp_path / "sample").mkdir()
    assert tape_path("sample") == Path("sample")


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
