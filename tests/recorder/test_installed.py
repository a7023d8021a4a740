"""The sample by its name: one name for its directory, and no doubled colon in a line about it."""

from pathlib import Path

from recorder.installed import sample, tape_name, tapes_title


def test_names() -> None:
    """The sample has its name wherever it is installed; every other tape is its path."""
    other = Path("a/tape")
    assert [tape_name(path) for path in (sample(), other)] == ["sample:", "a/tape"]
    assert tapes_title(sample()) == tapes_title(Path("sample")) == "sample:"
    assert tapes_title(other) == "a/tape:"
    assert tapes_title(sample(), other) == "sample:, a/tape:"
    assert tapes_title(other, sample()) == "a/tape, sample:"
