"""The manifest: what it says, and what is not a tape is refused."""

import json
from pathlib import Path

import pytest

from recorder.tape.errors import (
    NewerTapeError,
    NotATapeError,
)
from recorder.tape.reader import Tape
from tests.support.constants import BTC
from tests.support.rows import frames, open_writer, write_tape


def test_the_manifest(tmp_path: Path) -> None:
    """_tape.json holds format, feed, products, time of creation, software, and how many rows were sealed."""
    tape = write_tape(tmp_path / "tape", frames(1))
    assert json.loads((tape / "_tape.json").read_bytes()) == {
        "format": 2,
        "feed": "exchange",
        "products": [BTC],
        "created": "2026-08-09T21:05:48.000000000Z",
        "software": "test 0",
        "synthetic": False,
        "sealed_rows": {BTC: 1},
        "unfinished": [],
    }


def test_a_newer_format_is_refused(half_sealed: Path) -> None:
    """A tape of a later format is refused with its path, whatever else its manifest says."""
    for manifest in ({"format": 4}, {"format": 4, "feed": "else", "products": {"a": 1}}):
        (half_sealed / "_tape.json").write_text(json.dumps(manifest))
        with pytest.raises(NewerTapeError, match=f"{half_sealed}.*format 4 is newer"):
            Tape.open(half_sealed)
        with pytest.raises(NewerTapeError):
            open_writer(half_sealed)


@pytest.mark.parametrize("place", ["missing", "missing/below", "file", "other", "empty"])
def test_what_is_no_tape_is_refused(tmp_path: Path, place: str) -> None:
    """A missing directory, a file, a directory with other files and an empty one are refused by name."""
    (tmp_path / "file").write_text("PAR1")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "data.parquet").write_text("PAR1")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotATapeError, match=str(tmp_path / place)):
        Tape.open(tmp_path / place)


@pytest.mark.parametrize("place", ["product=BTC-USD", "product=BTC-USD/date=2026-08-09"])
def test_a_part_of_a_tape_is_refused(tmp_path: Path, place: str) -> None:
    """Who names a directory inside a tape is told the tape, and the product."""
    tape = write_tape(tmp_path / "tape", frames(1))
    with pytest.raises(NotATapeError) as refused:
        Tape.open(tape / place)
    assert str(refused.value) == (
        f"{tape / place}: a part of the tape {tape}: give that, and --product BTC-USD for this one alone"
    )


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"format": "1"}',
        '{"a":' * 100_000,
        '{"format": 0, "feed": "exchange", "products": [], "created": "", "software": ""}',
        '{"format": 1, "feed": "kraken", "products": [], "created": "", "software": ""}',
        '{"format": 1, "feed": "exchange", "products": ["../x"], "created": "", "software": ""}',
        '{"format": 1, "feed": "exchange", "products": ["A-B", "A-B"], "created": "", "software": ""}',
        *(
            f'{{"format": 1, "feed": "exchange", "products": ["A-B"], "created": "", "software": "", {odd}}}'
            for odd in (
                '"sealed_rows": {"A-B": -1}',
                '"sealed_rows": {"A-B": "1"}',
                '"sealed_rows": {"A-B": 1e30}',
                '"synthetic": 1',
            )
        ),
        '{"format": 1, "feed": "exchange", "products": "BTC-USD", "created": "", "software": ""}',
    ],
)
def test_a_manifest_that_is_none_is_named(half_sealed: Path, manifest: str) -> None:
    """An invalid manifest is an error that names it."""
    (half_sealed / "_tape.json").write_text(manifest)
    with pytest.raises(NotATapeError, match=r"_tape\.json"):
        Tape.open(half_sealed)
